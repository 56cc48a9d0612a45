"""Lending and borrowing: how much may each queue still take?"""

import pytest
from hypothesis import given, strategies as st
from quota_trees import trees
from schedule_language import GPU, cluster

from scheduler_core import Cohort, FlavorResource, Invalid, Queue, Quota, Unknown
from scheduler_core.quota_tree import Place, QuotaTree

KEY = FlavorResource("default", GPU)


def may_take(world, queue):
    return world.snapshot.available(queue, KEY)


def test_a_queue_alone_has_its_nominal_quota():
    world = cluster().node("n", 64).queue("a", 16).gang("g", pods=1, gpus=6, queue="a")
    world.run()
    assert may_take(world, "a") == 10


def test_queues_of_a_cohort_borrow_what_the_others_leave():
    world = cluster().node("n", 64).cohort("all").queue("a", 8, cohort="all").queue("b", 8, cohort="all")
    assert may_take(world, "a") == 16
    world.gang("g", pods=3, gpus=4, queue="a").run()
    assert (may_take(world, "a"), may_take(world, "b")) == (4, 4)


def test_a_borrowing_limit_bounds_what_is_taken_from_others():
    world = cluster().cohort("all").queue("a", 8, borrowing_limit=2, cohort="all").queue("b", 8, cohort="all")
    assert (may_take(world, "a"), may_take(world, "b")) == (10, 16)


def test_a_lending_limit_keeps_quota_at_home():
    world = cluster().cohort("all").queue("a", 8, cohort="all").queue("b", 8, lending_limit=3, cohort="all")
    assert (may_take(world, "a"), may_take(world, "b")) == (11, 16)


def test_usage_within_what_is_never_lent_does_not_reach_the_cohort():
    world = cluster().node("n", 64).cohort("all").queue("a", 8, cohort="all")
    world.queue("b", 8, lending_limit=3, cohort="all").gang("g", pods=5, gpus=1, queue="b").run()
    assert may_take(world, "a") == 11
    world.gang("h", pods=2, gpus=1, queue="b").run()
    assert may_take(world, "a") == 9


def test_a_cohort_of_cohorts_has_quota_of_its_own_and_limits():
    world = cluster().cohort("root", quota=10).cohort("left", "root", quota=0, borrowing_limit=4)
    world.cohort("right", "root").queue("a", 8, cohort="left").queue("b", 8, cohort="right")
    assert may_take(world, "a") == 8 + 4
    assert may_take(world, "b") == 8 + 8 + 10


def test_quota_taken_away_from_running_work_leaves_a_negative_amount():
    world = cluster().node("n", 64).queue("a", 16).gang("g", pods=1, gpus=12, queue="a")
    world.run()
    world.snapshot.replace_queue(Queue(name="a", quotas=(Quota(resource=GPU, nominal=8),)))
    assert may_take(world, "a") == -4


def test_pods_that_run_without_admission_use_quota_too():
    world = cluster().nodes(2).queue("a", 64).gang("g", pods=3, queue="a").running("g", "gpu-0", "gpu-1")
    assert may_take(world, "a") == 48
    world.snapshot.release("g-main-0")
    assert may_take(world, "a") == 56


def test_cohorts_in_a_circle_and_unknown_cohorts_are_refused():
    with pytest.raises(Invalid, match="circle"):
        QuotaTree([], [Cohort(name="a", parent="b"), Cohort(name="b", parent="a")])
    with pytest.raises(Unknown, match="Queue 'q': cohort"):
        QuotaTree([Queue(name="q", cohort="nowhere")], [])


# -- the definition, written down a second time: recursive, from the leaves' usage alone ------------------------------


class Reference:
    """scheduling.md's formulas, one line each; usage of a cohort is derived, never counted along."""

    def __init__(self, queues, cohorts, used):
        self.parents = {("cohort", c.name): c.parent and ("cohort", c.parent) for c in cohorts}
        self.parents |= {("queue", q.name): q.cohort and ("cohort", q.cohort) for q in queues}
        self.quota = {("cohort", c.name): (c.quotas or [None])[0] for c in cohorts}
        self.quota |= {("queue", q.name): q.quotas[0] for q in queues}
        self.used = used

    def children(self, place):
        return [child for child, parent in self.parents.items() if parent == place]

    def subtree(self, place):
        own = self.quota[place].nominal if self.quota[place] else 0
        return own + sum(self.subtree(child) - self.local(child) for child in self.children(place))

    def local(self, place):
        limit = self.quota[place].lending_limit if self.quota[place] else None
        return 0 if limit is None else max(0, self.subtree(place) - limit)

    def usage(self, place):
        above = (max(0, self.usage(child) - self.local(child)) for child in self.children(place))
        return self.used.get(place, 0) + sum(above)

    def available(self, place):
        subtree, usage, parent = self.subtree(place), self.usage(place), self.parents[place]
        if parent is None:
            return subtree - usage
        local, from_parent = self.local(place), self.available(parent)
        limit = self.quota[place].borrowing_limit if self.quota[place] else None
        if limit is not None:
            from_parent = min(from_parent, (subtree - local) - max(0, usage - local) + limit)
        return max(0, local - usage) + from_parent


@given(trees(), st.lists(st.tuples(st.integers(0, 3), st.integers(-6, 9)), max_size=6))
def test_counting_step_by_step_gives_what_the_definition_gives(tree, steps):
    queues, cohorts = tree
    counted, used = QuotaTree(queues, cohorts), {}
    usage: dict[tuple[Place, FlavorResource], int] = {}
    for which, wanted in steps:
        place = ("queue", queues[which % len(queues)].name)
        amount = max(wanted, -used.get(place, 0))
        used[place] = used.get(place, 0) + amount
        for at, key, value in counted.charge(place, KEY, amount, usage):
            usage[at, key] = value
    reference = Reference(queues, cohorts, used)
    for place in counted.places():
        assert usage.get((place, KEY), 0) == reference.usage(place)
        assert counted.available(place, KEY, usage) == reference.available(place)
        assert counted.potential(place, KEY) >= counted.available(place, KEY, {})
