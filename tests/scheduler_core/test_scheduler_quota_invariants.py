"""Quota against brute force: the balances of KEP-79 counted from the leaves, shares from their definition."""

from fractions import Fraction
from math import ceil

from hypothesis import assume, given, strategies as st
from quota_trees import GPU, KEY, Balances, trees

from scheduler_core import Cohort, Gang, PodSet, Queue, Quota, Settings, Snapshot
from scheduler_core.quota_levels import height, lowest_level
from scheduler_core.quota_tree import QuotaTree
from scheduler_core.scheduler import run
from scheduler_core.shares import share
from scheduler_core.state import Admission, GangState

steps = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 14)), max_size=8)


def admitted(queues, cohorts, wanted):
    """(tree, usage, what each queue uses) after every step that the tree allows."""
    tree, usage, used = QuotaTree(queues, cohorts), {}, {}
    for which, amount in wanted:
        place = ("queue", queues[which % len(queues)].name)
        if amount <= tree.available(place, KEY, usage):
            used[place] = used.get(place, 0) + amount
            usage.update({(at, key): value for at, key, value in tree.charge(place, KEY, amount, usage)})
    return tree, usage, used


@given(trees(), steps)
def test_what_is_available_is_the_most_that_the_balances_allow(drawn, wanted):
    queues, cohorts = drawn
    tree, usage, used = admitted(queues, cohorts, wanted)
    balances = Balances(queues, cohorts)
    assert balances.hold(used)
    for queue in queues:
        place = ("queue", queue.name)
        most = tree.available(place, KEY, usage)
        assert balances.hold({**used, place: used.get(place, 0) + most})
        assert not balances.hold({**used, place: used.get(place, 0) + most + 1})


@given(trees())
def test_the_potential_is_what_an_empty_tree_has(drawn):
    queues, cohorts = drawn
    tree = QuotaTree(queues, cohorts)
    for place in tree.places():
        assert tree.potential(place, KEY) == tree.available(place, KEY, {})


@given(trees(), steps, st.data())
def test_what_is_given_back_is_there_again(drawn, wanted, data):
    queues, cohorts = drawn
    tree, usage, _used = admitted(queues, cohorts, wanted)
    before = {key: value for key, value in usage.items() if value}
    place = ("queue", data.draw(st.sampled_from([each.name for each in queues])))
    amount = data.draw(st.integers(0, 20))
    for sign in (1, -1):
        usage.update({(at, key): value for at, key, value in tree.charge(place, KEY, sign * amount, usage)})
    assert {key: value for key, value in usage.items() if value} == before


@given(trees(), steps, st.integers(0, 14))
def test_the_level_is_the_height_of_the_smallest_subtree_with_room(drawn, wanted, amount):
    queues, cohorts = drawn
    tree, usage, _used = admitted(queues, cohorts, wanted)
    for queue in queues:
        place = ("queue", queue.name)
        assume(tree.parent(place) is not None)
        level, _ = lowest_level(tree, place, KEY, amount, usage)
        after = dict(usage)
        after.update({(at, key): value for at, key, value in tree.charge(place, KEY, amount, usage)})
        roomy = [each for each in (place, *tree.above(place)) if after.get((each, KEY), 0) <= tree.subtree(each, KEY)]
        assert level == height(tree, roomy[0] if roomy else tree.root(place))


@given(trees(), steps)
def test_shares_are_what_their_definition_says(drawn, wanted):
    queues, cohorts = drawn
    tree, usage, _used = admitted(queues, cohorts, wanted)
    weights = {("queue", each.name): each.weight for each in queues}
    weights |= {("cohort", each.name): each.weight for each in cohorts}
    for place in tree.places():
        found, parent = share(tree, place, usage), tree.parent(place)
        borrowed = max(0, usage.get((place, KEY), 0) - tree.subtree(place, KEY))
        lendable = 0 if parent is None else tree.available(parent, KEY, {})
        if parent is None or not borrowed or not lendable:
            assert (found.value, found.resource) == (0, "")
        elif weights[place] == 0:
            assert (found.value, found.resource) == (2**63 - 1, GPU)
        else:
            assert found.value == ceil(Fraction(1000 * borrowed, lendable) / weights[place])


@given(trees(), steps, st.integers(1, 5))
def test_shares_never_fall_when_more_is_used_and_are_the_same_when_told_beforehand(drawn, wanted, amount):
    queues, cohorts = drawn
    tree, usage, _used = admitted(queues, cohorts, wanted)
    for queue in queues:
        place = ("queue", queue.name)
        after = dict(usage)
        after.update({(at, key): value for at, key, value in tree.charge(place, KEY, amount, usage)})
        assert share(tree, place, usage).order <= share(tree, place, after).order
        assert share(tree, place, usage, {KEY: amount}) == share(tree, place, after)


def gang(name, gpus, queue, least=None):
    return Gang(name=name, queue=queue, pod_sets=(PodSet(count=gpus, min_count=least, requests={GPU: 1}),))


@given(trees(), st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6), st.integers(1, 6)), max_size=6))
def test_whoever_is_let_in_the_balances_hold(drawn, wanted):
    queues, cohorts = drawn
    snapshot = Snapshot(cohorts=cohorts, queues=queues)
    for index, (which, gpus, least) in enumerate(wanted):
        snapshot.add_gang(gang(f"g{index}", gpus, queues[which % len(queues)].name, min(gpus, least)))
    run(snapshot, 0, Settings(place=False))
    used = {}
    for each in snapshot.gangs.values():
        admission = snapshot.state_of(each.name).admission
        if admission is not None:
            assert each.minimum <= sum(admission.counts.values()) <= each.count
            used["queue", each.queue] = used.get(("queue", each.queue), 0) + sum(admission.counts.values())
    assert Balances(queues, cohorts).hold(used)


@given(trees(), st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), min_size=1, max_size=5), st.data())
def test_a_fork_leaves_quota_as_it_was(drawn, wanted, data):
    queues, cohorts = drawn
    snapshot = Snapshot(cohorts=cohorts, queues=queues)
    for index, (which, gpus) in enumerate(wanted):
        made = gang(f"g{index}", gpus, queues[which % len(queues)].name)
        snapshot.add_gang(made)
        snapshot.restore(made.name, GangState(admission=Admission(index, {"main": gpus})))
    before = snapshot.contents()
    with snapshot.fork():
        name = data.draw(st.sampled_from(sorted(snapshot.gangs)))
        snapshot.evict(name, 1)
        snapshot.replace_queue(Queue(name=queues[0].name, quotas=(Quota(resource=GPU, nominal=1),)))
        snapshot.add_cohort(Cohort(name="new"))
        snapshot.remove_gang(name)
        assert snapshot.contents() != before
    assert snapshot.contents() == before
