"""Small random days, watched at every event: nothing over-full or over quota, gangs whole, nobody lost, undo exact."""

import pytest
from hypothesis import given, strategies as st
from schedule_language import GPU

from scheduler_core import Cohort, Gang, Invalid, Node, PodSet, Queue, Quota, Settings, Snapshot
from scheduler_core.backfill_rules import Rules
from scheduler_core.quota import Policy, PreemptionRules, Strategy
from scheduler_core.simulation import Arrival, by_name, simulate, watch
from scheduler_core.simulation.step import Step
from scheduler_core.topologies import HOSTNAME
from tests.tried import tried

WALLTIMES = {
    "exact": lambda runs_s: runs_s,
    "longer": lambda runs_s: 2 * runs_s,
    "shorter": lambda runs_s: max(1, runs_s // 2),  # and ended then
    "over": lambda runs_s: max(1, runs_s // 2),  # and nobody ends it
    "unknown": lambda runs_s: None,
}
PLAIN = ("fifo", "best-effort", "fair", "backfill", "conservative", "cycle")
AT_DESK = ("queues", "queues-fair")

days = st.lists(
    st.tuples(
        st.integers(1, 4),  # pods
        st.sampled_from([1, 2, 3]),  # GPUs of each
        st.integers(0, 25),  # comes
        st.integers(1, 20),  # runs
        st.sampled_from(sorted(WALLTIMES)),  # what its walltime is of that
        st.integers(0, 2),  # priority
        st.booleans(),  # may start smaller
    ),
    min_size=1,
    max_size=12,
)
fleets = st.lists(st.integers(1, 6), min_size=1, max_size=3)
rules = st.sampled_from(
    [
        PreemptionRules(),
        PreemptionRules(within_queue=Policy.LOWER_PRIORITY),
        PreemptionRules(reclaim=Policy.ANY),
        PreemptionRules(within_queue=Policy.LOWER_PRIORITY, reclaim=Policy.LOWER_PRIORITY),
    ]
)


def arrivals(day):
    for number, (pods, gpus, at_s, runs_s, walltime, priority, smaller) in enumerate(day):
        pod_set = PodSet(count=pods, min_count=1 if smaller else None, requests={GPU: gpus})
        gang = Gang(
            name=f"g{number:02}",
            pod_sets=(pod_set,),
            queue=f"q{number % 2}",
            priority=priority,
            created_s=at_s,
            walltime_s=WALLTIMES[walltime](runs_s),
        )
        yield Arrival(gang, at_s, runs_s, runs_over=walltime == "over")


def cluster(fleet, preemption, strict=False):
    half = max(1, sum(fleet) // 2)
    strategy = Strategy.STRICT_FIFO if strict else Strategy.BEST_EFFORT_FIFO
    more = {"cohort": "all", "preemption": preemption, "strategy": strategy}
    queues = [Queue(name=name, quotas=(Quota(resource=GPU, nominal=half),), **more) for name in ("q0", "q1")]
    nodes = [Node(f"n{index}", {GPU: gpus}, {HOSTNAME: f"n{index}"}) for index, gpus in enumerate(fleet)]
    return Snapshot(nodes=nodes, cohorts=[Cohort(name="all")], queues=queues)


def undone_first(order):
    """Every look is first taken in a fork and undone: the same state again, and then the same look."""

    def look(snapshot, now_s, how):
        before = snapshot.contents()
        with snapshot.fork():
            first = order(snapshot, now_s, how)
        assert snapshot.contents() == before
        second = order(snapshot, now_s, how)
        assert first == second
        return second

    return look


@tried(120)
@given(days, fleets, rules, st.sampled_from(PLAIN), st.booleans(), st.booleans())
def test_whatever_comes_every_event_leaves_a_state_that_is_right(day, fleet, preemption, name, reserves, strict):
    how = Settings(backfill=Rules(aging_s=10, patience_s=5) if reserves else None)
    snapshot = cluster(fleet, preemption, strict)
    before = snapshot.contents()
    result = simulate(snapshot, list(arrivals(day)), undone_first(by_name(name)), settings=how, watch=watch)
    assert snapshot.contents() == before
    again = simulate(snapshot, list(arrivals(day)), by_name(name), settings=how)
    assert again.lives == result.lives and again.moments == result.moments


@tried(80)
@given(days, fleets, rules, st.sampled_from(AT_DESK))
def test_so_do_kueue_s_cycles(day, fleet, preemption, name):
    snapshot = cluster(fleet, preemption)
    before = snapshot.contents()
    first = simulate(snapshot, list(arrivals(day)), by_name(name), watch=watch)
    assert snapshot.contents() == before
    assert simulate(snapshot, list(arrivals(day)), by_name(name)).lives == first.lives


def _breaks(snapshot, now_s, how, *, what):
    """A scheduler that does what it may not."""
    gang = snapshot.gangs["g00"]
    pods = {"over-full": 4, "partial": 1}.get(what, 0)
    for index in range(pods):
        snapshot.occupy("n0", gang.pod_sets[0].requests, f"g00-main-{index}", "g00")
    if what == "lost":
        snapshot.remove_gang("g00")
    return Step(())


@pytest.mark.parametrize(
    ("what", "fleet", "told"),
    [
        ("over-full", [3], "node n0 has 1 nvidia.com/gpu too few"),
        ("over-full", [6, 1], "gang g00 runs"),
        ("partial", [8], "gang g00 runs 1 pods of main, of 2 to 2"),
        ("lost", [8], "gang g00 is lost"),
    ],
)
def test_a_scheduler_that_breaks_a_rule_is_stopped_there(what, fleet, told):
    day = [(2, 1, 3, 5, "exact", 0, False)]
    with pytest.raises(Invalid, match=f"'at 3 s'.*{told}"):
        simulate(
            cluster(fleet, PreemptionRules()),
            list(arrivals(day)),
            lambda *asked: _breaks(*asked, what=what),
            watch=watch,
        )


def test_quota_that_is_over_used_is_told():
    def takes_all(snapshot, now_s, how):
        for index in range(2):
            snapshot.occupy("n0", {GPU: 3}, f"g00-main-{index}", "g00")
        return Step(())

    day = [(2, 3, 0, 5, "exact", 0, False)]
    alone = Snapshot(nodes=[Node("n0", {GPU: 8})], queues=[Queue(name="q0", quotas=(Quota(resource=GPU, nominal=4),))])
    with pytest.raises(Invalid, match=r"queue q0 has used 2 default/nvidia.com/gpu too many"):
        simulate(alone, list(arrivals(day)), takes_all, watch=watch)
