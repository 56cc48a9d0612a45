"""How a snapshot stands, and how long who waits has to wait at most."""

import pytest
from schedule_language import GPU, cluster

from scheduler_core import Cordon, Remove, Requeue
from scheduler_core.standing import QueueStanding, standing
from scheduler_core.waits import waits_at_most


def stuck():
    """Of three whole nodes one is cordoned; a gang of two runs in part, another waits."""
    world = cluster().nodes(3).queue("q", 64).gang("part", pods=2, queue="q").gang("later", queue="q")
    world.running("part", "gpu-0").pod("web-0", "gpu-1", 2, owner="web")
    Cordon("gpu-2").apply(world.snapshot, 0)
    return world


def test_every_gpu_is_free_held_or_out_of_use():
    stand = standing(stuck().snapshot)
    assert (stand.free, stand.stuck, stand.unusable) == (6, 8, 8)
    assert (stand.running, stand.holding) == (frozenset(), {"part"})
    assert stand.queues == {"q": QueueStanding(pending=2, used=8, nominal=64)}
    assert stand.pods_by_owner == {"web": 1}


def test_an_effect_has_both_sides():
    effect = stuck().what_if(Remove(gang="part"))
    assert (effect.before.free, effect.after.free) == (6, 6)  # the other one starts in its place
    assert (effect.before.stuck, effect.after.stuck) == (8, 0)
    assert (effect.before.queues["q"].pending, effect.after.queues["q"].pending) == (2, 0)


def full():
    """Two nodes, a gang on each, and two that wait."""
    world = cluster().nodes(2).queue("q", 64).gang("a", queue="q").gang("b", queue="q")
    return world.running("a", "gpu-0").running("b", "gpu-1").gang("one", queue="q").gang("two", pods=2, queue="q")


@pytest.mark.parametrize(
    ("ends", "waits"),
    [
        ({}, {}),  # nobody knows
        ({"a": 600}, {"one": 500}),
        ({"a": 600, "b": 50}, {"one": 0}),  # overdue
        ({"a": 600, "b": 900, "one": 1000}, {"one": 500}),  # `one` does not run yet, so its end says nothing
        ({"gone": 600}, {}),
    ],
)
def test_who_waits_does_so_until_another_must_end(ends, waits):
    world = full()
    before = world.snapshot.contents()
    assert waits_at_most(world.snapshot, [], ["one", "two"], ends, 100) == waits
    assert world.snapshot.contents() == before


def test_a_wait_is_counted_after_the_change():
    world = full()
    assert waits_at_most(world.snapshot, [Requeue("b", 300)], ["b", "two"], {"a": 600}, 100) == {"b": 500}


def test_gpus_of_every_vendor_count():
    world = cluster().node("amd", resources={"amd.com/gpu": 4, GPU: 0}, gpus=0)
    assert standing(world.snapshot).free == 4
