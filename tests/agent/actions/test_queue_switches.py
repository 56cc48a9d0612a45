"""hold_queue and resume_queue: nobody new, or everybody out whole; and open again."""

from typing import Any

import pytest
from evidence.field import Cluster, cluster, ref

from actions.proposing import after, proposed, refusal, success
from agent.domain.cluster import ObjectRef
from agent.evidence.lookup import raw_object

RESEARCH = ref("ClusterQueue", "research", None)
QUEUES = [("ClusterQueue", RESEARCH), ("LocalQueue", ref("LocalQueue", "main")), ("Queue", ref("Queue", "main", None))]
OURS = {"watchkeeper.dev/held-by": "watchkeeper"}


def queued(kind: str = "ClusterQueue", **more: Any) -> Cluster:
    """The gang llama runs, by whichever queue; another namespace's queue of the same name is somebody else's."""
    own = kind == "Queue"
    where = cluster().nodes("gpu-1", "gpu-2").gang("llama", on=["gpu-1", "gpu-2"], kind="Gang" if own else "Workload")
    return where.queue("main", "Queue", **more) if own else where.queue("research", **more)


@pytest.mark.parametrize(("kind", "target"), QUEUES)
def test_a_hold_lets_nobody_new_in_and_disturbs_nobody(kind: str, target: ObjectRef) -> None:
    made = proposed("hold_queue", target, queued(kind))
    (step,) = made.steps
    assert step.body == {
        "metadata": {
            "annotations": {
                "watchkeeper.dev/held-by": "watchkeeper",
                "watchkeeper.dev/hold-incident": "inc-1",
                "watchkeeper.dev/hold-reason": "xid.79",
            }
        },
        "spec": {"stopPolicy": "Hold"},
    }
    assert step.undo is not None and step.undo["spec"] == {"stopPolicy": None}
    assert (made.protective, made.destructive, made.blast_radius.gangs) == (True, False, ())


@pytest.mark.parametrize(("kind", "target"), QUEUES)
def test_a_drain_sends_back_every_gang_of_the_queue(kind: str, target: ObjectRef) -> None:
    made = proposed("hold_queue", target, queued(kind), drain=True)
    assert made.steps[0].body["spec"] == {"stopPolicy": "HoldAndDrain"}
    assert (made.protective, made.destructive) == (False, True)
    gang = "Gang/lab/llama" if kind == "Queue" else "Workload/lab/llama"
    assert (made.blast_radius.gangs, made.blast_radius.pods, made.blast_radius.gpus) == ((gang,), 2, 16)


def test_another_queues_gangs_are_not_touched() -> None:
    where = queued().queue("law").queue("research")
    made = proposed("hold_queue", ref("ClusterQueue", "law", None), where, drain=True)
    assert (made.blast_radius.gangs, made.destructive) == ((), False)


@pytest.mark.parametrize(("kind", "target"), QUEUES)
def test_what_we_held_is_opened_again(kind: str, target: ObjectRef) -> None:
    made = proposed("hold_queue", target, queued(kind), drain=True)
    held = after(made, queued(kind))
    for back in (proposed("resume_queue", target, held), proposed("hold_queue", target, held, undoes=made.id)):
        opened = raw_object(after(back, after(made, queued(kind))).view(), target)
        marks = {name: mark for name, mark in opened["metadata"].get("annotations", {}).items() if mark is not None}
        assert (opened["spec"]["stopPolicy"], marks) == ("None", {})
    undo: Any = proposed("resume_queue", target, held).steps[0].undo
    assert undo["spec"] == {"stopPolicy": "HoldAndDrain"}
    assert undo["metadata"]["annotations"]["watchkeeper.dev/held-by"] == "watchkeeper"


@pytest.mark.parametrize(
    ("action", "target", "where", "code"),
    [
        ("hold_queue", ref("Deployment", "chat"), queued(), "precondition.kind"),
        ("hold_queue", ref("ClusterQueue", "gone", None), queued(), "precondition.target_unknown"),
        ("hold_queue", RESEARCH, queued(stop="Hold"), "precondition.already_held"),
        ("resume_queue", ref("Deployment", "chat"), queued(), "precondition.kind"),
        ("resume_queue", ref("ClusterQueue", "gone", None), queued(), "precondition.target_unknown"),
        ("resume_queue", RESEARCH, queued(), "precondition.not_held"),
        ("resume_queue", RESEARCH, queued(stop="Hold"), "precondition.held_by_other"),
    ],
)
def test_queues_that_are_left_alone(action: str, target: ObjectRef, where: Cluster, code: str) -> None:
    assert refusal(action, target, where) == code


def test_a_hold_has_helped_when_the_queue_shows_it_and_a_drain_when_all_stand_still() -> None:
    hold = proposed("hold_queue", RESEARCH, queued())
    assert success(hold, queued()).done is None
    assert success(hold, queued(stop="Hold")).done is True
    drain = proposed("hold_queue", RESEARCH, queued(), drain=True)
    assert success(drain, queued(stop="HoldAndDrain")).done is None
    assert success(drain, cluster().gang("llama", on=[], waiting=2).queue("research", stop="HoldAndDrain")).done is True


def test_a_resume_has_helped_when_the_queue_is_open() -> None:
    made = proposed("resume_queue", RESEARCH, queued(stop="Hold", annotations=OURS))
    assert success(made, queued(stop="Hold")).done is None
    assert success(made, queued()).done is True
