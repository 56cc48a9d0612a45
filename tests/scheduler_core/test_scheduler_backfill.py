"""Small work goes ahead of large work, and never at its cost."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from schedule_language import GPU

from scheduler_core import Gang, Invalid, Node, PodSet, Queue, Quota, Settings, Snapshot
from scheduler_core.aging import line
from scheduler_core.backfill import backfill
from scheduler_core.backfill_rules import Rules
from scheduler_core.reservation import Promise, keeps, reserve
from scheduler_core.simulation import Arrival, by_name, simulate
from scheduler_core.simulation.orders import Reserving
from tests.tried import tried

BEST = Settings()


def work(name, pods, walltime_s=None, *, gpus=1, queue=None, priority=0, at_s=0):
    pod_set = PodSet(count=pods, requests={GPU: gpus})
    return Gang(name=name, pod_sets=(pod_set,), queue=queue, priority=priority, created_s=at_s, walltime_s=walltime_s)


def cluster(*gpus, gangs=(), queues=()):
    return Snapshot(nodes=[Node(f"n{i}", {GPU: each}) for i, each in enumerate(gpus)], queues=queues, gangs=gangs)


def started(snapshot, now_s=0, rules=None):
    return [each.gang for each in backfill(snapshot, now_s, BEST, rules or Rules()).started]


def blocked(*others, gpus=(8,)):
    """Half of the cluster is busy until 100; `big` wants all of it."""
    snapshot = cluster(*gpus, gangs=[work("busy", sum(gpus) // 2, 100, at_s=-2)])
    assert started(snapshot) == ["busy"]
    for gang in (work("big", sum(gpus), 50, at_s=-1), *others):
        snapshot.add_gang(gang)
    return snapshot


def test_the_blocked_gang_holds_the_time_at_which_enough_has_ended():
    found = backfill(blocked(), 0)
    assert [(each.gang, each.start_s, each.waits_for, each.nodes) for each in found.reservations] == [
        ("big", 100, ("busy",), ("n0",))
    ]


@pytest.mark.parametrize(
    ("walltime_s", "may"), [(100, True), (101, False), (None, False)], ids=["ends in time", "ends late", "endless"]
)
def test_who_ends_before_goes_ahead(walltime_s, may):
    snapshot = blocked(work("small", 4, walltime_s))
    found = backfill(snapshot, 0)
    assert [each.gang for each in found.started] == (["small"] if may else [])
    assert found.held_back == ({} if may else {"small": "big"})


def test_who_uses_what_the_reservation_leaves_goes_ahead_however_long_it_runs():
    snapshot = cluster(8, 4, gangs=[work("busy", 8, 100, at_s=-2)])
    started(snapshot)
    snapshot.add_gang(work("big", 10, 50, at_s=-1))
    snapshot.add_gang(work("three", 3))
    snapshot.add_gang(work("two", 2))
    assert started(snapshot) == ["two"], "10 of 12 are spoken for"


def test_a_gang_that_no_known_end_lets_in_holds_up_nobody():
    snapshot = cluster(8, gangs=[work("endless", 4, at_s=-2)])
    started(snapshot)
    snapshot.add_gang(work("big", 8, 50, at_s=-1))
    snapshot.add_gang(work("small", 4))
    found = backfill(snapshot, 0)
    assert (found.reservations, [each.gang for each in found.started]) == ((), ["small"])


def test_quota_is_reserved_like_nodes():
    queues = [
        Queue(name="q", quotas=(Quota(resource=GPU, nominal=4),)),
        Queue(name="r", quotas=(Quota(resource=GPU, nominal=8),)),
    ]
    snapshot = cluster(16, queues=queues, gangs=[work("busy", 3, 100, queue="q", at_s=-2)])
    started(snapshot)
    for gang in (work("big", 4, 9, queue="q", at_s=-1), work("small", 1, queue="q"), work("other", 8, queue="r")):
        snapshot.add_gang(gang)
    assert started(snapshot) == ["other"], "the other queue's quota is nothing to big"


def test_with_more_depth_the_next_in_line_hold_a_time_too():
    """`mid` starts after `big`; `long` would fit beside big, and is in mid's way."""
    gangs = (work("mid", 8, 50), work("long", 4, 100))
    assert [(each.gang, each.start_s) for each in backfill(blocked(*gangs), 0, BEST, Rules(depth=2)).reservations] == [
        ("big", 100),
        ("mid", 150),
    ]
    snapshot = cluster(8, gangs=[work("busy", 4, 100, at_s=-3)])
    started(snapshot)
    for gang in (work("big", 6, 50, at_s=-2), work("mid", 8, 50, at_s=-1), work("long", 2, 400)):
        snapshot.add_gang(gang)
    with snapshot.fork():
        assert started(snapshot) == ["long"]
    assert started(snapshot, rules=Rules(depth=2)) == []


def test_age_comes_first_in_the_end():
    old, young = work("old", 1, at_s=0), work("young", 1, priority=2, at_s=100)
    snapshot = cluster(1, gangs=[old, young])
    assert [gang.name for gang in line(snapshot, 100)] == ["young", "old"]
    assert [gang.name for gang in line(snapshot, 100, aging_s=101)] == ["young", "old"]
    assert [gang.name for gang in line(snapshot, 101, aging_s=101)] == ["old", "young"], "a class up, and it came first"


def test_a_class_is_a_priority_that_somebody_has_however_far_apart_they_are():
    far = cluster(1, gangs=[work("old", 1), work("mid", 1, priority=9, at_s=5), work("top", 1, priority=2_000_000_000)])
    assert [gang.name for gang in line(far, 10, aging_s=10)] == ["top", "old", "mid"]
    assert [gang.name for gang in line(far, 20, aging_s=10)] == ["old", "top", "mid"]


def test_the_rules_are_checked():
    for wrong in ({"depth": -1}, {"depth": 65}, {"aging_s": 0}):
        with pytest.raises(Invalid, match=f"Rules 'backfill': {next(iter(wrong))}"):
            Rules(**wrong)
    with pytest.raises(Invalid, match="Gang 'g': walltime_s"):
        work("g", 1, 0)


def test_asking_leaves_no_trace():
    snapshot = blocked(work("small", 4, 200))
    before = snapshot.contents()
    assert reserve(snapshot, "big", 0, BEST) is not None
    assert keeps(snapshot, [Promise("big", 100)], 0, BEST)
    assert not keeps(snapshot, [Promise("big", 99)], 0, BEST)
    assert started(snapshot) == []
    assert snapshot.contents() == before


# -- whatever comes ----------------------------------------------------------------------------------------------------

loads = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from([1, 2, 4]), st.integers(1, 40), st.integers(0, 30), st.booleans()),
    min_size=1,
    max_size=14,
)
sizes = st.lists(st.integers(1, 8), min_size=1, max_size=4)


def arrivals(load, exact=True):
    """Walltimes are exact; or some gangs have none, and are taken for endless."""
    for number, (pods, gpus, runs_s, at_s, known) in enumerate(sorted(load, key=lambda each: each[3])):
        gang = work(
            f"g{number:02}", pods, runs_s if known or exact else None, gpus=gpus, queue=f"q{number % 2}", at_s=at_s
        )
        yield Arrival(gang, at_s, runs_s)


def queues_for(gpus, quota):
    half = max(1, sum(gpus) * quota // 4)
    return [Queue(name=f"q{index}", quotas=(Quota(resource=GPU, nominal=half),)) for index in range(2)]


@tried(150)
@given(sizes, loads, st.integers(1, 4), st.sampled_from([1, 3]))
def test_no_gang_that_goes_ahead_ever_delays_a_promised_start(gpus, load, quota, depth):
    """All of one priority, so that nothing comes before a gang by right; ends are as they were told."""
    snapshot = cluster(*gpus, queues=queues_for(gpus, quota))
    before = snapshot.contents()
    result = simulate(snapshot, list(arrivals(load)), Reserving(Rules(depth=depth)))
    assert snapshot.contents() == before
    for name, life in result.lives.items():
        if life.promised_s is not None:
            assert life.started_s is not None and life.started_s <= life.promised_s, name


@tried(100)
@given(sizes, loads, st.integers(1, 4), st.sampled_from([1, 3]))
def test_whatever_is_known_of_walltimes_each_look_keeps_what_it_promises(gpus, load, quota, depth):
    def look(snapshot, now_s, how):
        step = Reserving(Rules(depth=depth))(snapshot, now_s, how)
        assert keeps(snapshot, step.promises, now_s, how)
        return step

    simulate(cluster(*gpus, queues=queues_for(gpus, quota)), list(arrivals(load, exact=False)), look)


@tried(60)
@given(sizes, loads)
def test_the_first_that_waits_starts_no_later_than_without_anybody_behind_it(gpus, load):
    """The promise to the very first blocked gang is what FIFO would have given it."""
    known = [replace(each, gang=replace(each.gang, queue=None, walltime_s=each.runs_s)) for each in arrivals(load)]
    eased = simulate(cluster(*gpus), known, by_name("backfill"))
    plain = simulate(cluster(*gpus), known, by_name("fifo"))
    overtaken = [name for name, life in eased.lives.items() if life.promised_s is not None]
    if overtaken:
        first = min(overtaken, key=lambda name: (eased.lives[name].came_s, name))
        if plain.lives[first].started_s is not None:
            assert eased.lives[first].started_s <= plain.lives[first].started_s


@tried(150)
@given(sizes, loads, st.integers(1, 6), st.integers(1, 3), st.integers(1, 30))
def test_a_start_is_the_earliest_by_exhaustive_search(gpus, load, pods, each, quota):
    """Every moment from now to the last end is tried, with everything gone by then taken off by hand."""
    snapshot = cluster(*gpus, queues=[Queue(name="q", quotas=(Quota(resource=GPU, nominal=quota),))])
    for number, (count, size, walltime_s, _, known) in enumerate(load):
        snapshot.add_gang(work(f"g{number:02}", count, walltime_s if known else None, gpus=size, queue="q"))
    started(snapshot)
    snapshot.add_gang(work("asked", pods, gpus=each, queue="q", at_s=1))
    found = reserve(snapshot, "asked", 0, BEST)
    held = [(name, snapshot.gangs[name].walltime_s) for name in snapshot.gangs if snapshot.pods_of(name)]

    def fits_at(at_s):
        left, used = list(gpus), 0
        for name, end_s in held:
            for pod in snapshot.pods_of(name) if end_s is None or end_s > at_s else ():
                took = snapshot.pods[pod].pod.requests[GPU]
                left[int(snapshot.pods[pod].node[1:])] -= took
                used += took
        return sum(free // each for free in left) >= pods and quota - used >= pods * each

    earliest = next((at_s for at_s in range(42) if fits_at(at_s)), None)
    assert (None if found is None else found.start_s) == earliest
