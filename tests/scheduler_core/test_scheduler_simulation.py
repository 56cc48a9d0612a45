"""Days of a cluster in virtual time: what is counted, and that the ways of scheduling differ as they should."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from schedule_language import GPU

from scheduler_core import Duplicate, Gang, Invalid, Node, PodSet, Queue, Quota, Snapshot, Unknown
from scheduler_core.simulation import ORDERS, Arrival, Moment, Result, by_name, simulate
from scheduler_core.simulation.load import Life
from scheduler_core.simulation.result import jain, percentile
from tests.tried import tried

HOUR = 3600


def cluster(gpus=8, queues=()):
    return Snapshot(nodes=[Node("n", {GPU: gpus})], queues=queues)


def comes(name, gpus, at_s, runs_s, *, kind="all", queue=None, walltime_s=None, priority=0):
    pod_set = PodSet(count=1, requests={GPU: gpus})
    gang = Gang(name=name, pod_sets=(pod_set,), queue=queue, created_s=at_s, walltime_s=walltime_s, priority=priority)
    return Arrival(gang, at_s, runs_s, kind)


def starts(result):
    return {name: life.started_s for name, life in result.lives.items()}


def test_first_come_first_served_and_what_it_costs():
    load = [comes("a", 6, 0, 100), comes("b", 8, 10, 50, kind="large"), comes("c", 2, 20, 30)]
    result = simulate(cluster(), load, by_name("fifo"))
    assert starts(result) == {"a": 0, "b": 100, "c": 150}
    assert (result.makespan_s, result.preemptions, result.starved) == (180, 0, ())
    assert result.utilisation == (6 * 100 + 8 * 50 + 2 * 30) / (8 * 180)
    assert [result.waited_over(times) for times in (1, 2, 4, 5)] == [2, 1, 1, 0]
    told = result.by_class()
    assert (told["all"].wait_p50_s, told["all"].wait_p95_s, told["large"].wait_most_s) == (0, 130, 90)


def test_passing_over_who_does_not_fit_may_starve_it():
    load = [comes("a", 4, 0, 100), comes("big", 8, 1, 10)]
    load += [comes(f"s{index}", 4, 10 + 50 * index, 100) for index in range(20)]
    passed_over = simulate(cluster(), load, by_name("best-effort")).lives["big"]
    held = simulate(cluster(), [_with_walltime(each) for each in load], by_name("backfill")).lives["big"]
    assert (held.started_s, held.overtaken) == (100, 0)
    assert passed_over.started_s > 1000 and passed_over.overtaken == 20


def _with_walltime(each):
    return comes(each.gang.name, each.gang.pod_sets[0].requests[GPU], each.at_s, each.runs_s, walltime_s=each.runs_s)


def test_fair_sharing_lets_the_queue_go_first_that_uses_least_of_its_own():
    queues = [Queue(name=name, quotas=(Quota(resource=GPU, nominal=8),)) for name in "ab"]
    load = [comes(f"a{index}", 2, 0, 100, queue="a") for index in range(8)]
    load += [comes(f"b{index}", 2, 1, 100, queue="b") for index in range(4)]
    plain = simulate(cluster(8, queues), load, by_name("fifo"))
    fair = simulate(cluster(8, queues), load, by_name("fair"))
    assert [starts(plain)[f"b{index}"] for index in range(4)] == [200, 200, 200, 200]
    assert sorted(starts(fair)[f"b{index}"] for index in range(4)) == [100, 100, 200, 200]
    assert fair.fairness > plain.fairness


def test_who_runs_over_its_walltime_is_ended_then():
    result = simulate(cluster(), [comes("a", 8, 0, 100, walltime_s=60)], by_name("backfill"))
    assert result.lives["a"].ended_s == 60


def test_who_runs_over_and_is_not_ended_keeps_its_nodes_and_the_held_start_waits_for_it():
    over = Arrival(comes("over", 8, 0, 100, walltime_s=60).gang, 0, 100, runs_over=True)
    load = [over, comes("big", 8, 1, 10, walltime_s=10), comes("small", 1, 70, 5, walltime_s=5)]
    lives = simulate(cluster(), load, by_name("backfill")).lives
    assert (lives["over"].ended_s, lives["big"].promised_s, lives["big"].started_s) == (100, 60, 100)
    assert lives["small"].started_s == 110, "it comes after big's promised time, and big still comes first"


def test_what_never_fits_is_told():
    result = simulate(cluster(), [comes("a", 9, 0, 10), comes("b", 1, 0, 10)], by_name("backfill"))
    assert result.starved == ("a",)
    assert result.by_class()["all"].started == 1


def test_a_simulation_can_stop_at_a_time():
    result = simulate(cluster(), [comes("a", 8, 0, 100), comes("b", 8, 50, 100)], by_name("fifo"), until_s=60)
    assert result.starved == ("b",)


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        (lambda: simulate(cluster(), [comes("a", 1, 0, 1)] * 2, by_name("fifo")), Duplicate, "share a name"),
        (lambda: comes("a", 1, -1, 1), Invalid, "Arrival 'a': at_s"),
        (lambda: comes("a", 1, 0, -1), Invalid, "Arrival 'a': runs_s"),
        (lambda: by_name("lottery"), Unknown, "fifo, best-effort, fair, backfill"),
    ],
)
def test_wrong_loads_are_refused(wrong, error, told):
    with pytest.raises(error, match=told):
        wrong()


def test_numbers_over_values():
    assert [percentile([1, 2, 3, 4], percent) for percent in (50, 75, 95)] == [2, 3, 4]
    assert (percentile([], 50), jain([1, 1]), jain([1, 0]), jain([])) == (0, 1, 0.5, 1)
    moments = [Moment(0, 8, 0, 1.0, 1.0), Moment(10, 0, 0, 0.5, 0.0), Moment(30, 0, 0, 1.0, 0.0)]
    result = Result({"a": Life("all", 0, 8, 10, 0, 10)}, moments, gpus=8, preemptions=0, decisions=3)
    assert (result.utilisation, result.fairness) == (10 / 30, (10 + 0.5 * 20) / 30)


few_gangs = st.lists(
    st.tuples(st.integers(1, 8), st.integers(0, 20), st.integers(1, 30), st.integers(0, 2)), max_size=12
)


@tried(60)
@given(few_gangs, st.sampled_from(ORDERS))
def test_whatever_the_order_everything_that_fits_runs_once_and_nothing_is_over_full(load, named):
    """The same load twice gives the same lives, and the cluster is afterwards as it was."""
    arrivals = [
        comes(f"g{number:02}", gpus, at_s, runs_s, walltime_s=runs_s, priority=priority, queue="q")
        for number, (gpus, at_s, runs_s, priority) in enumerate(load)
    ]
    snapshot = cluster(8, [Queue(name="q", quotas=(Quota(resource=GPU, nominal=8),))])
    before = snapshot.contents()
    result = simulate(snapshot, arrivals, named[1]())
    assert snapshot.contents() == before
    assert result.starved == ()
    assert all(moment.gpus_used <= 8 for moment in result.moments)
    for each in arrivals:
        life = result.lives[each.gang.name]
        assert life.ended_s == life.started_s + each.runs_s and life.started_s >= each.at_s
    assert simulate(snapshot, arrivals, named[1]()).lives == result.lives


def test_where_usage_is_remembered_the_local_queue_goes_first_that_had_least_lately():
    """One queue for two teams: who had the whole cluster all day comes after who had nothing, though first in line."""
    queues = [Queue(name="q", quotas=(Quota(resource=GPU, nominal=8),))]

    def of(team, name, gpus, at_s, runs_s):
        arrival = comes(name, gpus, at_s, runs_s, queue="q")
        return replace(arrival, gang=replace(arrival.gang, local_queue=team))

    load = [of("greedy", "all-day", 8, 0, 24 * HOUR)]
    load += [of("greedy", f"more-{number}", 8, HOUR, HOUR) for number in range(3)]
    load += [of("modest", "once", 8, 2 * HOUR, HOUR)]
    by_time = starts(simulate(cluster(8, queues), load, by_name("queues")))
    remembering = starts(simulate(cluster(8, queues), load, by_name("queues-remembering")))
    assert by_time["once"] == 27 * HOUR
    assert remembering["once"] == 24 * HOUR
    assert sorted(remembering.values()) == sorted(by_time.values())
