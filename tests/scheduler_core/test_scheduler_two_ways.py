"""Where queues let in by quota, a look ahead and Kueue's cycles are the same decision, told by the same code."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from schedule_language import GPU

from scheduler_core import Cohort, Flavor, Gang, Node, Phase, PodSet, Queue, Quota, Settings, Snapshot, what_if
from scheduler_core.backfill_rules import Rules
from scheduler_core.cases.fields import read
from scheduler_core.cases.reading.case import case as read_case
from scheduler_core.cases.world import world_of
from scheduler_core.desk import Desk
from scheduler_core.explain import explain
from scheduler_core.kueue_cycle import run
from scheduler_core.quota import Fungibility, Policy, PreemptionRules, Preference, WhenCan
from scheduler_core.settling import settle
from scheduler_core.state import Admission, Eviction, GangState
from scheduler_core.topologies import Mode, Topology, TopologyRequest

HOST = "kubernetes.io/hostname"
BY_QUOTA = Settings(admit_by_quota=True)
LOWER = PreemptionRules(within_queue=Policy.LOWER_PRIORITY)
TABLES = sorted((Path(__file__).parent / "cases").glob("*.json"))


def scheduled():
    """Every table of ours that asks what a cycle does."""
    for path in TABLES:
        told = json.loads(path.read_text(encoding="utf-8"))
        for each in told if isinstance(told, list) else [told]:
            if each["ask"] == "schedule":
                case = read(each, "", read_case)
                yield pytest.param(case, id=f"{path.stem}: {case.name}")


@pytest.mark.parametrize("place", [False, True])
@pytest.mark.parametrize("case", list(scheduled()))
def test_a_table_run_to_its_end_comes_out_alike_both_ways(case, place):
    cycles, look_ahead = world_of(case), world_of(case)
    desk = Desk(cycles, case.now_s, case.settings)
    by_cycles = run(desk, case.now_s)
    settled = settle(look_ahead, case.now_s, replace(case.settings, place=place, admit_by_quota=place))
    sent_back = {victim.gang for found in settled.preemptions for victim in found.victims}
    assert sent_back == set(by_cycles.preempted)
    for name in cycles.gangs:
        assert look_ahead.state_of(name).admission == cycles.state_of(name).admission, name


def queue(name, nominal, cohort=None, flavor="default", **more):
    return Queue(name=name, cohort=cohort, quotas=(Quota(resource=GPU, nominal=nominal, flavor=flavor),), **more)


def gang(name, to, count, created_s=0, topology=None, **more):
    sets = (PodSet(count=count, requests={GPU: 1}, topology=topology),)
    return Gang(name=name, queue=to, created_s=created_s, pod_sets=sets, **more)


def holds(count, flavor="default"):
    return Admission(0, {"main": count}, {"main": {GPU: flavor}})


def world(gpus, *queues, **more):
    return Snapshot(nodes=[Node("n", {GPU: gpus}, {HOST: "n"})], queues=queues, **more)


def look(snapshot, settings=BY_QUOTA):
    before = snapshot.contents()
    effect = what_if(snapshot, [], 100, settings=settings)
    assert snapshot.contents() == before
    return effect, [victim.gang for found in effect.preemptions for victim in found.victims]


@pytest.mark.parametrize("settings", [BY_QUOTA, Settings()])
def test_a_closed_preemption_gate_keeps_a_gang_from_sending_others_back(settings):
    snapshot = world(4, queue("a", 4, preemption=LOWER))
    snapshot.add_gang(gang("low", "a", 4))
    snapshot.admit("low", holds(4))
    snapshot.add_gang(gang("vip", "a", 4, 5, priority=5, preemption_gates=frozenset({"gate"})))
    effect, sent_back = look(snapshot, settings)
    assert (sent_back, effect.still_pending["vip"].reason) == ([], "Held")


def two_flavors(**rules):
    """`low` holds all four of `od`; a gang of higher priority that wants four finds `spot` free."""
    quotas = (Quota(resource=GPU, nominal=4, flavor="od"), Quota(resource=GPU, nominal=4, flavor="spot"))
    one = Queue(name="a", quotas=quotas, preemption=LOWER, fungibility=Fungibility(**rules))
    snapshot = world(8, one, flavors=[Flavor("od"), Flavor("spot")])
    snapshot.add_gang(gang("low", "a", 4))
    snapshot.admit("low", holds(4, "od"))
    snapshot.add_gang(gang("vip", "a", 4, 5, priority=5))
    return snapshot


@pytest.mark.parametrize(
    ("rule", "victims", "why"),
    [(WhenCan.MAY_STOP, ["low"], "WaitingForPreemptedWorkloads"), (WhenCan.TRY_NEXT, [], "Fits")],
)
def test_whether_the_next_flavor_is_tried_before_others_go_is_for_the_queue_to_say(rule, victims, why):
    snapshot = two_flavors(when_can_preempt=rule)
    assert explain(snapshot, "vip", 100, Settings(place=False)).reason == why
    effect, sent_back = look(snapshot)
    assert sent_back == victims
    last = [each for each in effect.assignments if each.gang == "vip"][-1]
    assert last.flavors["main"][GPU] == ("od" if victims else "spot")


def test_preemption_is_preferred_to_borrowing_where_the_queue_says_so():
    mine = (Quota(resource=GPU, nominal=2, flavor="od"), Quota(resource=GPU, nominal=4, flavor="spot"))
    theirs = (Quota(resource=GPU, nominal=10, flavor="od"), Quota(resource=GPU, nominal=0, flavor="spot"))
    rules = Fungibility(
        when_can_borrow=WhenCan.TRY_NEXT,
        when_can_preempt=WhenCan.TRY_NEXT,
        preference=Preference.PREEMPTION_OVER_BORROWING,
    )
    a = Queue(name="a", cohort="all", quotas=mine, preemption=LOWER, fungibility=rules)
    b = Queue(name="b", cohort="all", quotas=theirs)
    snapshot = world(20, a, b, cohorts=[Cohort(name="all")], flavors=[Flavor("od"), Flavor("spot")])
    snapshot.add_gang(gang("low", "a", 4))
    snapshot.admit("low", holds(4, "spot"))
    snapshot.add_gang(gang("vip", "a", 4, 5, priority=5))
    assert look(snapshot)[1] == ["low"]


@pytest.mark.parametrize(("fair", "first"), [(True, "of-b"), (False, "of-a")])
def test_with_fair_sharing_the_smaller_share_goes_first(fair, first):
    queues = (queue("a", 0, "all"), queue("b", 0, "all"), queue("lender", 5, "all"))
    snapshot = world(8, *queues, cohorts=[Cohort(name="all")])
    snapshot.add_gang(gang("has", "a", 4))
    snapshot.admit("has", holds(4))
    snapshot.add_gang(gang("of-a", "a", 1, 5, priority=9))
    snapshot.add_gang(gang("of-b", "b", 1, 6))
    effect, _ = look(snapshot, replace(BY_QUOTA, fair_sharing=fair))
    assert first in effect.started
    assert len(effect.started) == 2  # the one that held quota before, and one more


def test_who_cannot_be_seated_holds_no_quota():
    nodes = [Node(f"n{i}", {GPU: 4}, {HOST: f"n{i}", "rack": f"r{i}"}) for i in range(2)]
    racks, close = Topology("racks", ("rack", HOST)), TopologyRequest(mode=Mode.REQUIRED, level="rack")
    flavors, one = [Flavor("tas", topology="racks")], queue("a", 8, flavor="tas")
    snapshot = Snapshot(nodes=nodes, topologies=[racks], flavors=flavors, queues=[one])
    snapshot.add_gang(gang("wide", "a", 6, 1, topology=close))
    snapshot.add_gang(gang("small", "a", 4, 2, topology=close))
    assert look(snapshot)[0].started == ("small",)


def test_who_was_sent_back_leaves():
    snapshot = world(4, queue("a", 4))
    snapshot.add_gang(gang("old", "a", 4))
    snapshot.restore("old", GangState(admission=holds(4), evicted=Eviction("Preempted", 50)))
    snapshot.add_gang(gang("next", "a", 4, 5, priority=3))
    effect, _ = look(snapshot)
    assert (effect.started, effect.still_pending["old"].reason) == (("next",), "WaitingForQuota")


def test_what_is_kept_for_a_gang_that_comes_first_is_not_told_to_be_free():
    """`first` wants three of the two that its queue has left; what is left is not lent past it."""
    queues = (
        queue("a", 4, "all", preemption=PreemptionRules(within_queue=Policy.LOWER_PRIORITY)),
        queue("b", 0, "all"),
    )
    snapshot = world(9, *queues, cohorts=[Cohort(name="all")])
    snapshot.add_gang(gang("has", "a", 2, priority=9))
    snapshot.admit("has", holds(2))
    snapshot.add_gang(gang("first", "a", 3, 5, priority=9))
    snapshot.add_gang(gang("small", "b", 2, 6))
    effect, _ = look(snapshot)
    by_cycles = run(Desk(snapshot, 100, BY_QUOTA), 100)
    assert {each.gang for each in by_cycles.admitted} == {each.gang for each in effect.assignments} - {"has"}
    assert all(each.reason != "Fits" for each in effect.still_pending.values())


def test_queues_that_hold_starts_keep_to_their_own_cycle_beside_kueues():
    """Of ours, who finds no node gets no quota either; Kueue's does."""
    snapshot = world(4, queue("ours", 8), queue("kueues", 8))
    snapshot.add_gang(gang("a-ours", "ours", 6))
    snapshot.add_gang(gang("b-theirs", "kueues", 6))
    settle(snapshot, 100, replace(BY_QUOTA, backfill=Rules(queues=frozenset({"ours"}))))
    assert snapshot.phase("a-ours") is Phase.PENDING
    assert snapshot.phase("b-theirs") is Phase.ADMITTED
