"""Usage in pencil is written in place and keeps note of who borrows; both as the slow definitions have it."""

from hypothesis import given, strategies as st
from quota_trees import KEY, trees

from scheduler_core.pencil import Pencil
from scheduler_core.quota_tree import QuotaTree

steps = st.lists(st.tuples(st.integers(0, 3), st.integers(-14, 14), st.booleans()), max_size=12)


@given(trees(), steps)
def test_writing_in_place_is_what_the_tree_counts_and_is_taken_back_exactly(drawn, wanted):
    queues, cohorts = drawn
    tree = QuotaTree(queues, cohorts)
    pencil, usage = Pencil(tree, {}), {}
    for which, amount, asks in wanted:
        place = ("queue", queues[which % len(queues)].name)
        pencil.add(place, {KEY: amount})
        usage.update({(at, key): value for at, key, value in tree.charge(place, KEY, amount, usage)})
        if asks:  # from then on who borrows is kept in step
            _same_borrowers(pencil, tree)
    assert {at: used for at, used in pencil.usage.items() if used} == {at: used for at, used in usage.items() if used}
    _same_borrowers(pencil, tree)
    for which, amount, _ in reversed(wanted):
        pencil.take(("queue", queues[which % len(queues)].name), {KEY: amount})
        _same_borrowers(pencil, tree)
    assert not any(pencil.usage.values())


def _same_borrowers(pencil, tree):
    for place in tree.places():
        children = (
            child for child in tree.children(place) if pencil.usage.get((child, KEY), 0) > tree.subtree(child, KEY)
        )
        assert pencil.over_nominal(place, {KEY}) == sorted(children)


@given(trees(), steps)
def test_a_copy_is_a_sheet_of_its_own(drawn, wanted):
    queues, cohorts = drawn
    pencil = Pencil(QuotaTree(queues, cohorts), {})
    copy = pencil.copy()
    for which, amount, _ in wanted:
        copy.add(("queue", queues[which % len(queues)].name), {KEY: amount})
    assert not any(pencil.usage.values())


@given(trees(), steps)
def test_what_is_free_is_what_the_recursion_of_the_document_says(drawn, wanted):
    queues, cohorts = drawn
    tree = QuotaTree(queues, cohorts)
    limits = {("queue", each.name): each.quotas for each in queues} | {
        ("cohort", each.name): each.quotas for each in cohorts
    }
    pencil = Pencil(tree, {})
    for which, amount, _ in wanted:
        pencil.add(("queue", queues[which % len(queues)].name), {KEY: abs(amount)})

    def slow(place):
        used, subtree, local = pencil.usage.get((place, KEY), 0), tree.subtree(place, KEY), tree.local(place, KEY)
        parent = tree.parent(place)
        if parent is None:
            return subtree - used
        above = slow(parent)
        limit = next((each.borrowing_limit for each in limits[place]), None)
        if limit is not None:
            above = min(above, (subtree - local) - max(0, used - local) + limit)
        return max(0, local - used) + above

    for place in tree.places():
        assert tree.available(place, KEY, pencil.usage) == slow(place)
