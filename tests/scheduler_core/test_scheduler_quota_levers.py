"""What a quota hangs on: raise what is told, or end that usage, and the amount is there; with less it is not."""

from dataclasses import replace

from hypothesis import given, strategies as st
from quota_trees import KEY, trees

from scheduler_core import Cohort, Queue, Quota
from scheduler_core.quota_levers import Ledger, Lever, Means, freed, own_nominal, raised
from scheduler_core.quota_tree import Place, QuotaTree
from tests.tried import tried

GPU = KEY.resource


class Books:
    """Queues, cohorts and usage, and the same with levers moved."""

    def __init__(self, queues: list[Queue], cohorts: list[Cohort], used: dict[str, int]) -> None:
        self.queues, self.cohorts, self.used = queues, cohorts, used
        self.tree = QuotaTree(queues, cohorts)
        self.usage: dict = {}
        for name, amount in sorted(used.items()):
            for at, key, value in self.tree.charge(("queue", name), KEY, amount, self.usage):
                self.usage[at, key] = value

    def ledger(self, queue: str) -> Ledger:
        return Ledger(self.tree, self.quota_of, self.usage, ("queue", queue), KEY)

    def quota_of(self, place: Place, key) -> Quota | None:
        places = self.queues if place[0] == "queue" else self.cohorts
        (found,) = [each for each in places if each.name == place[1]]
        return next((quota for quota in found.quotas if quota.key == key), None)

    def available(self, queue: str) -> int:
        return self.tree.available(("queue", queue), KEY, self.usage)

    def moved(self, levers: tuple[Lever, ...]) -> "Books":
        used = dict(self.used)
        queues, cohorts = {each.name: each for each in self.queues}, {each.name: each for each in self.cohorts}
        for lever in levers:
            kind, name = lever.place
            if lever.means is Means.USAGE:
                used[name] -= lever.amount
                assert used[name] >= 0
            elif kind == "queue":
                queues[name] = with_more(queues[name], lever)
            else:
                cohorts[name] = with_more(cohorts[name], lever)
        return Books(list(queues.values()), list(cohorts.values()), used)

    def lets_in(self, queue: str, wanted: int, levers: tuple[Lever, ...]) -> bool:
        return wanted <= self.moved(levers).available(queue)


def with_more(place, lever: Lever):
    field = {Means.BORROWING: "borrowing_limit", Means.LENDING: "lending_limit", Means.NOMINAL: "nominal"}[lever.means]
    quotas = place.quotas or (Quota(resource=GPU, nominal=0),)
    more = tuple(replace(each, **{field: getattr(each, field) + lever.amount}) for each in quotas)
    return replace(place, quotas=more)


def one_less(levers: tuple[Lever, ...]):
    for index, lever in enumerate(levers):
        yield (*levers[:index], replace(lever, amount=lever.amount - 1), *levers[index + 1 :])


@st.composite
def books(draw: st.DrawFn, used_at_most: int = 8) -> tuple[Books, str, int]:
    queues, cohorts = draw(trees())
    used = {each.name: draw(st.integers(0, used_at_most)) for each in queues}
    return Books(queues, cohorts, used), draw(st.sampled_from([each.name for each in queues])), draw(st.integers(1, 30))


@given(books())
@tried(1500)
def test_raising_exactly_these_limits_lets_it_in_and_less_does_not(drawn: tuple[Books, str, int]) -> None:
    there, queue, wanted = drawn
    if wanted <= there.available(queue):
        return
    levers = raised(there.ledger(queue), wanted)
    assert there.lets_in(queue, wanted, levers)
    assert not any(there.lets_in(queue, wanted, less) for less in one_less(levers))


@given(books())
@tried(600)
def test_so_much_more_of_its_own_lets_it_in_and_less_does_not(drawn: tuple[Books, str, int]) -> None:
    there, queue, wanted = drawn
    if wanted <= there.available(queue):
        return
    lever = own_nominal(there.ledger(queue), wanted)
    assert there.lets_in(queue, wanted, (lever,))
    assert not there.lets_in(queue, wanted, (replace(lever, amount=lever.amount - 1),))


@given(books(), st.integers(1, 12))
@tried(1500)
def test_ending_exactly_that_usage_lets_it_in_and_less_does_not(drawn: tuple[Books, str, int], more: int) -> None:
    there, queue, _ = drawn
    wanted = min(max(0, there.available(queue)) + more, there.tree.potential(("queue", queue), KEY))
    if wanted <= there.available(queue):
        return
    levers = freed(there.ledger(queue), wanted)
    assert levers and there.lets_in(queue, wanted, levers)
    assert not any(there.lets_in(queue, wanted, less) for less in one_less(levers))


def quota(nominal: int, borrowing: int | None = None, lending: int | None = None) -> tuple[Quota, ...]:
    return (Quota(resource=GPU, nominal=nominal, borrowing_limit=borrowing, lending_limit=lending),)


def test_a_lending_limit_of_a_neighbour_is_named_and_not_the_own_borrowing_limit() -> None:
    queues = [
        Queue(name="a", cohort="all", quotas=quota(4, borrowing=20)),
        Queue(name="b", cohort="all", quotas=quota(10, lending=2)),
    ]
    there = Books(queues, [Cohort(name="all")], {})
    assert raised(there.ledger("a"), 12) == (Lever(Means.LENDING, ("queue", "b"), KEY, 6),)


def test_a_limit_in_the_middle_of_the_tree_is_named_with_its_place() -> None:
    cohorts = [
        Cohort(name="root", quotas=quota(20)),
        Cohort(name="left", parent="root", quotas=quota(0, borrowing=4)),
    ]
    there = Books([Queue(name="a", cohort="left", quotas=quota(2))], cohorts, {})
    assert raised(there.ledger("a"), 9) == (Lever(Means.BORROWING, ("cohort", "left"), KEY, 3),)


def test_without_anybody_to_lend_the_root_has_too_little() -> None:
    there = Books([Queue(name="a", quotas=quota(2))], [], {"a": 1})
    assert raised(there.ledger("a"), 4) == (Lever(Means.NOMINAL, ("queue", "a"), KEY, 3),)


def test_what_a_neighbour_holds_of_what_it_never_lends_helps_nobody() -> None:
    """b holds 6, of which 5 would stay with b in any case: only 1 of it is felt."""
    queues = [
        Queue(name="a", cohort="all", quotas=quota(4)),
        Queue(name="b", cohort="all", quotas=quota(6, lending=1)),
    ]
    there = Books(queues, [Cohort(name="all")], {"a": 3, "b": 6})
    assert freed(there.ledger("a"), 5) == (
        Lever(Means.USAGE, ("queue", "a"), KEY, 3),
        Lever(Means.USAGE, ("queue", "b"), KEY, 1),
    )
