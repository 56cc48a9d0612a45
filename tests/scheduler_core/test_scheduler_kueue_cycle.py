"""What must hold of rows of admission cycles, whatever the cluster: classical or fair, one head a queue or all."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from quota_trees import lawful, lawful_rules

from scheduler_core import Cohort, Gang, PodSet, Queue, Quota, Settings, Snapshot, StopPolicy, Strategy, explain
from scheduler_core.desk import Desk
from scheduler_core.explanation import Reason
from scheduler_core.kueue_cycle import Round, cycle, decide, run
from scheduler_core.quota import FlavorResource, Policy, PreemptionRules
from scheduler_core.unadmitted import reasons
from scheduler_core.victims import Cause
from tests.tried import tried

CPU = FlavorResource("default", "cpu")
few = tried(150)
SETTINGS = st.builds(Settings, place=st.just(False), fair_sharing=st.booleans(), heads=st.sampled_from([1, 2, None]))
RULES = st.builds(
    PreemptionRules,
    within_queue=st.sampled_from([Policy.NEVER, Policy.LOWER_PRIORITY, Policy.LOWER_OR_NEWER_EQUAL]),
    reclaim=st.sampled_from([Policy.NEVER, Policy.LOWER_PRIORITY, Policy.ANY]),
    borrow=st.booleans(),
    borrow_threshold=st.none() | st.integers(-1, 2),
).map(lawful_rules)
LIMIT = st.none() | st.integers(0, 6)
QUOTAS = st.builds(
    Quota, resource=st.just("cpu"), nominal=st.integers(0, 8), borrowing_limit=LIMIT, lending_limit=LIMIT
)


def gang(name: str, queue: str, cpus: int, **more: int | None) -> Gang:
    least, pods = more.pop("least", None), int(more.pop("pods", 1) or 1)
    pod_sets = (PodSet(name="main", count=pods, min_count=least, requests={"cpu": cpus}),)
    return Gang(name=name, pod_sets=pod_sets, queue=queue, **more)  # type: ignore[arg-type]


@st.composite
def worlds(draw: st.DrawFn) -> Snapshot:
    cohorts = [Cohort(name="root"), Cohort(name="sub", parent="root", weight=draw(st.integers(0, 2)))]
    above = {name: draw(st.sampled_from([None, "root", "sub"])) for name in "abc"}
    queues = [
        Queue(
            name=name,
            quotas=(lawful(draw(QUOTAS), "queue", above[name]),),
            cohort=above[name],
            strategy=draw(st.sampled_from(Strategy)),
            stop_policy=draw(st.sampled_from([StopPolicy.NONE] * 4 + [StopPolicy.HOLD])),
            preemption=draw(RULES),
            weight=draw(st.integers(0, 2)),
        )
        for name in "abc"
    ]
    snapshot = Snapshot(cohorts=cohorts, queues=queues)
    for number in range(draw(st.integers(1, 9))):
        pods = draw(st.integers(1, 3))
        made = gang(
            f"g{number}",
            draw(st.sampled_from("abc")),
            draw(st.integers(1, 3)),
            pods=pods,
            least=draw(st.none() | st.integers(1, pods)),
            priority=draw(st.integers(-1, 2)),
            created_s=draw(st.integers(0, 4)),
        )
        snapshot.add_gang(made)
    return snapshot


def arriving(snapshot: Snapshot, how: Settings) -> tuple[Desk, list[Round]]:
    """The gangs come one after another, and after each the cycles run until nothing changes."""
    desk = Desk(Snapshot(cohorts=snapshot.cohorts.values(), queues=snapshot.queues.values()), 0, how)
    rounds = []
    for at_s, each in enumerate(snapshot.gangs.values()):
        desk.arrive(each, at_s)
        rounds.append(run(desk, at_s))
    return desk, rounds


@few
@given(worlds(), SETTINGS)
def test_quota_and_limits_hold_gangs_are_whole_and_the_cycles_settle(snapshot: Snapshot, how: Settings) -> None:
    desk, _ = arriving(snapshot, how)
    left = desk.snapshot
    tree = left.quota_tree
    for place in tree.places():
        used = left.usage.get((place, CPU), 0)
        assert used <= tree.potential(place, CPU), place
        assert tree.available(place, CPU, left.usage) >= 0, place
    for name in left.gangs:
        admission, made = left.state_of(name).admission, left.gang(name)
        if admission is not None:
            assert made.pod_sets[0].minimum <= admission.counts["main"] <= made.pod_sets[0].count
        assert left.state_of(name).evicted is None
    assert not cycle(desk, 99).preempted


@few
@given(worlds(), SETTINGS)
def test_nobody_sends_back_whom_it_may_not(snapshot: Snapshot, how: Settings) -> None:
    _, rounds = arriving(snapshot, how)
    for result in rounds:
        for victim, (cause, name) in result.preempted.items():
            gone, comer = snapshot.gang(victim), snapshot.gang(name)
            rules = snapshot.queues[str(comer.queue)].preemption
            policy = rules.within_queue if gone.queue == comer.queue else rules.reclaim
            assert (cause is Cause.IN_QUEUE) is (gone.queue == comer.queue)
            assert policy is not Policy.NEVER
            assert policy is Policy.ANY or gone.priority <= comer.priority
            assert cause is not Cause.FAIR_SHARING or how.fair_sharing


@few
@given(worlds(), SETTINGS)
def test_the_same_input_gives_the_same_output(snapshot: Snapshot, how: Settings) -> None:
    one, other = arriving(snapshot, how), arriving(snapshot, how)
    assert one[1] == other[1]
    assert one[0].snapshot.contents() == other[0].snapshot.contents()


@few
@given(worlds(), SETTINGS)
def test_weighing_a_gang_changes_nothing(snapshot: Snapshot, how: Settings) -> None:
    desk, _ = arriving(snapshot, how)
    before = desk.snapshot.contents()
    for name in desk.snapshot.pending_gangs():
        decide(desk, name, 99)
    assert desk.snapshot.contents() == before


@few
@given(worlds(), SETTINGS)
def test_the_desk_is_in_step_with_the_snapshot(snapshot: Snapshot, how: Settings) -> None:
    """Who comes to the desk anew sees what is kept from cycle to cycle."""
    desk, _ = arriving(snapshot, how)
    anew = Desk(desk.snapshot, 99, how)
    assert sorted(desk.holders) == sorted(anew.holders)
    assert sorted((*desk.lines.waiting(), *desk.lines.parked())) == sorted(anew.lines.waiting())
    assert set(reasons(desk, Round(), 99)) == set(desk.snapshot.pending_gangs())


def desk_of(*queues: Queue, gangs: tuple[Gang, ...] = (), how: Settings | None = None) -> Desk:
    cohorts = [Cohort(name=name) for name in sorted({each.cohort for each in queues if each.cohort})]
    return Desk(Snapshot(cohorts=cohorts, queues=queues, gangs=gangs), 0, how or Settings(place=False))


def queue(name: str, cpus: int, **more: object) -> Queue:
    return Queue(name=name, quotas=(Quota(resource="cpu", nominal=cpus),), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("heads", "admitted"), [(1, ["g0"]), (2, ["g0", "g1"]), (None, ["g0", "g1", "g2"])])
def test_a_cycle_takes_as_many_heads_of_a_queue_as_it_is_told(heads: int | None, admitted: list[str]) -> None:
    gangs = tuple(gang(f"g{number}", "q", 1, created_s=number) for number in range(4))
    desk = desk_of(queue("q", 3), gangs=gangs, how=Settings(place=False, heads=heads))
    assert [each.gang for each in cycle(desk, 0).admitted] == admitted


def test_with_all_heads_a_strict_queue_still_keeps_its_order() -> None:
    gangs = (gang("big", "q", 4, created_s=0), gang("small", "q", 1, created_s=1))
    desk = desk_of(queue("q", 3, strategy=Strategy.STRICT_FIFO), gangs=gangs, how=Settings(place=False, heads=None))
    assert cycle(desk, 0).admitted == []


def test_who_finishes_wakes_those_of_its_cohort_and_nobody_else() -> None:
    desk = desk_of(queue("a", 2, cohort="all"), queue("b", 0, cohort="all"), queue("alone", 1))
    for each in (gang("run", "a", 2), gang("near", "b", 2), gang("far", "alone", 2)):
        desk.arrive(each, 0)
    run(desk, 0)
    assert desk.lines.parked() == ("far", "near")
    desk.leave("run", 1)
    assert (desk.lines.waiting(), desk.lines.parked()) == (("near",), ("far",))


def test_a_preemptor_stays_first_until_it_is_in() -> None:
    """What its victim leaves is not taken by one of higher priority that came in between."""
    rules = PreemptionRules(within_queue=Policy.LOWER_PRIORITY)
    desk = desk_of(queue("q", 4, preemption=rules), gangs=(gang("low", "q", 4, priority=-1),))
    run(desk, 0)
    desk.arrive(gang("preemptor", "q", 4, priority=5), 1)
    assert list(cycle(desk, 1).preempted) == ["low"]
    desk.arrive(gang("vip", "q", 4, priority=5, created_s=-1), 2)
    desk.release(2)
    assert [each.gang for each in cycle(desk, 2).admitted] == ["preemptor"]


def test_a_gang_behind_a_gate_is_not_looked_at() -> None:
    gated = replace(gang("g", "q", 1), gates=frozenset({"approval"}))
    desk = desk_of(queue("q", 4), gangs=(gated,))
    assert (run(desk, 0).admitted, desk.lines.waiting()) == ([], ())
    assert reasons(desk, Round(), 0) == {"g": Reason.HELD}
    why = explain(desk.snapshot, "g", 0)
    assert why is not None and (why.reason, why.remedy) == (Reason.HELD, "lift approval")
