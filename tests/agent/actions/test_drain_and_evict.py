"""drain_node and evict_pod: gangs whole, the rest by the Eviction API, and nothing that nobody would start again."""

from typing import Any

import pytest
from evidence.field import NOW, Cluster, cluster, ref

from actions.proposing import NODE, ours, proposed, refusal, success
from agent.domain.proposal import Verb
from agent.evidence.policy_input import policy_input

CHAT_POD = ref("Pod", "chat-0")


def busy(**node: Any) -> Cluster:
    where = cluster().node("gpu-7", **node).nodes("gpu-8").deployment("chat", on=["gpu-7", "gpu-8"])
    return where.gang("llama", on=["gpu-7", "gpu-8"], gpus=4)


def test_a_drain_cordons_then_requeues_gangs_whole_then_evicts_the_rest() -> None:
    made = proposed("drain_node", NODE, busy())
    assert [(s.verb, str(s.target)) for s in made.steps] == [
        (Verb.PATCH, "Node/gpu-7"),
        (Verb.PATCH, "Workload/lab/llama"),
        (Verb.PATCH, "Workload/lab/llama"),
        (Verb.EVICT, "Pod/lab/chat-0"),
    ]
    cordon, stop, start, evict = made.steps
    assert cordon.undo is not None and cordon.undo["spec"] == {"unschedulable": False}
    assert (stop.body["spec"], start.body["spec"]) == ({"active": False}, {"active": True})
    assert start.wait_for is not None and len(start.wait_for.pods) == 2
    assert evict.uid == "uid-pod-chat-0"
    radius = made.blast_radius
    assert (radius.nodes, radius.gangs, radius.workloads) == (
        ("gpu-7",), ("Workload/lab/llama",), ("Deployment/lab/chat",)
    )  # fmt: skip
    assert (radius.pods, radius.gpus) == (3, 10)
    assert made.destructive


def test_the_gate_sees_that_a_drain_takes_its_gangs_whole() -> None:
    where = busy()
    drain = policy_input(proposed("drain_node", NODE, where), where.view(), {}, [], phase="propose", now=NOW)
    (gang,) = drain["facts"]["gangs"]
    assert (gang["touched"], gang["whole"]) == (2, True)


def test_a_cordoned_node_is_not_cordoned_again() -> None:
    assert [s.verb for s in proposed("drain_node", NODE, ours().notebook("ada", "gpu-7")).steps] == [Verb.EVICT]


def test_the_pods_of_daemon_sets_stay() -> None:
    where = cluster().node("gpu-7")
    where._add("apps/v1", "DaemonSet", "dcgm", "lab", {"spec": {}})
    where.pod("dcgm-1", "gpu-7", owner=where.objects["DaemonSet", "dcgm"], gpus=0)
    assert [s.verb for s in proposed("drain_node", NODE, where).steps] == [Verb.PATCH]


@pytest.mark.parametrize(
    ("where", "code"),
    [
        (cluster(), "precondition.target_unknown"),
        (ours(), "precondition.already_drained"),
        (cluster().node("gpu-7").pod("plain", "gpu-7"), "precondition.plain_pods"),
    ],
)
def test_what_is_not_drained(where: Cluster, code: str) -> None:
    assert refusal("drain_node", NODE, where) == code


def test_a_drain_has_helped_when_the_node_is_empty_and_its_gangs_are_whole() -> None:
    made = proposed("drain_node", NODE, busy())
    assert success(made, busy(cordoned=True)).done is None
    moved = ours().nodes("gpu-8", "gpu-9").deployment("chat", on=["gpu-9", "gpu-8"])
    assert success(made, moved.gang("llama", on=["gpu-8", "gpu-9"], gpus=4)).done is True
    part = ours().nodes("gpu-8").gang("llama", on=["gpu-8"], waiting=1, gpus=4)
    assert success(made, part).done is None


def test_a_drain_is_taken_back_by_giving_the_node_back() -> None:
    (step,) = proposed("drain_node", NODE, ours(), undoes="inc-0/1").steps
    assert step.body["spec"] == {"unschedulable": False}
    someone_elses = cluster().node("gpu-7", cordoned=True)
    assert refusal("drain_node", NODE, someone_elses, undoes="inc-0/1") == "precondition.nothing_to_undo"


def test_a_pod_is_evicted_by_its_uid() -> None:
    made = proposed("evict_pod", CHAT_POD, busy())
    assert [(s.verb, s.target, s.uid) for s in made.steps] == [(Verb.EVICT, CHAT_POD, "uid-pod-chat-0")]
    assert made.destructive
    assert (made.blast_radius.workloads, made.blast_radius.pods, made.blast_radius.gpus) == (
        ("Deployment/lab/chat",), 1, 2
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "where", "code"),
    [
        ("llama-0", busy(), "precondition.is_a_gang"),
        ("gone", busy(), "precondition.target_unknown"),
        ("plain", cluster().node("gpu-7").pod("plain", "gpu-7"), "precondition.plain_pods"),
        ("chat-0", busy().change("Pod", "chat-0", {"status": {"phase": "Succeeded"}}), "precondition.not_running"),
    ],
)
def test_which_pods_are_not_evicted(name: str, where: Cluster, code: str) -> None:
    assert refusal("evict_pod", ref("Pod", name), where) == code


def test_only_pods_are_evicted() -> None:
    assert refusal("evict_pod", ref("Deployment", "chat"), busy()) == "precondition.kind"


def test_an_eviction_has_helped_when_a_successor_is_ready() -> None:
    made = proposed("evict_pod", CHAT_POD, busy())
    assert success(made, busy()).done is None
    assert success(made, busy().without("Pod", "chat-0")).done is None
    successor = busy().change("Pod", "chat-0", {"metadata": {"uid": "uid-next"}})
    assert success(made, successor).done is True
