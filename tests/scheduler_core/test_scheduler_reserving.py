"""Reservations in the core's own cycle: beside preemption, stop policies, topology, lent quota and elastic gangs."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from schedule_language import GPU

from scheduler_core import (
    Cohort,
    Flavor,
    Gang,
    Invalid,
    Node,
    PodSet,
    Queue,
    Quota,
    Reason,
    Settings,
    Snapshot,
    Stop,
    StopPolicy,
)
from scheduler_core.aging import classes_of, lifted
from scheduler_core.backfill_rules import AGING_S, PATIENCE_S, Rules
from scheduler_core.explain import explain, explain_all
from scheduler_core.model import Pod
from scheduler_core.quota import Policy, PreemptionRules, Strategy
from scheduler_core.reservation import NEVER
from scheduler_core.scheduler import cycle, run
from scheduler_core.settling import settle
from scheduler_core.state import Admission
from scheduler_core.topologies import HOSTNAME, Mode, Topology, TopologyRequest
from scheduler_core.whatif import what_if
from tests.tried import tried

RESERVING = Settings(backfill=Rules())
PLAIN = Settings()
LOWER = PreemptionRules(within_queue=Policy.LOWER_PRIORITY)


def work(name, pods, walltime_s=None, *, gpus=1, queue="q", at_s=0, **more):
    pod_set = PodSet(
        count=pods, requests={GPU: gpus}, topology=more.pop("topology", None), min_count=more.pop("least", None)
    )
    return Gang(name=name, pod_sets=(pod_set,), queue=queue, created_s=at_s, walltime_s=walltime_s, **more)


def queue(name="q", nominal=64, **more):
    return Queue(name=name, quotas=(Quota(resource=GPU, nominal=nominal),), **more)


def cluster(*gpus, queues=(), cohorts=()):
    nodes = [Node(f"n{index}", {GPU: each}) for index, each in enumerate(gpus)]
    return Snapshot(nodes=nodes, cohorts=cohorts, queues=queues or [queue()])


def comes(snapshot, *gangs, now_s=0, how=RESERVING):
    for gang in gangs:
        snapshot.add_gang(gang)
    return settle(snapshot, now_s, how)


def runs(snapshot):
    return sorted(name for name in snapshot.gangs if snapshot.pods_of(name))


def busy_until_100(*gpus, queues=(), cohorts=()):
    """Half of the cluster is taken until 100."""
    snapshot = cluster(*gpus, queues=queues, cohorts=cohorts)
    comes(snapshot, work("busy", sum(gpus) // 2, 100, at_s=-9))
    return snapshot


# -- the rule itself ---------------------------------------------------------------------------------------------------


def test_without_reservations_a_large_gang_is_passed_over_and_with_them_it_is_not():
    for how, waits in ((PLAIN, []), (RESERVING, ["endless", "late"])):
        snapshot = busy_until_100(8)
        comes(snapshot, work("big", 8, 50, at_s=-5), work("late", 2, 101), work("endless", 1), how=how)
        assert [name for name in ("endless", "late") if name not in runs(snapshot)] == waits
        comes(snapshot, work("in-time", 1, 100), how=how)
        assert "in-time" in runs(snapshot)


def test_the_cycle_tells_what_is_held():
    snapshot = busy_until_100(8)
    snapshot.add_gang(work("big", 8, 50))
    held = run(snapshot, 10, RESERVING).reservations
    assert [(each.gang, each.start_s, each.waits_for) for each in held] == [("big", 100, ("busy",))]
    assert not cycle(snapshot, 10, RESERVING).changed


def test_who_is_told_to_wait_learns_for_whom_and_for_how_long():
    snapshot = busy_until_100(8)
    comes(snapshot, work("big", 8, 50, at_s=-5), work("late", 2, 101))
    told = explain_all(snapshot, 10, RESERVING)
    assert (told["late"].reason, told["late"].holders, told["late"].until_s) == (
        Reason.BEHIND_RESERVATION, ("big",), 100,
    )  # fmt: skip
    assert "starts in 90 s at the latest, when busy must have ended" in told["big"].message
    assert explain(snapshot, "late", 10, PLAIN).reason is Reason.FITS


def test_a_what_if_starts_whom_the_cycle_starts():
    snapshot = busy_until_100(8)
    snapshot.add_gang(work("big", 8, 50, at_s=-5))
    snapshot.add_gang(work("late", 2, 101))
    snapshot.add_gang(work("short", 2, 50))
    effect = what_if(snapshot, [], 0, settings=RESERVING)
    assert effect.started == ("short",)
    assert effect.still_pending["late"].reason is Reason.BEHIND_RESERVATION
    settle(snapshot, 0, RESERVING)
    assert runs(snapshot) == ["busy", "short"]


def test_rules_may_be_for_some_queues_alone():
    """Whoever schedules the others knows nothing of our reservations: theirs are neither held nor held back."""
    ours = Settings(backfill=Rules(queues=frozenset({"q"})))
    snapshot = busy_until_100(8, queues=[queue(), queue("theirs")])
    comes(snapshot, work("big", 8, 50, at_s=-5), work("late", 1), work("their-late", 1, 500, queue="theirs"), how=ours)
    assert runs(snapshot) == ["busy", "their-late"]


# -- nobody knows when ------------------------------------------------------------------------------------------------


def test_in_patience_a_place_is_held_though_nobody_knows_the_time():
    snapshot = cluster(4, 4)
    comes(snapshot, work("endless", 4, at_s=-9))
    big = work("big", 8, 50, at_s=0)
    assert comes(snapshot, big, work("one", 1), now_s=PATIENCE_S - 1) and "one" in runs(snapshot)
    comes(snapshot, work("two", 1), work("short", 1, 10**6), now_s=PATIENCE_S)
    assert "two" not in runs(snapshot), "endless, and in big's way once the others have ended"
    assert "short" in runs(snapshot), "it will have ended by whenever that is"
    held = run(snapshot, PATIENCE_S, RESERVING).reservations
    assert [(each.gang, each.start_s, each.promise.after) for each in held] == [("big", NEVER, ("endless", "one"))]
    assert "walltime" in explain(snapshot, "two", PATIENCE_S, RESERVING).remedy


def test_endless_work_that_leaves_the_held_place_alone_goes_ahead_but_no_two_of_it_take_it_together():
    snapshot = cluster(4, 4, 4)
    comes(snapshot, *(work(f"e{index}", 4, at_s=index - 9) for index in range(3)))
    comes(snapshot, work("big", 6, 50))
    snapshot.remove_gang("e2")
    comes(snapshot, work("x", 2), work("y", 2), now_s=PATIENCE_S)
    comes(snapshot, work("z", 1), now_s=PATIENCE_S + 1)
    assert runs(snapshot) == ["e0", "e1", "x"], "with one more the two that are left would not hold six"
    snapshot.remove_gang("e1")
    settle(snapshot, PATIENCE_S + 2, RESERVING)
    assert "big" in runs(snapshot)


def test_who_could_never_fit_holds_nothing():
    snapshot = busy_until_100(8)
    comes(snapshot, work("huge", 9, 50, at_s=-5), work("late", 2, 101), now_s=2 * PATIENCE_S)
    assert "late" in runs(snapshot)


def test_who_runs_over_its_walltime_may_end_any_moment_and_its_place_stays_held():
    snapshot = busy_until_100(8)
    comes(snapshot, work("big", 8, 50, at_s=-5))
    for now_s in (100, 5_000):
        comes(snapshot, work(f"late-{now_s}", 1, 1), now_s=now_s)
        assert runs(snapshot) == ["busy"]
        assert run(snapshot, now_s, RESERVING).reservations[0].start_s == now_s
    snapshot.remove_gang("busy")
    settle(snapshot, 5_001, RESERVING)
    assert runs(snapshot) == ["big"]


# -- age -------------------------------------------------------------------------------------------------------------


def test_age_lifts_a_class_at_a_time_and_not_above_the_highest():
    classes = [-5, 0, 1_000_000_000]
    assert [lifted(-5, waited_s, classes, 60) for waited_s in (59, 60, 120, 6000)] == [-5, 0, 10**9, 10**9]
    assert lifted(-5, 6000, classes, None) == -5


def test_a_stream_of_higher_priority_does_not_starve_a_gang_for_ever():
    """Each second one of a higher priority comes that runs two; the old gang starts once its age is one class."""
    snapshot = cluster(2)
    snapshot.add_gang(work("old", 2, 5))
    ends = {}
    for now_s in range(AGING_S - 20, AGING_S + 20):
        for name in [name for name, end_s in ends.items() if end_s == now_s]:
            snapshot.remove_gang(name)
        comes(snapshot, work(f"high-{now_s}", 1, 2, priority=7, at_s=now_s), now_s=now_s)
        ends[f"high-{now_s}"] = now_s + 2
        if "old" in runs(snapshot):
            break
    assert AGING_S <= now_s <= AGING_S + 3


def test_who_has_waited_its_way_up_is_not_sent_back_for_the_priority_it_had_reached():
    for waited_s, sent_back in ((AGING_S - 1, ["old"]), (AGING_S, [])):
        snapshot = cluster(8, queues=[queue(nominal=8, preemption=LOWER)])
        comes(snapshot, work("other", 1, at_s=0, priority=5), work("old", 7), now_s=waited_s)
        settled = comes(snapshot, work("high", 7, priority=5, at_s=waited_s), now_s=waited_s)
        assert [victim.gang for each in settled.preemptions for victim in each.victims] == sent_back


def test_what_is_borrowed_goes_back_to_its_owner_however_old_the_borrower():
    reclaims = PreemptionRules(reclaim=Policy.ANY)
    queues = [queue("owner", 8, cohort="all", preemption=reclaims), queue("q", 0, cohort="all")]
    snapshot = cluster(8, queues=queues, cohorts=[Cohort(name="all")])
    comes(snapshot, work("old", 8), now_s=9 * AGING_S)
    settled = comes(snapshot, work("mine", 8, queue="owner", priority=1, at_s=9 * AGING_S), now_s=9 * AGING_S)
    assert [victim.gang for each in settled.preemptions for victim in each.victims] == ["old"]


# -- beside everything else -------------------------------------------------------------------------------------------


def test_a_preemption_that_would_delay_a_held_start_is_taken_back():
    """`late` could send `low` back and take its place; `big` comes before it and would start later for that."""
    snapshot = cluster(8, queues=[queue(nominal=8, preemption=LOWER)])
    comes(snapshot, work("low", 4, 100, priority=-1), work("busy", 4, 100, priority=9))
    comes(snapshot, work("big", 8, 50, at_s=1, priority=5), now_s=1)
    settled = comes(snapshot, work("late", 4, 500, at_s=2, priority=0), now_s=2)
    assert (settled.preemptions, runs(snapshot)) == ([], ["busy", "low"])
    assert [victim.gang for each in comes(snapshot, work("now", 4, 90, at_s=3, priority=0), now_s=3).preemptions
            for victim in each.victims] == ["low"], "it ends before big's start"  # fmt: skip


def test_a_stopped_queue_holds_nothing_and_starts_nothing():
    snapshot = busy_until_100(8, queues=[queue(), queue("r")])
    comes(snapshot, work("big", 8, 50, at_s=-5))
    Stop("q", StopPolicy.HOLD).apply(snapshot, 1)
    comes(snapshot, work("late", 2, 500, queue="r"), work("mine", 1, 1), now_s=1)
    assert runs(snapshot) == ["busy", "late"]


def test_in_a_queue_of_strict_order_nobody_goes_ahead_and_its_head_holds_its_start_against_other_queues():
    queues = [queue(), queue("strict", strategy=Strategy.STRICT_FIFO)]
    snapshot = busy_until_100(8, queues=queues)
    comes(snapshot, work("big", 8, 50, queue="strict", at_s=-5), work("short", 1, 5, queue="strict"), work("late", 1))
    assert runs(snapshot) == ["busy"]


def test_a_start_on_lent_quota_is_not_held_against_the_owner():
    queues = [queue("q", 0, cohort="all"), queue("owner", 8, cohort="all")]
    snapshot = cluster(8, queues=queues, cohorts=[Cohort(name="all")])
    comes(snapshot, work("busy", 4, 100, queue="owner"), work("big", 8, 50, at_s=1))
    comes(snapshot, work("borrows", 1, at_s=2), work("owns", 1, 500, queue="owner", at_s=3), now_s=3)
    assert runs(snapshot) == ["busy", "owns"]


def test_a_start_is_held_where_the_topology_lets_it_be():
    """Two racks of two nodes. `big` wants all of one rack: `a` is free at 100, of `b` half is taken for ever."""
    one_rack = TopologyRequest(mode=Mode.REQUIRED, level="rack")
    nodes = [
        Node(f"{rack}{index}", {GPU: 4}, {"rack": rack, HOSTNAME: f"{rack}{index}"}) for rack in "ab" for index in "12"
    ]
    snapshot = Snapshot(
        nodes=nodes,
        topologies=[Topology("dc", ("rack", HOSTNAME))],
        flavors=[Flavor("default", topology="dc")],
        queues=[queue()],
    )
    for node, name, walltime_s in (("a1", "ends", 100), ("b1", "stays", None)):
        snapshot.add_gang(work(name, 1, walltime_s, gpus=4))
        snapshot.put_pod(Pod(name=f"{name}-0", gang=name, requests={GPU: 4}), node)
        run_state(snapshot, name)
    comes(snapshot, work("big", 2, 50, gpus=4, topology=one_rack, at_s=1), now_s=1)
    held = run(snapshot, 1, RESERVING).reservations
    assert [(each.start_s, each.nodes) for each in held] == [(100, ("a1", "a2"))]
    comes(snapshot, work("one", 1, 500, gpus=4, at_s=2), work("two", 1, 500, gpus=4, at_s=3), now_s=3)
    assert {snapshot.pods[pod].node for name in ("one", "two") for pod in snapshot.pods_of(name)} == {"b2"}
    assert len(runs(snapshot)) == 3, "there is room for two, and the second would stand in the rack that is held"
    snapshot.remove_gang("ends")
    settle(snapshot, 100, RESERVING)
    assert {snapshot.pods[pod].node for pod in snapshot.pods_of("big")} == {"a1", "a2"}


def run_state(snapshot, name):
    admission = Admission(0, {"main": 1}, {"main": {GPU: "default"}})
    snapshot.restore(name, replace(snapshot.state_of(name), admission=admission))


def test_elastic_gangs_do_not_grow_into_what_is_held():
    snapshot = busy_until_100(8)
    comes(snapshot, work("elastic", 4, least=2, elastic=True, at_s=-8), work("big", 8, 50, at_s=-5), how=PLAIN)
    assert len(snapshot.pods_of("elastic")) == 4
    again = busy_until_100(8)
    comes(again, work("big", 6, 50, at_s=-5), work("elastic", 4, least=1, elastic=True, at_s=-4))
    assert len(again.pods_of("elastic")) <= 2, "six of eight are spoken for at 100"


# -- whatever comes ----------------------------------------------------------------------------------------------------

gangs = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from([1, 2]), st.one_of(st.none(), st.integers(1, 40)), st.integers(0, 2)),
    min_size=1,
    max_size=9,
)


@tried(150)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), gangs, st.integers(0, 3), st.booleans())
def test_a_look_starts_nobody_who_delays_what_it_holds_and_asked_again_starts_nobody(gpus, asked, used, sends_back):
    """Whole gangs only, no quota above what there is, the same twice, and everything as it was after an undo."""
    rules = LOWER if sends_back else PreemptionRules()
    snapshots = [cluster(*gpus, queues=[queue("q", max(1, sum(gpus) - used), preemption=rules)]) for _ in range(2)]
    told = []
    for snapshot in snapshots:
        for number, (pods, each, walltime_s, priority) in enumerate(asked):
            now_s = number // 3
            before = snapshot.contents()
            with snapshot.fork():
                settle(snapshot, now_s, RESERVING)
            assert snapshot.contents() == before
            comes(snapshot, work(f"g{number}", pods, walltime_s, gpus=each, at_s=now_s, priority=priority), now_s=now_s)
            assert not settle(snapshot, now_s, RESERVING).results[0].admitted
        for name, gang in snapshot.gangs.items():
            assert len(snapshot.pods_of(name)) in (0, gang.count)
        assert all(value >= 0 for free in snapshot.free.values() for value in free.values())
        assert all(snapshot.available("q", key) >= 0 for key in snapshot.quota_tree.keys(("queue", "q")))
        told.append(snapshot.contents())
    assert told[0] == told[1]
    assert classes_of(snapshots[0]) == sorted({each[3] for each in asked})


@pytest.mark.parametrize("wrong", [{"patience_s": -1}, {"aging_s": -1}])
def test_numbers_that_mean_nothing_are_refused(wrong):
    with pytest.raises(Invalid, match=f"Rules 'backfill': {next(iter(wrong))}"):
        Rules(**wrong)
