"""reserve_capacity: the gang is let in before others are kept out; it ends, and only what it did is taken back."""

from typing import Any

import pytest
from evidence.field import Cluster, cluster, ref

from actions.proposing import after, proposed, refusal, success
from agent.domain.proposal import Verb

LLAMA = ref("Workload", "llama")
TAINT = {"key": "watchkeeper.dev/reserved-for", "value": "uid-workload-llama", "effect": "NoSchedule"}
SOON, LATE, PAST = "2026-11-02T14:00:00Z", "2026-11-02T16:00:01Z", "2026-11-02T12:00:00Z"


def waiting(pods: int = 2, **node: Any) -> Cluster:
    return cluster().node("gpu-1", **node).node("gpu-2").gang("llama", on=[], waiting=pods)


def test_the_gang_is_let_in_before_others_are_kept_out() -> None:
    made = proposed("reserve_capacity", LLAMA, waiting(), nodes=["gpu-2", "gpu-1"], until=SOON)
    assert [(step.verb, step.target.kind) for step in made.steps] == [(Verb.PATCH, "Pod")] * 2 + [
        (Verb.PATCH, "Node")
    ] * 2
    pod, node = made.steps[0], made.steps[-1]
    assert pod.body["spec"]["tolerations"][0]["value"] == "uid-workload-llama"  # type: ignore[index]
    assert node.body["spec"] == {"taints": [TAINT]}
    assert node.undo is not None and node.undo["spec"] == {"taints": []}
    assert (made.blast_radius.nodes, made.blast_radius.gpus, made.destructive) == (("gpu-1", "gpu-2"), 16, False)


def test_a_suspended_job_is_let_in_by_its_template() -> None:
    where = waiting(pods=0).change("Job", "llama", {"spec": {"suspend": True}})
    where.change("Workload", "llama", {"spec": {"podSets": [{"name": "main", "count": 2}]}})
    made = proposed("reserve_capacity", LLAMA, where, nodes=["gpu-1"], until=SOON)
    assert [step.target.kind for step in made.steps] == ["Job", "Node"]
    running = where.change("Job", "llama", {"spec": {"suspend": False}})
    assert refusal("reserve_capacity", LLAMA, running, nodes=["gpu-1"], until=SOON) == "precondition.no_lever"


def test_letting_go_takes_away_our_taint_and_no_other() -> None:
    other = {"key": "site/rack", "value": "b", "effect": "NoSchedule"}
    where = waiting(taints=[other])
    made = proposed("reserve_capacity", LLAMA, where, nodes=["gpu-1"], until=SOON)
    held = after(made, where)
    assert success(made, held).done
    back = proposed("reserve_capacity", LLAMA, held, nodes=["gpu-1"], until=SOON, undoes=made.id)
    assert [step.body["spec"] for step in back.steps] == [{"taints": [other]}]
    assert not success(back, held).done
    assert success(back, after(back, held)).done
    assert refusal("reserve_capacity", LLAMA, held, nodes=["gpu-1"], until=SOON, undoes="inc-9/0")


@pytest.mark.parametrize(
    ("where", "given", "code"),
    [
        (waiting(), {"until": LATE}, "precondition.until"),
        (waiting(), {"until": PAST}, "precondition.until"),
        (waiting(), {"nodes": ["gone"]}, "precondition.node"),
        (waiting(cordoned=True), {}, "precondition.node"),
        (waiting(taints=[TAINT]), {}, "precondition.reserved"),
        (cluster().node("gpu-1").gang("llama", on=["gpu-1"]), {}, "precondition.not_waiting"),
        (cluster().node("gpu-1"), {}, "precondition.target_unknown"),
        (waiting(), {"nodes": []}, "parameters.invalid"),
    ],
)
def test_what_cannot_be_held(where: Cluster, given: dict[str, Any], code: str) -> None:
    assert refusal("reserve_capacity", LLAMA, where, **{"nodes": ["gpu-1"], "until": SOON, **given}) == code
