"""Elastic gangs: they grow into what nobody waits for, and give it up before anybody is sent back."""

import pytest
from hypothesis import given, strategies as st

from scheduler_core import Cohort, Flavor, Gang, Invalid, Node, PodSet, Queue, Quota, Settings, Snapshot, run
from scheduler_core.elastic import Resized, resize, surplus
from scheduler_core.quota import Policy, PreemptionRules
from scheduler_core.scheduler import cycle
from scheduler_core.start import Sizes
from scheduler_core.state import Admission, DomainCount

GPU = "nvidia.com/gpu"
ANY = PreemptionRules(reclaim=Policy.ANY)
BY_QUOTA = Settings(place=False)


def world(nodes=0, **queues):
    """Queues of one cohort; with nodes, of 8 GPUs each."""
    made = [
        Queue(name=name, quotas=(Quota(resource=GPU, nominal=gpus),), cohort="all", preemption=ANY)
        for name, gpus in queues.items()
    ]
    return Snapshot(
        cohorts=[Cohort(name="all")], queues=made, nodes=[Node(f"n{index}", {GPU: 8}) for index in range(nodes)]
    )


def gang(name, least, most, queue="a", *, gpus=1, elastic=True, **more):
    pods = PodSet(count=most, min_count=least, requests={GPU: gpus})
    return Gang(name=name, pod_sets=(pods,), queue=queue, elastic=elastic, **more)


def sizes(snapshot):
    states = ((name, snapshot.state_of(name).admission) for name in sorted(snapshot.gangs))
    return {name: admission.counts["main"] for name, admission in states if admission is not None}


def test_who_was_let_in_small_grows_when_there_is_room():
    snapshot = world(a=8)
    snapshot.add_gang(gang("rigid", 5, 5, elastic=False))
    snapshot.add_gang(gang("trainer", 2, 8, created_s=1))
    run(snapshot, 0, BY_QUOTA)
    assert sizes(snapshot) == {"rigid": 5, "trainer": 3}
    snapshot.remove_gang("rigid")
    assert run(snapshot, 1, BY_QUOTA).resized == (Resized("trainer", {"main": 3}, {"main": 8}),)


def test_one_that_is_not_elastic_stays_as_it_was_let_in():
    snapshot = world(a=8)
    snapshot.add_gang(gang("rigid", 5, 5))
    snapshot.add_gang(gang("batch", 2, 8, elastic=False, created_s=1))
    run(snapshot, 0, BY_QUOTA)
    snapshot.remove_gang("rigid")
    run(snapshot, 1, BY_QUOTA)
    assert sizes(snapshot) == {"batch": 3}


def test_its_pods_come_and_go_with_its_size():
    snapshot = world(nodes=2, a=16)
    snapshot.add_gang(gang("trainer", 1, 4, gpus=4))
    snapshot.occupy("n1", {GPU: 8}, "other")
    run(snapshot, 0)
    assert len(snapshot.pods_of("trainer")) == 2
    snapshot.forget_pod("other")
    run(snapshot, 1)
    assert snapshot.pods_of("trainer") == tuple(f"trainer-main-{index}" for index in range(4))
    resize(snapshot, "trainer", {"main": 1})
    assert snapshot.pods_of("trainer") == ("trainer-main-0",)


def test_quota_follows_its_size():
    snapshot = world(a=8)
    snapshot.add_gang(gang("trainer", 2, 8))
    run(snapshot, 0, BY_QUOTA)
    key = next(iter(snapshot.charge_of("trainer")))
    assert snapshot.available("a", key) == 0
    resize(snapshot, "trainer", {"main": 3})
    assert snapshot.available("a", key) == 5


def test_a_waiting_gang_of_the_queue_gets_what_is_above_the_minimum_and_no_more():
    snapshot = world(a=8)
    snapshot.add_gang(gang("trainer", 2, 8))
    run(snapshot, 0, BY_QUOTA)
    snapshot.add_gang(gang("new", 3, 3, elastic=False, created_s=1))
    assert run(snapshot, 1, BY_QUOTA).resized == (Resized("trainer", {"main": 8}, {"main": 5}),)
    assert sizes(snapshot) == {"new": 3, "trainer": 5}


def test_where_all_of_it_is_not_enough_nothing_is_given_up():
    snapshot = world(a=8)
    snapshot.add_gang(gang("trainer", 4, 8))
    run(snapshot, 0, BY_QUOTA)
    snapshot.add_gang(gang("large", 5, 5, elastic=False, created_s=1))
    result = run(snapshot, 1, BY_QUOTA)
    assert (result.resized, sizes(snapshot)) == ((), {"trainer": 8})


def test_the_less_important_does_not_ask():
    snapshot = world(a=8)
    snapshot.add_gang(gang("trainer", 2, 8, priority=5))
    run(snapshot, 0, BY_QUOTA)
    snapshot.add_gang(gang("new", 3, 3, elastic=False, created_s=1))
    run(snapshot, 1, BY_QUOTA)
    assert sizes(snapshot) == {"trainer": 8}


def test_the_least_important_gives_first():
    snapshot = world(a=8)
    for index, name in enumerate(("middle", "low")):
        snapshot.add_gang(gang(name, 1, 4, priority=1 - index, created_s=index))
    run(snapshot, 0, BY_QUOTA)
    snapshot.add_gang(gang("new", 2, 2, elastic=False, priority=2))
    run(snapshot, 1, BY_QUOTA)
    assert sizes(snapshot) == {"low": 2, "middle": 4, "new": 2}


def test_whose_surplus_does_not_help_keeps_it():
    quotas = tuple(Quota(resource=GPU, flavor=name, nominal=4) for name in ("old", "fast"))
    snapshot = Snapshot(
        flavors=[Flavor(name, {"kind": name}) for name in ("old", "fast")], queues=[Queue(name="a", quotas=quotas)]
    )
    for priority, kind in enumerate(("old", "fast")):
        pods = PodSet(count=4, min_count=1, requests={GPU: 1}, node_selector={"kind": kind})
        snapshot.add_gang(Gang(name=f"on-{kind}", pod_sets=(pods,), queue="a", elastic=True, priority=priority))
    run(snapshot, 0, BY_QUOTA)
    pods = PodSet(count=2, requests={GPU: 1}, node_selector={"kind": "fast"})
    snapshot.add_gang(Gang(name="new", pod_sets=(pods,), queue="a", priority=2))
    assert cycle(snapshot, 1, BY_QUOTA).resized == (Resized("on-fast", {"main": 4}, {"main": 2}),)
    assert sizes(snapshot) == {"new": 2, "on-fast": 2, "on-old": 4}


@pytest.mark.parametrize("policy", [Policy.ANY, Policy.LOWER_PRIORITY, Policy.NEVER])
def test_a_lender_has_its_own_back_whatever_it_says_about_preemption(policy):
    snapshot = world(a=4, b=4)
    snapshot.add_gang(gang("trainer", 2, 8, priority=9))
    run(snapshot, 0, BY_QUOTA)
    rules = PreemptionRules(reclaim=policy)
    snapshot.replace_queue(Queue(name="b", quotas=(Quota(resource=GPU, nominal=4),), cohort="all", preemption=rules))
    snapshot.add_gang(gang("owner", 3, 3, "b", elastic=False))
    run(snapshot, 1, BY_QUOTA)
    assert sizes(snapshot) == {"owner": 3, "trainer": 5}


def test_nobody_gives_up_its_own_for_one_who_would_borrow():
    snapshot = world(a=6, b=2)
    snapshot.add_gang(gang("trainer", 2, 8))
    run(snapshot, 0, BY_QUOTA)
    snapshot.add_gang(gang("borrower", 3, 3, "b", elastic=False))
    run(snapshot, 1, BY_QUOTA)
    assert sizes(snapshot) == {"trainer": 8}


def test_a_gang_with_places_in_a_topology_keeps_its_size():
    snapshot = world(a=8)
    snapshot.add_gang(gang("trainer", 2, 8))
    places = {"main": (DomainCount(("r1",), 4),)}
    snapshot.admit("trainer", Admission(0, {"main": 4}, topology=places))
    assert surplus(snapshot, snapshot.gang("trainer")) == {}
    run(snapshot, 1, BY_QUOTA)
    assert sizes(snapshot) == {"trainer": 4}


@pytest.mark.parametrize(
    ("counts", "told"),
    [({"main": 1}, "counts.main: 1 is not between 2 and 8"), ({"main": 9}, "9 is not"), ({}, "None is not")],
)
def test_a_size_outside_its_limits_is_refused(counts, told):
    snapshot = world(a=8)
    snapshot.add_gang(gang("trainer", 2, 8))
    run(snapshot, 0, BY_QUOTA)
    before = snapshot.contents()
    with pytest.raises(Invalid, match=told):
        resize(snapshot, "trainer", counts)
    assert snapshot.contents() == before


def test_who_waits_has_no_size_to_change():
    snapshot = world(a=8)
    snapshot.add_gang(gang("trainer", 2, 8))
    with pytest.raises(Invalid, match="Gang 'trainer': elastic"):
        resize(snapshot, "trainer", {"main": 2})


gangs = st.tuples(st.sampled_from("ab"), st.integers(1, 4), st.integers(0, 6), st.booleans(), st.integers(0, 2))


@given(st.lists(gangs, max_size=6), st.integers(0, 8), st.integers(0, 8))
def test_sizes_stay_within_limits_quota_is_kept_and_it_settles(wanted, a, b):
    snapshot = world(a=a, b=b)
    seen: dict[str, int] = {}
    for index, (queue, least, more, elastic, priority) in enumerate(wanted):
        snapshot.add_gang(gang(f"g{index}", least, least + more, queue, elastic=elastic, priority=priority))
        run(snapshot, index, BY_QUOTA)
        after = sizes(snapshot)
        assert seen.keys() <= after.keys(), "nobody is sent back for it"
        for name, size in after.items():
            each = snapshot.gang(name)
            assert each.minimum <= size <= each.count
            assert each.elastic or size == seen.get(name, size)
        assert sum(after.values()) <= a + b
        assert not cycle(snapshot, index, BY_QUOTA).changed
        seen = after


@pytest.mark.parametrize("wanted", [1, 2])
def test_who_was_made_smaller_gives_up_the_rest(wanted):
    """To one who waits at once, and to nobody in particular in the end."""
    snapshot = world(a=4)
    snapshot.add_gang(gang("trainer", 2, 4))
    snapshot.admit("trainer", Admission(0, {"main": 4}, {"main": {GPU: "default"}}))
    snapshot.replace_gang(gang("trainer", 2, 2))
    snapshot.add_gang(gang("new", wanted, wanted, elastic=False, created_s=1))
    run(snapshot, 1, BY_QUOTA)
    assert sizes(snapshot) == {"new": wanted, "trainer": 2}


def test_an_elastic_gang_is_never_made_larger_than_it_wishes_or_holds():
    snapshot = world(a=8)
    snapshot.add_gang(gang("trainer", 2, 4))
    snapshot.admit("trainer", Admission(0, {"main": 4}, {"main": {GPU: "default"}}))
    snapshot.replace_gang(gang("trainer", 2, 3))
    with pytest.raises(Invalid, match=r"Gang 'trainer': counts\.main: 5 is not between 2 and 4"):
        resize(snapshot, "trainer", {"main": 5})
    run(snapshot, 1, BY_QUOTA)
    assert sizes(snapshot) == {"trainer": 3}


def test_sizes_are_worked_out_when_they_are_asked_for():
    assert list(Sizes({"a": 1, "b": 2}, {"a": 3, "b": 2})) == [{"a": 3, "b": 2}, {"a": 2, "b": 2}, {"a": 1, "b": 2}]
    many = Sizes({"a": 1}, {"a": 2**31 - 1})
    assert (len(many), many[0], many[2**31 - 2]) == (2**31 - 1, {"a": 2**31 - 1}, {"a": 1})
    assert len(Sizes({"a": 3}, {"a": 1})) == 0
