"""The search for victims against every subset there is, on clusters small enough to try them all."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations

from hypothesis import given, strategies as st
from quota_trees import lawful, lawful_rules

from scheduler_core import Cohort, Gang, PodSet, Queue, Quota, Settings, Snapshot
from scheduler_core.preemption import Cause, Victim, victims
from scheduler_core.quota import DEFAULT_FLAVOR, FlavorResource, Policy, PreemptionRules
from scheduler_core.state import Admission, Eviction, GangState

CPU = FlavorResource(DEFAULT_FLAVOR, "cpu")
WITHIN = st.sampled_from([Policy.NEVER, Policy.LOWER_PRIORITY, Policy.LOWER_OR_NEWER_EQUAL])
RECLAIM = st.sampled_from([Policy.NEVER, Policy.LOWER_PRIORITY, Policy.ANY])
LIMIT = st.none() | st.integers(0, 6)


@dataclass(frozen=True)
class Running:
    queue: str
    cpus: int
    priority: int
    at_s: int
    leaving: bool


RUNNING = st.builds(
    Running, st.sampled_from("abc"), st.integers(1, 4), st.integers(-2, 2), st.integers(0, 5), st.booleans()
)


def gang(name: str, queue: str, cpus: int, priority: int, created_s: int = 0) -> Gang:
    pods = (PodSet(name="main", count=1, requests={"cpu": cpus}),)
    return Gang(name=name, pod_sets=pods, queue=queue, priority=priority, created_s=created_s)


@st.composite
def clusters(draw: st.DrawFn) -> Snapshot:
    """Three queues in a tree of two cohorts; what runs may be more than there is, as after a quota was cut."""
    rules = st.builds(
        PreemptionRules,
        within_queue=WITHIN,
        reclaim=RECLAIM,
        borrow=st.booleans(),
        borrow_threshold=st.none() | st.integers(-2, 2),
    ).map(lawful_rules)
    quota = st.builds(
        Quota, resource=st.just("cpu"), nominal=st.integers(0, 8), borrowing_limit=LIMIT, lending_limit=LIMIT
    )
    cohorts = [Cohort(name="root"), Cohort(name="sub", parent="root", quotas=draw(st.lists(quota, max_size=1)))]
    queues = [
        Queue(
            name=name,
            quotas=(lawful(draw(quota), "queue", "root"),),
            cohort=draw(st.sampled_from(["root", "sub"])),
            preemption=draw(rules),
        )
        for name in "abc"
    ]
    snapshot = Snapshot(cohorts=cohorts, queues=queues)
    for number, each in enumerate(draw(st.lists(RUNNING, max_size=7))):
        made = gang(f"g{number}", each.queue, each.cpus, each.priority, created_s=draw(st.integers(0, 5)))
        snapshot.add_gang(made)
        left = Eviction("Preempted", 9) if each.leaving else None
        snapshot.restore(made.name, GangState(admission=Admission(each.at_s, {"main": 1}), evicted=left))
    return snapshot


COMERS = st.builds(gang, st.just("comer"), st.sampled_from("abc"), st.integers(1, 8), st.integers(-2, 3))


def fits(snapshot: Snapshot, comer: Gang, *, borrowing: bool = True) -> bool:
    wants, place = comer.pod_sets[0].requests["cpu"], ("queue", str(comer.queue))
    used, own = snapshot.usage.get((place, CPU), 0), snapshot.quota_tree.subtree(place, CPU)
    return wants <= snapshot.available(str(comer.queue), CPU) and (borrowing or used + wants <= own)


def without(snapshot: Snapshot, names: tuple[str, ...]) -> Iterator[Snapshot]:
    with snapshot.fork():
        for name in names:
            snapshot.evict(name, 0)
        yield snapshot


def fits_without(snapshot: Snapshot, comer: Gang, names: tuple[str, ...], *, borrowing: bool = True) -> bool:
    return any(fits(left, comer, borrowing=borrowing) for left in without(snapshot, names))


def allowed(snapshot: Snapshot, comer: Gang, name: str) -> bool:
    """By the two gangs' priorities and ages alone."""
    other, rules = snapshot.gang(name), snapshot.queues[str(comer.queue)].preemption
    policy = rules.within_queue if other.queue == comer.queue else rules.reclaim
    newer = other.priority == comer.priority and comer.created_s < other.created_s
    lower = other.priority < comer.priority
    return {
        Policy.NEVER: False,
        Policy.LOWER_PRIORITY: lower,
        Policy.LOWER_OR_NEWER_EQUAL: lower or newer,
        Policy.ANY: True,
    }[policy]


@given(clusters(), COMERS)
def test_victims_make_room_may_be_sent_back_and_none_of_them_is_needless(snapshot: Snapshot, comer: Gang) -> None:
    snapshot.add_gang(comer)
    before = snapshot.contents()
    found = victims(snapshot, comer)
    assert snapshot.contents() == before
    names = tuple(each.gang for each in found)
    assert all(allowed(snapshot, comer, name) for name in names)
    if fits(snapshot, comer) or not fits_without(snapshot, comer, names):
        assert found == ()
    for each in names:
        fewer = tuple(name for name in names if name != each)
        still = fits_without(snapshot, comer, fewer)
        borrowed = not fits_without(snapshot, comer, fewer, borrowing=False)
        assert not still or (borrowed and fits_without(snapshot, comer, names, borrowing=False)), each


@given(clusters(), COMERS)
def test_reasons_say_where_the_victims_are_and_whether_the_comer_borrows(snapshot: Snapshot, comer: Gang) -> None:
    snapshot.add_gang(comer)
    rules = snapshot.queues[str(comer.queue)].preemption
    for each in victims(snapshot, comer):
        other = snapshot.gang(each.gang)
        assert (each.cause is Cause.IN_QUEUE) is (other.queue == comer.queue)
        if each.cause is Cause.RECLAIM_WHILE_BORROWING:
            assert rules.borrow and other.priority < comer.priority
            assert rules.borrow_threshold is None or other.priority <= rules.borrow_threshold


@given(st.lists(RUNNING, max_size=7), st.integers(0, 12), st.integers(1, 8), st.integers(-2, 3), WITHIN)
def test_in_a_queue_of_its_own_victims_are_found_whenever_any_subset_would_do(
    running: list[Running], nominal: int, cpus: int, priority: int, policy: Policy
) -> None:
    queue = Queue(
        name="q", quotas=(Quota(resource="cpu", nominal=nominal),), preemption=PreemptionRules(within_queue=policy)
    )
    snapshot = Snapshot(queues=[queue])
    for number, each in enumerate(running):
        snapshot.add_gang(gang(f"g{number}", "q", each.cpus, each.priority, created_s=each.at_s))
        snapshot.restore(f"g{number}", GangState(admission=Admission(each.at_s, {"main": 1})))
    comer = gang("comer", "q", cpus, priority, created_s=3)
    snapshot.add_gang(comer)
    may_go = [name for name in snapshot.gangs if name != "comer" and allowed(snapshot, comer, name)]
    some = any(fits_without(snapshot, comer, each) for each in subsets(may_go))
    assert bool(victims(snapshot, comer)) is (some and not fits(snapshot, comer))


@given(st.lists(RUNNING, max_size=7), st.tuples(*[st.integers(0, 8)] * 3), st.integers(1, 8))
def test_who_stays_within_its_quota_gets_it_back_from_borrowers(
    running: list[Running], nominal: tuple[int, ...], cpus: int
) -> None:
    """Without limits and with reclaimWithinCohort Any it always can; and from nobody who borrows nothing."""
    rules = PreemptionRules(reclaim=Policy.ANY)
    queues = [
        Queue(name=name, quotas=(Quota(resource="cpu", nominal=amount),), cohort="all", preemption=rules)
        for name, amount in zip("abc", nominal, strict=True)
    ]
    snapshot = Snapshot(cohorts=[Cohort(name="all")], queues=queues)
    for number, each in enumerate(running):
        made = gang(f"g{number}", each.queue, each.cpus, each.priority)
        snapshot.add_gang(made)
        if fits(snapshot, made):
            snapshot.restore(made.name, GangState(admission=Admission(each.at_s, {"main": 1})))
    comer = gang("comer", "a", cpus, -9)
    snapshot.add_gang(comer)
    found = victims(snapshot, comer)
    if fits(snapshot, comer, borrowing=False):
        assert found == ()
    elif snapshot.usage.get((("queue", "a"), CPU), 0) + cpus <= nominal[0]:
        assert fits_without(snapshot, comer, tuple(each.gang for each in found))
    assert any(each_borrows_when_taken(snapshot, order) for order in permutations(each.gang for each in found))


def each_borrows_when_taken(snapshot: Snapshot, names: tuple[str, ...]) -> bool:
    """One after the other, in this order. The last one of a queue may take some of its own quota along."""
    for number, name in enumerate(names):
        queue = ("queue", str(snapshot.gang(name).queue))
        for left in without(snapshot, names[:number]):
            if left.usage.get((queue, CPU), 0) <= left.quota_tree.nominal(queue, CPU):
                return False
    return True


def subsets(names: list[str]) -> Iterator[tuple[str, ...]]:
    for size in range(len(names) + 1):
        yield from combinations(names, size)


def test_a_gang_is_left_to_run_for_as_long_as_its_queue_says() -> None:
    rules = PreemptionRules(within_queue=Policy.LOWER_PRIORITY)
    queue = Queue(name="q", quotas=(Quota(resource="cpu", nominal=4),), preemption=rules, min_runtime_s=300)
    snapshot = Snapshot(queues=[queue], gangs=[gang("young", "q", 4, 0), gang("comer", "q", 4, 9)])
    snapshot.restore("young", GangState(admission=Admission(1_000, {"main": 1})))
    assert victims(snapshot, snapshot.gang("comer"), now_s=1_299) == ()
    assert victims(snapshot, snapshot.gang("comer"), now_s=1_300) == (Victim("young", Cause.IN_QUEUE),)


def test_who_is_leaving_anyway_is_protected_from_nothing() -> None:
    rules = PreemptionRules(within_queue=Policy.LOWER_PRIORITY)
    queue = Queue(name="q", quotas=(Quota(resource="cpu", nominal=4),), preemption=rules, min_runtime_s=300)
    snapshot = Snapshot(queues=[queue], gangs=[gang("young", "q", 4, 0), gang("comer", "q", 4, 9)])
    leaving = GangState(admission=Admission(1_000, {"main": 1}), evicted=Eviction("Preempted", 1_001))
    snapshot.restore("young", leaving)
    found = victims(snapshot, snapshot.gang("comer"), now_s=1_002, settings=Settings(fair_sharing=True))
    assert found == (Victim("young", Cause.IN_QUEUE),)
