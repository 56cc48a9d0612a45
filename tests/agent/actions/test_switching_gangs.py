"""deactivate_workload and activate_workload: a gang out of its queue whole, and in again."""

from typing import Any

import pytest
from evidence.field import Cluster, cluster, ref

from actions.proposing import after, proposed, refusal, success
from agent.domain.cluster import ObjectRef

LLAMA = ref("Workload", "llama")


def llama(kind: str = "Workload", **more: Any) -> Cluster:
    return cluster().nodes("gpu-1", "gpu-2").gang("llama", on=["gpu-1", "gpu-2"], kind=kind, **more)


def out(reason: str = "Deactivated", kind: str = "Workload", **annotations: str) -> Cluster:
    said = [{"type": "Evicted", "status": "True", "reason": reason}]
    where = cluster().nodes("gpu-1", "gpu-2").gang("llama", on=[], waiting=2, kind=kind, annotations=annotations)
    where.without("Pod", "llama-0").without("Pod", "llama-1")
    return where.change(kind, "llama", {"spec": {"active": False}, "status": {"conditions": said}})


def ours(active: str = "true") -> Cluster:
    note = {"watchkeeper.dev/changed-by": "inc-0/1", "watchkeeper.dev/before": f'{{"active": {active}}}'}
    return out(**note)


@pytest.mark.parametrize("kind", ["Workload", "Gang"])
def test_a_gang_is_switched_off_whole_and_on_again(kind: str) -> None:
    made = proposed("deactivate_workload", ref(kind, "llama"), llama(kind))
    (step,) = made.steps
    assert step.body["spec"] == {"active": False}
    assert step.undo is not None and step.undo["spec"] == {"active": True}
    assert made.destructive
    assert (made.blast_radius.gangs, made.blast_radius.pods, made.blast_radius.gpus) == ((f"{kind}/lab/llama",), 2, 16)
    stopped = after(made, out(kind=kind))
    (back,) = proposed("deactivate_workload", ref(kind, "llama"), stopped, undoes=made.id).steps
    assert back.body["spec"] == {"active": True}
    again = proposed("activate_workload", ref(kind, "llama"), stopped)
    assert again.steps[0].body["spec"] == {"active": True} and not again.destructive


@pytest.mark.parametrize(
    ("action", "target", "where", "code"),
    [
        ("deactivate_workload", ref("Job", "llama"), llama("Job"), "precondition.kind"),
        ("deactivate_workload", ref("Workload", "gone"), llama(), "precondition.target_unknown"),
        ("deactivate_workload", LLAMA, out(), "precondition.no_change"),
        ("activate_workload", LLAMA, llama(), "precondition.no_change"),
        ("activate_workload", LLAMA, out(), "precondition.deactivated_by_other"),
        ("activate_workload", LLAMA, ours(active="false"), "precondition.deactivated_by_other"),
    ],
)
def test_switches_that_are_left_alone(action: str, target: ObjectRef, where: Cluster, code: str) -> None:
    assert refusal(action, target, where) == code


def test_what_kueue_gave_up_on_may_be_tried_again() -> None:
    made = proposed("activate_workload", LLAMA, out("DeactivatedDueToRequeuingLimitExceeded"))
    assert made.steps[0].uid == "uid-workload-llama"


def test_a_deactivation_has_helped_when_all_pods_are_gone() -> None:
    made = proposed("deactivate_workload", LLAMA, llama())
    assert success(made, llama()).done is None
    assert success(made, llama().change("Workload", "llama", {"spec": {"active": False}})).done is None
    assert success(made, out()).done is True


def test_an_activation_has_helped_when_the_gang_runs_or_waits_whole() -> None:
    made = proposed("activate_workload", LLAMA, ours())
    assert success(made, out()).done is None
    assert success(made, cluster().gang("llama", on=[], waiting=2)).done is True
    assert success(made, llama()).done is True
    assert success(made, cluster().node("gpu-1").gang("llama", on=["gpu-1"], waiting=1)).done is None
