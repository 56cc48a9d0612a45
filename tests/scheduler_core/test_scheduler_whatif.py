"""What would happen if? Asked before every proposal; nothing of it stays."""

import doctest

import pytest
from schedule_language import GPU, cluster

import scheduler_core
from scheduler_core import (
    Activate,
    AddNode,
    Cordon,
    Drain,
    Evict,
    Gang,
    Node,
    PodSet,
    Reason,
    Remove,
    RemoveNode,
    Requeue,
    Scale,
    SetQuota,
    Stop,
    StopPolicy,
    Submit,
    Uncordon,
    Unknown,
    unblocked_by,
)


def deadlock():
    """Two gangs of three whole nodes hold two each of four: neither will ever start by itself."""
    world = cluster().nodes(4).queue("q", 64).gang("a", pods=3, queue="q").gang("b", pods=3, queue="q")
    return world.running("a", "gpu-0", "gpu-1").running("b", "gpu-2", "gpu-3")


def test_left_alone_a_deadlock_stays():
    effect = deadlock().what_if(until_s=10_000)
    assert (effect.started, set(effect.still_pending)) == ((), {"a", "b"})


def test_requeueing_one_stuck_gang_whole_completes_the_other():
    effect = deadlock().what_if(Requeue("b", delay_s=600))
    assert effect.started == ("a",)
    assert [(each.gang, dict(each.pods)) for each in effect.assignments] == [("a", {"a-main-2": "gpu-2"})]
    assert effect.still_pending["b"].reason is Reason.BACKING_OFF
    assert (effect.gangs_running_before, effect.gangs_running_after) == (0, 1)
    assert (effect.gpus_free_before, effect.gpus_free_after) == (0, 8)


def test_a_look_past_the_back_off_shows_what_the_other_then_lacks():
    effect = deadlock().what_if(Requeue("b", delay_s=600), until_s=3600)
    found = effect.still_pending["b"]
    assert (found.reason, found.wanted, found.available) == (Reason.INSUFFICIENT_CAPACITY, 24, 8)


def test_the_look_includes_its_last_second():
    effect = cluster().nodes(1).queue("q").gang("g", queue="q").what_if(Requeue("g", delay_s=60), until_s=60)
    assert effect.started == ("g",)


def test_without_a_delay_the_stuck_gang_is_served_first_all_the_same():
    assert deadlock().what_if(Requeue("b", delay_s=0)).started == ("a",)


def test_a_drain_moves_gangs_whole_and_owned_pods_one_by_one():
    world = cluster().nodes(4).queue("q").gang("g", pods=2, queue="q").running("g", "gpu-0", "gpu-1")
    world.pod("web-1", "gpu-2", owner="web").node("spare", 1)
    effect = world.what_if(Drain("gpu-0"), Drain("gpu-2"))
    assert (effect.started, effect.stopped, effect.placed_pods) == ((), (), {"web-1": "spare"})
    (moved,) = effect.assignments
    assert sorted(moved.pods.values()) == ["gpu-1", "gpu-3"]
    assert effect.gangs_running_after == 1


def test_a_drain_with_nowhere_to_go_shows_what_would_stop():
    world = cluster().nodes(2).queue("q").gang("g", pods=2, queue="q").running("g", "gpu-0", "gpu-1")
    effect = world.what_if(Drain("gpu-0"))
    assert effect.stopped == ("g",)
    assert effect.still_pending["g"].reason in (Reason.NODES_EXCLUDED, Reason.INSUFFICIENT_CAPACITY)


PENDING_ON_ONE_NODE = [
    ("nothing", [], ()),
    ("an idle pod goes", [Remove(pod="idle")], ("g",)),
    ("its owner is scaled to zero", [Scale("notebook", 0)], ("g",)),
    ("it is evicted, but its owner wants it back", [Evict("idle")], ()),
    ("it is evicted and there is room elsewhere", [AddNode(Node("more", {GPU: 1})), Evict("idle")], ("g",)),
    ("a node comes back", [Uncordon("gpu-1")], ("g",)),
    ("a node is added", [AddNode(Node("new", {GPU: 8}))], ("g",)),
    ("the gang is switched off", [Activate("g", False), Uncordon("gpu-1")], ()),
    ("its queue is held", [Stop("q", StopPolicy.HOLD), Uncordon("gpu-1")], ()),
    ("its queue has too little quota", [SetQuota("q", GPU, nominal=7), Uncordon("gpu-1")], ()),
    (
        "somebody more important comes",
        [
            Uncordon("gpu-1"),
            Submit(Gang(name="vip", priority=9, pod_sets=(PodSet(count=1, requests={GPU: 8}),), queue="q")),
        ],
        ("vip",),
    ),
]


@pytest.mark.parametrize(
    ("name", "changes", "started"), PENDING_ON_ONE_NODE, ids=[row[0] for row in PENDING_ON_ONE_NODE]
)
def test_what_would_let_a_pending_gang_start(name, changes, started):
    world = cluster().nodes(2).pod("idle", "gpu-0", 1, owner="notebook").queue("q").gang("g", queue="q")
    Cordon("gpu-1").apply(world.snapshot, 0)
    before = world.snapshot.contents()
    assert world.what_if(*changes).started == started
    assert world.snapshot.contents() == before


def test_scaling_up_asks_for_more_pods_of_the_same_shape():
    world = cluster().node("n", 4).pod("web-0", "n", 2, owner="web")
    effect = world.what_if(Scale("web", 3))
    assert effect.placed_pods == {"web-1": "n"}
    assert effect.waiting_pods["web-2"].reason is Reason.INSUFFICIENT_CAPACITY


def test_a_node_that_vanishes_leaves_its_gang_short():
    world = cluster().nodes(2).queue("q").gang("g", pods=2, queue="q").running("g", "gpu-0", "gpu-1")
    effect = world.what_if(RemoveNode("gpu-1"))
    assert (effect.stopped, effect.still_pending["g"].wanted) == (("g",), 8)


def test_a_change_that_cannot_be_applied_is_an_error_and_leaves_nothing_behind():
    world = deadlock()
    before = world.snapshot.contents()
    with pytest.raises(Unknown, match="Node 'gpu-9'"):
        world.what_if(Requeue("b"), Cordon("gpu-9"))
    assert world.snapshot.contents() == before


def test_who_stands_in_the_way_is_named_stuck_gangs_first():
    world = deadlock().node("more", 16).gang("c", pods=2, queue="q").running("c", "more", "more")
    assert unblocked_by(world.snapshot, "a", 0) == ("b", "c")
    assert unblocked_by(world.snapshot, "c", 0) == ()


def test_a_gang_that_will_start_by_itself_has_nobody_in_its_way():
    world = deadlock().node("more", 8)
    assert unblocked_by(world.snapshot, "a", 0) == ()


def test_the_example_on_the_front_page_is_true():
    assert doctest.testmod(scheduler_core).attempted > 0
    assert doctest.testmod(scheduler_core).failed == 0
