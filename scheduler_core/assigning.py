"""The flavors of a gang: a walk over its pod sets and, for each group of resources, over the queue's flavors in order.

Every flavor is weighed by the quota that is free and by whom the gang could send back (the caller's oracle); the
queue's fungibility rules say when to stop and what to prefer (`fungibility.py`). What earlier pod sets of the gang were
given counts as used. Pod sets of one topology group get the same flavors. Flavors are chosen greedily, pod set by pod
set, and never taken back, as Kueue does. Seats on nodes are looked for afterwards, elsewhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from scheduler_core.explanation import Reason
from scheduler_core.flavors import Books, Chosen, Want, asks_for_topology, suits, suits_topology
from scheduler_core.fungibility import BEST, FIT, NO_FIT, WORST, Mode, Possibility, Terms, is_better, search_goes_on
from scheduler_core.model import PODS, PodSet
from scheduler_core.placement import with_pod
from scheduler_core.quota import Flavor, FlavorResource, Policy, Queue, ResourceGroup, Undeclared
from scheduler_core.quota_levels import lowest_level
from scheduler_core.quota_tree import Place

Tried = Mapping[str, Mapping[str, int]]  # pod set -> resource -> index of the flavor that was looked at last
Oracle = Callable[[FlavorResource, int], tuple[Possibility, int]]  # whom could it send back, and how would it borrow

_SEVERITY = (Reason.WAITING_FOR_QUOTA, Reason.EXCEEDS_MAX_QUOTA, Reason.NO_MATCHING_FLAVOR)
FROM_THE_FIRST = -1
_FITS, _PREEMPT, _ = Mode
_WAITING = Reason.WAITING_FOR_QUOTA


class Assigned(NamedTuple):
    """What a gang would be charged, and on what terms. Without flavors where one pod set found none."""

    mode: Mode
    flavors: Chosen = {}
    usage: Mapping[FlavorResource, int] = {}
    borrowing: int = 0  # the highest level that any of it is borrowed from
    short: frozenset[FlavorResource] = frozenset()  # what others would have to give up
    tried: Tried = {}  # FROM_THE_FIRST: all flavors were looked at
    reason: Reason | None = None  # of NoFit
    detail: str = ""


_undeclared = lru_cache(maxsize=64)(Flavor)  # by name: one that nobody declared has neither labels nor taints


def left_to_try(tried: Tried) -> bool:
    """Did the search end before the last flavor?"""
    return any(index != FROM_THE_FIRST for each in tried.values() for index in each.values())


class Search(NamedTuple):
    """The ground that flavors are chosen on."""

    books: Books
    queue: Queue
    oracle: Oracle
    fair_sharing: bool = False
    only: Chosen | None = None  # no other flavors than these
    tried: Tried = {}

    @property
    def place(self) -> Place:
        return ("queue", self.queue.name)


def assign(search: Search, wants: Sequence[Want]) -> Assigned:
    walk = _Walk(search)
    for members in _grouped(wants):
        misfit = walk.group(members)
        if misfit is not None:
            return walk.broken_off(misfit)
    return walk.result()


def _grouped(wants: Sequence[Want]) -> Iterable[list[Want]]:
    groups: dict[object, list[Want]] = {}
    for index, want in enumerate(wants):
        topology = want.pod_set.topology
        groups.setdefault(index if topology is None or topology.group is None else topology.group, []).append(want)
    return groups.values()


class _Misfit(NamedTuple):
    reason: Reason
    detail: str


class _Found(NamedTuple):
    flavor: str
    terms: Mapping[str, Terms]  # by resource
    tried: int = FROM_THE_FIRST


class _Walk:
    """What has been decided so far."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._usage: dict[FlavorResource, int] = {}
        self._flavors: dict[str, dict[str, str]] = {}
        self._tried: dict[str, dict[str, int]] = {}
        self._short: set[FlavorResource] = set()
        self.borrowing = 0

    def broken_off(self, misfit: _Misfit) -> Assigned:
        """What earlier pod sets had not looked at they may look at the next time."""
        tried = {name: each for name, each in self._tried.items() if each}
        return Assigned(Mode.NO_FIT, borrowing=self.borrowing, tried=tried, reason=misfit.reason, detail=misfit.detail)

    def result(self) -> Assigned:
        mode = _PREEMPT if self._short else _FITS
        usage = {key: amount for key, amount in self._usage.items() if amount}
        return Assigned(mode, self._flavors, usage, self.borrowing, frozenset(self._short), self._tried)

    def group(self, members: Sequence[Want]) -> _Misfit | None:
        """One pod set, or those that share a topology group."""
        amounts = [_amounts(want) for want in members]
        total = amounts[0] if len(amounts) == 1 else _sum(amounts)
        found: dict[str, _Found] = {}
        group_of = self._search.queue.group_of
        for resource in sorted(total):
            group = group_of(resource)
            if group is None:
                if self._is_missed(resource, total[resource]):
                    return _Misfit(Reason.NO_MATCHING_FLAVOR, f"the queue has no quota for {resource}")
            elif resource not in found:
                wanted = {name: total[name] for name in group.resources if name in total}
                one = self._flavor(group, resource, wanted, [want.pod_set for want in members])
                if isinstance(one, _Misfit):
                    return one
                found.update(dict.fromkeys(wanted, one))
        for want, each in zip(members, amounts, strict=True):
            self._keep(want.pod_set, each, found)
        return next((misfit for want in members if (misfit := self._torn(want)) is not None), None)

    def _torn(self, want: Want) -> _Misfit | None:
        """A pod stands in one place: of its flavors one has a topology, where that is asked for, and never two."""
        if not self._search.books.topologies and not asks_for_topology(want.pod_set):
            return None
        known, told = self._search.books.flavors, self._flavors[want.pod_set.name].values()
        placed = sorted({name for name in told if name in known and known[name].topology is not None})
        if len(placed) > 1:
            return _Misfit(Reason.NO_MATCHING_FLAVOR, f"{' and '.join(placed)} would place its pods by two topologies")
        if want.count and not placed and asks_for_topology(want.pod_set):
            return _Misfit(Reason.NO_MATCHING_FLAVOR, f"no flavor of pod set {want.pod_set.name} has a topology")
        return None

    def _is_missed(self, resource: str, amount: int) -> bool:
        queue = self._search.queue
        if not amount or resource == PODS or queue.undeclared is not Undeclared.BLOCK:
            return False
        return not resource.startswith(queue.overlooked)

    def _keep(self, pod_set: PodSet, amounts: Mapping[str, int], found: Mapping[str, _Found]) -> None:
        flavors, tried = self._flavors.setdefault(pod_set.name, {}), self._tried.setdefault(pod_set.name, {})
        for resource, amount in amounts.items():
            if resource in found:
                one = found[resource]
                key, terms = FlavorResource(one.flavor, resource), one.terms[resource]
                flavors[resource], tried[resource] = one.flavor, one.tried
                self._usage[key] = self._usage.get(key, 0) + amount
                self.borrowing = max(self.borrowing, terms.level)
                if terms.possibility is not FIT:
                    self._short.add(key)
        if not flavors and pod_set.topology is not None and pod_set.topology.group is not None:
            flavors.update(self._with_topology(found))  # a leader that asks for nothing stands with its workers

    def _with_topology(self, found: Mapping[str, _Found]) -> dict[str, str]:
        known = self._search.books.flavors
        placed = {resource: known.get(one.flavor, Flavor(one.flavor)) for resource, one in found.items()}
        return {resource: flavor.name for resource, flavor in placed.items() if flavor.topology is not None}

    def _flavor(
        self, group: ResourceGroup, resource: str, wanted: Mapping[str, int], pod_sets: Sequence[PodSet]
    ) -> "_Found | _Misfit":
        """The first flavor that ends the search, else the best of all."""
        rules, best, best_terms = self._search.queue.fungibility, None, WORST
        misfits: list[_Misfit] = []
        last = self._search.tried.get(pod_sets[0].name, {}).get(resource, FROM_THE_FIRST)
        for flavor in group.flavors[last + 1 :]:
            last += 1
            misfit = self._does_not_suit(flavor, group, resource, pod_sets)
            if misfit is None:
                terms, worst, misfit = self._terms(flavor, wanted)
                stops = not search_goes_on(worst, rules)
                if stops or is_better(worst, best_terms, rules):
                    best, best_terms = _Found(flavor, terms), worst
                if stops:
                    break
            if misfit is not None:
                misfits.append(misfit)
        if best is None:
            return min(misfits, key=lambda each: _SEVERITY.index(each.reason), default=_nothing(group))
        return _Found(best.flavor, best.terms, FROM_THE_FIRST if last == len(group.flavors) - 1 else last)

    def _does_not_suit(
        self, name: str, group: ResourceGroup, resource: str, pod_sets: Sequence[PodSet]
    ) -> _Misfit | None:
        only = self._search.only
        if only is not None and all(only.get(each.name, {}).get(resource) != name for each in pod_sets):
            return _Misfit(Reason.NO_MATCHING_FLAVOR, f"flavor {name} is not the one that it had")
        books = self._search.books
        flavor = books.flavors.get(name) or _undeclared(name)
        for each in pod_sets:
            barrier = suits(flavor, each) or suits_topology(books, self._search.queue, flavor, group, each)
            if barrier:
                return _Misfit(Reason.NO_MATCHING_FLAVOR, f"flavor {name}: {barrier}")
        return None

    def _terms(self, flavor: str, wanted: Mapping[str, int]) -> tuple[dict[str, Terms], Terms, _Misfit | None]:
        """By resource, and the worst of them."""
        rules, worst, terms, misfit = self._search.queue.fungibility, BEST, {}, None
        for resource, amount in sorted(wanted.items()) if len(wanted) > 1 else wanted.items():
            terms[resource], found = self._terms_of(FlavorResource(flavor, resource), amount)
            if is_better(worst, terms[resource], rules):
                worst, misfit = terms[resource], found
            if worst.possibility is NO_FIT:
                break
        return terms, worst, misfit

    def _terms_of(self, key: FlavorResource, amount: int) -> tuple[Terms, _Misfit | None]:
        tree, usage, place = self._search.books.tree, self._search.books.usage, self._search.place
        amount += self._usage.get(key, 0)
        most = tree.potential(place, key)
        if amount > most:
            told = f"{amount} {key} is more than the {most} that the queue could ever have"
            return WORST, _Misfit(Reason.EXCEEDS_MAX_QUOTA, told)
        level, may_reclaim = lowest_level(tree, place, key, amount, usage)
        free = max(0, tree.available(place, key, usage))
        if amount <= free:
            return Terms(FIT, level), None
        waits = _Misfit(_WAITING, f"{amount - free} more {key} would have to be free")
        if amount <= tree.nominal(place, key) or may_reclaim or self._may_borrow_by_preempting():
            possibility, level = self._search.oracle(key, amount)
            return Terms(possibility, level), waits
        return Terms(NO_FIT, level), waits

    def _may_borrow_by_preempting(self) -> bool:
        """With fair shares, whoever may reclaim may do so even while it borrows: from those who borrow more."""
        rules = self._search.queue.preemption
        return rules.borrow or (self._search.fair_sharing and rules.reclaim is not Policy.NEVER)


def _amounts(want: Want) -> dict[str, int]:
    return {resource: amount * want.count for resource, amount in with_pod(want.pod_set.requests).items()}


def _sum(amounts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in amounts:
        for resource, amount in each.items():
            total[resource] = total.get(resource, 0) + amount
    return total


def _nothing(group: ResourceGroup) -> _Misfit:
    return _Misfit(Reason.NO_MATCHING_FLAVOR, f"no flavor is left for {', '.join(group.resources)}")
