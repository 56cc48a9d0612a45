"""Preemption: whole gangs, as few as make room, borrowers first, then the lower priority, then the newest."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from scheduler_core import Cohort, Gang, PodSet, Queue, Quota, Snapshot, run
from scheduler_core.preemption import Cause, Victim, next_preemption, victims
from scheduler_core.quota import Policy, PreemptionRules
from scheduler_core.settings import Settings
from scheduler_core.state import Admission, GangState

GPU = "nvidia.com/gpu"
BY_QUOTA = Settings(place=False)
LOWER = PreemptionRules(within_queue=Policy.LOWER_PRIORITY, reclaim=Policy.ANY)


def quota(gpus: int, **more: Any) -> tuple[Quota, ...]:
    return (Quota(resource=GPU, nominal=gpus, **more),)


def queues(**gpus: int) -> Snapshot:
    """Queues of one cohort, each with so many GPUs and the rules most sites have."""
    made = [Queue(name=name, quotas=quota(each), cohort="all", preemption=LOWER) for name, each in gpus.items()]
    return Snapshot(cohorts=[Cohort(name="all")], queues=made)


def gang(name: str, gpus: int, queue: str, priority: int = 0, created_s: float = 0) -> Gang:
    pods = (PodSet(name="main", count=gpus, requests={GPU: 1}),)
    return Gang(name=name, pod_sets=pods, queue=queue, priority=priority, created_s=created_s)


def admitted(snapshot: Snapshot, made: Gang, at_s: float = 0) -> None:
    snapshot.add_gang(made)
    counts = {each.name: each.count for each in made.pod_sets}
    snapshot.restore(made.name, GangState(admission=Admission(at_s, counts)))


def asks(snapshot: Snapshot, made: Gang) -> tuple[Victim, ...]:
    snapshot.add_gang(made)
    return victims(snapshot, made)


def names(found: tuple[Victim, ...]) -> list[str]:
    return [each.gang for each in found]


def test_a_higher_priority_sends_back_a_lower_one_of_its_queue() -> None:
    cluster = queues(research=8)
    admitted(cluster, gang("low", 8, "research"))
    assert asks(cluster, gang("high", 8, "research", priority=10)) == (Victim("low", Cause.IN_QUEUE),)


@pytest.mark.parametrize("priority", [0, -1])
def test_equals_and_betters_stay(priority: int) -> None:
    cluster = queues(research=8)
    admitted(cluster, gang("first", 8, "research"))
    assert asks(cluster, gang("second", 8, "research", priority=priority)) == ()


def test_a_newer_equal_goes_where_the_queue_says_so() -> None:
    rules = PreemptionRules(within_queue=Policy.LOWER_OR_NEWER_EQUAL)
    cluster = Snapshot(queues=[Queue(name="q", quotas=quota(8), preemption=rules)])
    admitted(cluster, gang("new", 8, "q", created_s=100))
    assert names(asks(cluster, gang("old", 8, "q", created_s=50))) == ["new"]
    assert asks(cluster, gang("newest", 8, "q", created_s=200)) == ()


def test_what_fits_preempts_nobody() -> None:
    cluster = queues(research=16)
    admitted(cluster, gang("low", 8, "research"))
    assert asks(cluster, gang("high", 8, "research", priority=10)) == ()


def test_the_lower_priority_goes_first_and_of_equals_the_newest_admission() -> None:
    cluster = queues(research=24)
    admitted(cluster, gang("middle", 8, "research", priority=5), at_s=300)
    admitted(cluster, gang("old", 8, "research"), at_s=100)
    admitted(cluster, gang("new", 8, "research"), at_s=200)
    assert names(asks(cluster, gang("high", 8, "research", priority=10))) == ["new"]


def test_whoever_was_needless_in_the_end_is_given_back() -> None:
    cluster = queues(research=24)
    admitted(cluster, gang("small", 8, "research"), at_s=200)
    admitted(cluster, gang("large", 16, "research"), at_s=100)
    assert names(asks(cluster, gang("high", 16, "research", priority=10))) == ["large"]


def test_nobody_goes_where_all_of_them_are_not_enough() -> None:
    cluster = queues(research=16)
    admitted(cluster, gang("low", 8, "research"))
    admitted(cluster, gang("equal", 8, "research", priority=10))
    assert asks(cluster, gang("high", 16, "research", priority=10)) == ()


def test_a_queue_takes_its_own_back_from_a_borrower() -> None:
    cluster = queues(research=8, product=8)
    admitted(cluster, gang("own", 8, "research"), at_s=100)
    admitted(cluster, gang("borrowed", 8, "research", priority=100), at_s=200)
    assert asks(cluster, gang("ours", 8, "product")) == (Victim("own", Cause.RECLAIM),)


def test_what_a_queue_has_of_its_own_is_not_reclaimed() -> None:
    cluster = queues(research=8, product=8)
    admitted(cluster, gang("own", 8, "research"))
    admitted(cluster, gang("ours", 8, "product"))
    assert asks(cluster, gang("more", 8, "product")) == ()


def test_nobody_is_sent_back_for_a_gang_that_would_borrow() -> None:
    cluster = queues(research=8, product=8)
    admitted(cluster, gang("own", 8, "research"))
    admitted(cluster, gang("borrowed", 4, "research"))
    assert asks(cluster, gang("ours", 12, "product")) == ()


def test_borrowing_may_send_a_lower_priority_back_where_the_queue_says_so() -> None:
    rules = PreemptionRules(reclaim=Policy.LOWER_PRIORITY, borrow=True, borrow_threshold=5)
    made = [Queue(name="research", quotas=quota(8), cohort="all")]
    made.append(Queue(name="product", quotas=quota(8), cohort="all", preemption=rules))
    cluster = Snapshot(cohorts=[Cohort(name="all", quotas=quota(8))], queues=made)
    admitted(cluster, gang("own", 8, "research", priority=9), at_s=1)
    admitted(cluster, gang("borrowed", 8, "research", priority=5), at_s=2)
    assert asks(cluster, gang("ours", 16, "product", priority=10)) == (
        Victim("borrowed", Cause.RECLAIM_WHILE_BORROWING),
    )


def test_a_queue_without_rules_waits() -> None:
    cluster = Snapshot(queues=[Queue(name="q", quotas=quota(8))])
    admitted(cluster, gang("low", 8, "q"))
    assert asks(cluster, gang("high", 8, "q", priority=10)) == ()


def test_who_is_spared_stays() -> None:
    cluster = queues(research=16)
    admitted(cluster, gang("pinned", 8, "research", priority=-1))
    admitted(cluster, gang("low", 8, "research"))
    cluster.add_gang(gang("high", 8, "research", priority=10))
    found = next_preemption(cluster, 0, {"pinned"})
    assert found is not None and names(found.victims) == ["low"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 8), st.integers(0, 3)), max_size=8), st.data())
def test_the_victims_make_room_none_is_needless_and_the_snapshot_stays(
    running: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    cluster = queues(a=12, b=12)
    for index, (queue, gpus, priority) in enumerate(running):
        cluster.add_gang(gang(f"g{index}", gpus, queue, priority, created_s=index))
    run(cluster, 0, BY_QUOTA)
    for name in list(cluster.pending_gangs()):
        cluster.remove_gang(name)
    comer = gang("comer", data.draw(st.integers(1, 12)), data.draw(st.sampled_from("ab")), data.draw(st.integers(0, 4)))
    before = dict(cluster.usage)
    found = asks(cluster, comer)
    assert dict(cluster.usage) == before
    with_all = borrows_when_started(cluster, found)
    assert not found or with_all is not None
    for one in found:
        with_fewer = borrows_when_started(cluster, tuple(each for each in found if each is not one))
        assert with_fewer is None or (with_fewer and not with_all), "with one fewer it might have started, by borrowing"


def borrows_when_started(cluster: Snapshot, gone: tuple[Victim, ...]) -> bool | None:
    """None: the comer does not start."""
    with cluster.fork():
        for victim in gone:
            cluster.remove_gang(victim.gang)
        return next((each.borrows for each in run(cluster, 0, BY_QUOTA).admitted if each.gang == "comer"), None)
