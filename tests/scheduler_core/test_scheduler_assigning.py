"""Flavors against exhaustive search on small queues; what the search reads and what it says when nothing suits."""

import pytest
from hypothesis import given, strategies as st

from scheduler_core import Cohort, Flavor, FlavorResource, PodSet, Queue, Quota, Taint, Undeclared
from scheduler_core.assigning import FROM_THE_FIRST, Search, assign
from scheduler_core.explanation import Reason
from scheduler_core.flavors import Books, Want, choices
from scheduler_core.fungibility import Mode, Possibility, Terms, is_better, search_goes_on
from scheduler_core.quota import Fungibility, Policy, PreemptionRules, Preference, ResourceGroup, WhenCan
from scheduler_core.quota_levels import lowest_level
from scheduler_core.quota_tree import QuotaTree
from scheduler_core.topologies import Mode as Closeness, Topology, TopologyRequest

NAMES = ("one", "two", "three")
Q, B = ("queue", "q"), ("queue", "b")


def never(key, amount):
    raise AssertionError(f"nobody should be asked about {amount} {key}")


def nobody(key, amount):
    return Possibility.NO_CANDIDATES, 0


def quotas(amounts, resource="cpu"):
    return tuple(
        Quota(flavor=name, resource=resource, nominal=each) for name, each in zip(NAMES, amounts, strict=False)
    )


def search(own, others, used, *, oracle=nobody, flavors=(), topologies=(), only=None, tried=None, **rules):
    """A queue and one other of its cohort, with one quota for each flavor; used: (place, flavor) -> amount."""
    queue = Queue(name="q", cohort="all", quotas=quotas(own), **rules)
    tree = QuotaTree([queue, Queue(name="b", cohort="all", quotas=quotas(others))], [Cohort(name="all")])
    usage = {}
    for (place, name), amount in used.items():
        for at, key, value in tree.charge(place, FlavorResource(name, "cpu"), amount, usage):
            usage[at, key] = value
    known = {name: Flavor(name) for name in NAMES} | {each.name: each for each in flavors}
    books = Books(tree, usage, known, {each.name: each for each in topologies})
    return Search(books, queue, oracle, only=only, tried=tried or {})


def want(cpu, name="main", count=1, **more):
    return Want(PodSet(name=name, count=count, requests={"cpu": cpu}, **more), count)


three = st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6))
use = st.dictionaries(st.tuples(st.sampled_from([Q, B]), st.sampled_from(NAMES)), st.integers(0, 6))
pod_sets = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3)), min_size=1, max_size=3)
fungibility = st.builds(
    Fungibility,
    when_can_borrow=st.sampled_from(WhenCan),
    when_can_preempt=st.sampled_from(WhenCan),
    preference=st.sampled_from(Preference),
)


@given(three, three, use, st.integers(1, 9), fungibility)
def test_without_preemption_the_choice_is_what_the_documents_say(own, others, used, cpu, rules):
    """Of the flavors with room: one without borrowing if the search gets there, else the first, or the nearest loan."""
    found = search(own, others, used, fungibility=rules)
    chosen = assign(found, [want(cpu)])
    levels = {}
    for name in NAMES:
        key = FlavorResource(name, "cpu")
        if cpu <= found.books.tree.available(Q, key, found.books.usage):
            levels[name] = lowest_level(found.books.tree, Q, key, cpu, found.books.usage)[0]
    if not levels:
        assert chosen.mode is not Mode.FIT
        return
    first, best = next(iter(levels)), min(levels, key=lambda name: levels[name])
    expected = best if rules.when_can_borrow is WhenCan.TRY_NEXT else first
    assert (chosen.mode, chosen.flavors["main"]["cpu"], chosen.borrowing) == (Mode.FIT, expected, levels[expected])


@given(
    three, three, use, st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3)), min_size=1, max_size=3), fungibility
)
def test_what_is_assigned_is_there(own, others, used, sets, rules):
    found = search(own, others, used, fungibility=rules)
    wants = [want(cpu, f"s{index}", count) for index, (cpu, count) in enumerate(sets)]
    chosen = assign(found, wants)
    tree, usage = found.books.tree, found.books.usage
    if chosen.mode is Mode.FIT:
        assert sum(chosen.usage.values()) == sum(cpu * count for cpu, count in sets)
        assert all(amount <= tree.available(Q, key, usage) for key, amount in chosen.usage.items())
    elif chosen.mode is Mode.PREEMPT:
        assert chosen.short and all(chosen.usage[key] <= tree.potential(Q, key) for key in chosen.short)
        assert any(chosen.usage[key] > tree.available(Q, key, usage) for key in chosen.short)
    else:
        assert (chosen.flavors, chosen.usage) == ({}, {}) and chosen.reason is not None


TERMS = [Terms(possibility, level) for possibility in Possibility for level in (0, 1, 2)]


@given(st.sampled_from(TERMS), st.sampled_from(TERMS), st.sampled_from(TERMS), fungibility)
def test_better_is_an_order(a, b, c, rules):
    assert not is_better(a, a, rules)
    assert not (is_better(a, b, rules) and is_better(b, a, rules))
    if is_better(a, b, rules) and is_better(b, c, rules):
        assert is_better(a, c, rules)


@given(st.sampled_from(TERMS), fungibility)
def test_quota_of_its_own_ends_every_search_and_a_dead_end_none(terms, rules):
    if terms.possibility <= Possibility.NO_CANDIDATES:
        assert search_goes_on(terms, rules)
    elif terms == Terms(Possibility.FIT, 0):
        assert not search_goes_on(terms, rules)


def told(possibility, level=0):
    return lambda key, amount: (possibility, level)


def test_who_has_room_asks_about_nobody():
    assert assign(search((4,), (4,), {}, oracle=never), [want(6)]).borrowing == 1


def test_the_first_flavor_where_borrowers_are_to_blame_is_better_than_one_where_the_own_queue_is():
    full = {(Q, "one"): 4, (Q, "two"): 4}
    possible = {"one": Possibility.PREEMPT, "two": Possibility.RECLAIM}
    found = assign(search((4, 4), (0, 0), full, oracle=lambda key, amount: (possible[key.flavor], 0)), [want(4)])
    assert (found.mode, found.flavors) == (Mode.PREEMPT, {"main": {"cpu": "two"}})
    assert found.short == {FlavorResource("two", "cpu")}


def test_more_than_its_own_is_asked_about_only_where_it_may_be_had():
    full, reclaims = {(B, "one"): 8}, PreemptionRules(reclaim=Policy.ANY)
    assert assign(search((4,), (4,), full, oracle=never, preemption=reclaims), [want(6)]).mode is Mode.NO_FIT
    rules = PreemptionRules(reclaim=Policy.LOWER_PRIORITY, borrow=True)
    asked = search((4,), (4,), full, oracle=told(Possibility.RECLAIM, 1), preemption=rules)
    assert assign(asked, [want(6)]).borrowing == 1
    fair = search((4,), (4,), full, oracle=told(Possibility.RECLAIM, 1), preemption=reclaims)
    assert assign(Search(fair.books, fair.queue, fair.oracle, fair_sharing=True), [want(6)]).mode is Mode.PREEMPT


@pytest.mark.parametrize(
    ("cpu", "reason", "detail"),
    [
        (13, Reason.EXCEEDS_MAX_QUOTA, "13 one/cpu is more than the 8 that the queue could ever have"),
        (7, Reason.WAITING_FOR_QUOTA, "1 more one/cpu would have to be free"),
    ],
)
def test_what_does_not_fit_says_why(cpu, reason, detail):
    found = assign(search((4,), (4,), {(B, "one"): 2}), [want(cpu)])
    assert (found.mode, found.reason, found.detail) == (Mode.NO_FIT, reason, detail)


def test_of_several_flavors_the_mildest_reason_is_told():
    tainted = Flavor("two", node_taints=(Taint("gpu"),))
    found = assign(search((4, 4), (0, 0), {(Q, "one"): 4, (B, "one"): 1}, flavors=[tainted]), [want(5)])
    assert found.reason is Reason.EXCEEDS_MAX_QUOTA
    labelled = [Flavor(name, {"type": name}) for name in ("one", "two")]
    found = assign(search((4, 4), (0, 0), {}, flavors=labelled), [want(1, node_selector={"type": "x"})])
    assert (found.reason, found.detail) == (Reason.NO_MATCHING_FLAVOR, "flavor one: its label type is not x")


def test_a_search_goes_on_where_the_last_one_stopped():
    room = search((4, 4, 4), (0, 0, 0), {}, tried={"main": {"cpu": 0}})
    found = assign(room, [want(1)])
    assert (found.flavors["main"]["cpu"], found.tried["main"]["cpu"]) == ("two", 1)
    last = assign(search((4, 4, 4), (0, 0, 0), {}, tried={"main": {"cpu": 1}}), [want(1)])
    assert (last.flavors["main"]["cpu"], last.tried["main"]["cpu"]) == ("three", FROM_THE_FIRST)


def test_only_the_flavors_that_it_had_are_looked_at():
    found = assign(search((4, 4), (0, 0), {}, only={"main": {"cpu": "two"}}), [want(1)])
    assert found.flavors == {"main": {"cpu": "two"}}


def test_a_resource_nobody_counts_may_be_ignored():
    pods = PodSet(count=1, requests={"cpu": 1, "nvidia.com/gpu": 1})
    assert assign(search((4,), (0,), {}), [Want(pods, 1)]).reason is Reason.NO_MATCHING_FLAVOR
    lenient = search((4,), (0,), {}, undeclared=Undeclared.IGNORE)
    assert assign(lenient, [Want(pods, 1)]).flavors == {"main": {"cpu": "one"}}


@given(three, three, use, st.integers(1, 9), fungibility)
def test_where_nobody_is_sent_back_both_ways_of_choosing_agree(own, others, used, cpu, rules):
    """`choices` is for schedulers that look at nodes, too: it goes on where the first choice has none."""
    found = search(own, others, used, fungibility=rules)
    chosen, offered = assign(found, [want(cpu)]), list(choices(found.books, found.queue, [want(cpu)]))
    if chosen.mode is Mode.FIT:
        assert offered[0].flavors == chosen.flavors
        assert offered[0].borrows == (chosen.borrowing > 0)
    else:
        assert offered == []


# -- flavors with a topology --------------------------------------------------------------------------------

RACKS = Topology("racks", ("rack", "kubernetes.io/hostname"))
PLACED = Flavor("two", topology="racks")
RACK = TopologyRequest(mode=Closeness.REQUIRED, level="rack")


def by_topology(*sets, flavors=(PLACED,)):
    found = search((9, 9, 9), (0, 0, 0), {}, flavors=flavors, topologies=[RACKS])
    return assign(found, [want(1, f"s{index}", topology=each) for index, each in enumerate(sets)])


def test_who_asks_for_a_topology_gets_a_flavor_with_it_and_who_does_not_does_not():
    assert by_topology(RACK, None).flavors == {"s0": {"cpu": "two"}, "s1": {"cpu": "one"}}


def test_a_level_that_the_topology_has_not_is_no_match():
    found = by_topology(TopologyRequest(mode=Closeness.REQUIRED, level="block"))
    assert (found.mode, found.reason) == (Mode.NO_FIT, Reason.NO_MATCHING_FLAVOR)


def test_where_every_flavor_has_a_topology_nobody_needs_to_ask():
    every = [Flavor(name, topology="racks") for name in NAMES]
    assert by_topology(None, flavors=every).flavors == {"s0": {"cpu": "one"}}


def test_pod_sets_of_one_group_get_one_flavor():
    """Alone the leader would fit on the second flavor."""
    together = TopologyRequest(mode=Closeness.REQUIRED, level="rack", group="g")
    flavors = [Flavor(name, topology="racks") for name in NAMES]
    found = search((1, 4, 9), (0, 0, 0), {}, flavors=flavors, topologies=[RACKS])
    wants = [want(3, "leader", topology=together), want(2, "workers", 2, topology=together)]
    assert assign(found, wants).flavors == {"leader": {"cpu": "three"}, "workers": {"cpu": "three"}}


def test_a_leader_that_asks_for_nothing_stands_with_its_workers():
    together = TopologyRequest(mode=Closeness.REQUIRED, level="rack", group="g")
    found = search((9, 9), (0, 0), {}, flavors=[PLACED], topologies=[RACKS])
    leader = Want(PodSet(name="leader", count=1, topology=together), 1)
    chosen = assign(found, [leader, want(2, "workers", 2, topology=together)])
    assert chosen.flavors == {"leader": {"cpu": "two"}, "workers": {"cpu": "two"}}
    assert chosen.usage == {FlavorResource("two", "cpu"): 4}


def test_the_number_of_pods_may_be_paid_for_without_a_topology():
    groups = (ResourceGroup(("cpu",), ("two",)), ResourceGroup(("pods",), ("one",)))
    counted = (Quota(flavor="two", resource="cpu", nominal=9), Quota(flavor="one", resource="pods", nominal=9))
    queue = Queue(name="q", quotas=counted, groups=groups)
    books = Books(QuotaTree([queue], []), {}, {"one": Flavor("one"), "two": PLACED}, {"racks": RACKS})
    found = assign(Search(books, queue, never), [want(1, topology=RACK)])
    assert found.flavors == {"main": {"cpu": "two", "pods": "one"}}


def test_a_group_alone_asks_for_no_topology():
    """And still its pod sets get one flavor: the second is the first that has room for both."""
    together = TopologyRequest(group="g", explicit=False)
    found = search((3, 9), (0, 0), {})
    wants = [want(3, "leader", topology=together), want(2, "workers", 2, topology=together)]
    assert assign(found, wants).flavors == {"leader": {"cpu": "two"}, "workers": {"cpu": "two"}}


def test_pods_are_placed_by_one_topology():
    groups = (ResourceGroup(("cpu",), ("one",)), ResourceGroup(("nvidia.com/gpu",), ("two",)))
    counted = tuple(
        Quota(flavor=name, resource=each, nominal=9) for name, each in (("one", "cpu"), ("two", "nvidia.com/gpu"))
    )
    queue = Queue(name="q", quotas=counted, groups=groups)
    flavors = {name: Flavor(name, topology="racks") for name in ("one", "two")}
    books = Books(QuotaTree([queue], []), {}, flavors, {"racks": RACKS})
    pods = PodSet(count=1, requests={"cpu": 1, "nvidia.com/gpu": 1}, topology=RACK)
    found = assign(Search(books, queue, never), [Want(pods, 1)])
    assert (found.mode, found.detail) == (Mode.NO_FIT, "one and two would place its pods by two topologies")


def test_who_asks_for_a_topology_and_for_nothing_else_has_no_place():
    found = search((9,), (0,), {}, flavors=[PLACED], topologies=[RACKS])
    chosen = assign(found, [Want(PodSet(name="idle", count=1, topology=RACK), 1)])
    assert (chosen.mode, chosen.detail) == (Mode.NO_FIT, "no flavor of pod set idle has a topology")
