"""How it stands after a what-if, by whatever short way that was worked out: as if everything had been counted."""

import pytest

from scheduler_core.changes import AddNode, Change, Cordon, Drain, Evict, Mend, RemoveNode, Requeue, Uncordon, apply_all
from scheduler_core.model import Gang, Node, Pod, PodSet
from scheduler_core.quota import DEFAULT_FLAVOR, Queue, Quota
from scheduler_core.settings import DEFAULTS
from scheduler_core.settling import settle
from scheduler_core.snapshot import Snapshot
from scheduler_core.standing import standing
from scheduler_core.whatif import what_if

GPU = "nvidia.com/gpu"
NOW_S = 1_000.0


def node(name: str, *, ready: bool = True, unschedulable: bool = False) -> Node:
    return Node(name=name, allocatable={GPU: 8, "pods": 110}, ready=ready, unschedulable=unschedulable)


def gang(name: str, count: int) -> Gang:
    sets = (PodSet(name="main", count=count, requests={GPU: 8}),)
    return Gang(name=name, queue="q", pod_sets=sets)


@pytest.fixture
def snapshot() -> Snapshot:
    """One gang runs, one waits for a node that is away; a pod of no gang is on a node, another waits."""
    made = Snapshot(
        nodes=[node("n1"), node("n2"), node("n3", ready=False), node("n4", unschedulable=True)],
        queues=[Queue(name="q", quotas=(Quota(resource=GPU, flavor=DEFAULT_FLAVOR, nominal=64),))],
        gangs=[gang("runs", 1), gang("waits", 2)],
    )
    made.occupy("n1", {GPU: 8}, "runs-0", "runs")
    made.occupy("n2", {GPU: 2}, "alone", owner="Deployment/a/d")
    made.wait(Pod(name="nowhere", requests={GPU: 8}))
    return made


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        [],
        [Cordon("n2")],
        [Cordon("n1"), Cordon("n2")],
        [Uncordon("n4")],
        [Uncordon("n4"), Mend("n3")],
        [Mend("n3")],
        [Drain("n1")],
        [Evict("alone")],
        [RemoveNode("n2")],
        [AddNode(node("n5"))],
        [AddNode(node("n5", unschedulable=True))],
        [Requeue("runs", 0, ())],
    ],
)
def test_it_is_as_if_all_had_been_counted(snapshot: Snapshot, changes: list[Change], known: bool) -> None:
    stands = standing(snapshot)
    effect = what_if(snapshot, changes, NOW_S, before=stands if known else None)
    with snapshot.fork():
        apply_all(snapshot, changes, NOW_S)
        settle(snapshot, NOW_S, DEFAULTS)
        counted = standing(snapshot)
    assert (effect.before, effect.after) == (stands, counted)
    assert standing(snapshot) == stands


def test_a_cordon_takes_away_what_was_free(snapshot: Snapshot) -> None:
    effect = what_if(snapshot, [Cordon("n2")], NOW_S)
    assert (effect.gpus_free_before, effect.gpus_free_after) == (6, 0)
    assert effect.after.unusable == effect.before.unusable + 6
