"""What was used is forgotten by halves, and who used much lately comes after who used little."""

import pytest

from scheduler_core import Gang, Invalid, PodSet, Queue, Quota, Settings, Snapshot
from scheduler_core.consumed import Consumed, Decay
from scheduler_core.desk import Desk
from scheduler_core.kueue_cycle import cycle

HOUR = 3600


def test_after_a_half_life_without_use_half_is_left() -> None:
    consumed = Consumed(Decay(half_life_s=HOUR), {})
    consumed.sample(HOUR, {"a": {"cpu": 8}})
    assert consumed.of("a") == pytest.approx(4)  # it had nothing before
    consumed.sample(2 * HOUR, {})
    assert consumed.of("a") == pytest.approx(2)


def test_steady_use_is_told_as_it_is_in_the_end_and_samples_may_be_as_frequent_as_they_like() -> None:
    often, seldom = Consumed(Decay(half_life_s=HOUR), {}), Consumed(Decay(half_life_s=HOUR), {})
    for minute in range(1, 601):
        often.sample(60 * minute, {"a": {"cpu": 8}})
    seldom.sample(600 * 60, {"a": {"cpu": 8}})
    assert often.of("a") == pytest.approx(seldom.of("a")) == pytest.approx(8, rel=0.01)


def test_who_is_let_in_pays_for_the_time_until_the_next_sample() -> None:
    consumed = Consumed(
        Decay(half_life_s=HOUR, sampling_s=HOUR, resource_weights={"memory": 0.0}), {"b": 2.0, "c": 0.0}
    )
    for name in "abc":
        consumed.let_in(name, {"cpu": 8, "memory": 1_000})
    assert [consumed.of(name) for name in "abcd"] == [4, 2, float("inf"), 0]


def test_bad_times_are_named() -> None:
    with pytest.raises(Invalid, match="half_life_s"):
        Decay(half_life_s=0)
    with pytest.raises(Invalid, match="before the last one"):
        Consumed(Decay(), {}, now_s=9).sample(8, {})


def test_in_one_queue_the_local_queue_that_used_least_is_served_first_whatever_the_priority() -> None:
    consumed = Consumed(Decay(half_life_s=HOUR, sampling_s=60), {})
    queue = Queue(name="q", quotas=(Quota(resource="cpu", nominal=9),))
    desk = Desk(Snapshot(queues=[queue]), 0, Settings(place=False), usage_of=consumed)
    for number, door in enumerate("aab"):
        pods = (PodSet(count=1, requests={"cpu": 1}),)
        desk.arrive(Gang(name=f"{door}{number}", pod_sets=pods, queue="q", local_queue=door, priority=9 - number), 0)
    served = []
    for _ in range(3):
        (assignment,) = cycle(desk, 0).admitted
        served.append(assignment.gang)
        consumed.let_in(str(desk.snapshot.gang(assignment.gang).local_queue), {"cpu": 1})
    assert served == ["a0", "b2", "a1"]
