"""defragment: the moves that were worked out, single pods by eviction and gangs whole, or nothing."""

from typing import Any

import pytest
from evidence.field import Cluster, cluster, ref

from actions.proposing import proposed, refusal, success
from agent.domain.proposal import Prediction, Verb

QUEUE = ref("ClusterQueue", "shared", None)
CHAT = {"pod": ref("Pod", "chat-0").json_object(), "from": ["gpu-1"], "to": ["gpu-2"]}
SMALL = {"gang": ref("Workload", "small").json_object(), "from": ["gpu-2"], "to": ["gpu-1"]}


def scattered() -> Cluster:
    where = cluster().nodes("gpu-1", "gpu-2").queue("shared").deployment("chat", on=["gpu-1", "gpu-2"])
    return where.gang("small", on=["gpu-2"], gpus=2).gang("llama", on=[], waiting=1)


def test_pods_are_evicted_and_gangs_requeued_whole() -> None:
    made = proposed("defragment", QUEUE, scattered(), moves=[CHAT, SMALL], predicted_gain=8)
    assert (made.steps[0].verb, str(made.steps[0].target)) == (Verb.EVICT, "Pod/lab/chat-0")
    assert {str(step.target) for step in made.steps[1:]} == {"Workload/lab/small", "Job/lab/small"}
    radius = made.blast_radius
    assert (radius.gangs, radius.workloads) == (("Workload/lab/small",), ("Deployment/lab/chat",))
    assert (radius.pods, radius.gpus, made.destructive) == (2, 4, True)
    assert made.parameters == {"moves": [CHAT, SMALL], "predicted_gain": 8}


def test_it_has_helped_when_what_moved_is_back_and_the_gang_runs() -> None:
    prediction = Prediction(gangs_started=("Workload/lab/llama",), starts=("Workload/lab/llama",))
    where = scattered()
    made = proposed("defragment", QUEUE, where, moves=[CHAT])
    made = made.model_copy(update={"prediction": prediction})
    assert success(made, where).done is None, "chat-0 has not left"
    moved = where.without("Pod", "chat-0")
    assert "1 of 2 pods" in success(made, moved).statement
    back = moved.pod("chat-new", "gpu-2", owner=where.objects["Deployment", "chat"], gpus=2)
    assert "has not started" in success(made, back).statement
    assert success(
        made, back.without("Pod", "llama-0").pod("llama-0", "gpu-1", owner=where.objects["Job", "llama"])
    ).done


@pytest.mark.parametrize(
    ("moves", "code"),
    [
        ([{**CHAT, "from": ["gpu-2"]}], "precondition.moved"),
        ([CHAT, CHAT], "parameters.invalid"),
        ([{"from": ["gpu-1"], "to": []}], "parameters.invalid"),
        ([{**CHAT, "pod": ref("Pod", "small-0").json_object()}], "precondition.is_a_gang"),
        ([{**CHAT, "pod": ref("Pod", "gone").json_object()}], "precondition.target_unknown"),
        ([{**SMALL, "gang": ref("Workload", "llama").json_object()}], "precondition.nothing_runs"),
        ([], "parameters.invalid"),
    ],
)
def test_what_is_no_move(moves: list[dict[str, Any]], code: str) -> None:
    assert refusal("defragment", QUEUE, scattered(), moves=moves) == code


def test_only_a_queue_is_defragmented() -> None:
    assert refusal("defragment", ref("Deployment", "chat"), scattered(), moves=[CHAT]) == "precondition.kind"
    assert (
        refusal("defragment", ref("ClusterQueue", "none", None), scattered(), moves=[CHAT])
        == "precondition.target_unknown"
    )
