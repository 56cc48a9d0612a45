"""Sent back to the queue: how long a gang waits, and when it has tried often enough."""

import pytest
from schedule_language import cluster

from scheduler_core import Backoff, Phase, Reason, Requeue, Settings


@pytest.mark.parametrize(("returns", "delay_s"), [(1, 60), (2, 120), (3, 240), (6, 1920), (7, 3600), (500, 3600)])
def test_the_wait_doubles_up_to_its_cap(returns, delay_s):
    assert Backoff(base_s=60, cap_s=3600).delay_s(returns) == delay_s


def running_gang(settings=None):
    world = cluster(settings).nodes(1).queue("q").gang("g", queue="q")
    world.run()
    return world


def test_a_requeued_gang_waits_and_then_starts_again():
    world = running_gang()
    Requeue("g").apply(world.snapshot, 100)
    assert world.snapshot.phase("g") is Phase.PENDING
    assert world.why("g", 159).until_s == 160
    assert not world.run(159).changed
    assert [each.gang for each in world.run(160).admitted] == ["g"]


def test_each_return_waits_longer_until_the_limit_deactivates():
    world = running_gang(Settings(backoff=Backoff(base_s=10, limit=2)))
    waits = []
    for _ in range(2):
        Requeue("g").apply(world.snapshot, 0, world.settings)
        waits.append(world.snapshot.state_of("g").requeue_at_s)
        world.run(10_000)
    assert waits == [10, 20]
    Requeue("g").apply(world.snapshot, 0, world.settings)
    world.run(10_000)
    explanation = world.why("g", 10_000)
    assert (explanation.reason, explanation.message) == (
        Reason.SUSPENDED,
        "it is not active after 3 returns to the queue",
    )


def test_who_was_sent_back_stands_behind_those_who_waited():
    world = running_gang().gang("other", queue="q", created_s=50)
    Requeue("g", delay_s=0).apply(world.snapshot, 100)
    assert [each.gang for each in world.run(100).admitted] == ["other"]


def test_a_requeued_gang_keeps_off_the_nodes_it_was_told_to():
    world = cluster().nodes(2).queue("q").gang("g", queue="q")
    world.run()
    Requeue("g", delay_s=0, exclude_nodes=("gpu-0",)).apply(world.snapshot, 0)
    world.run()
    assert world.nodes_of("g") == ["gpu-1"]
