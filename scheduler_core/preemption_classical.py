"""Whom a gang may send back for quota: Kueue's classical preemption (KEP-83, KEP-1337), over cohorts of any depth.

Candidates are of three kinds. *Hierarchical*: the gang's own subtree has the quota, and somebody outside uses it; such
a candidate goes whatever borrowing rules say. *Of other queues* otherwise: it goes where the gang would not borrow in
the end, or where its queue may reclaim while borrowing and the candidate's priority is below the threshold. *Of its own
queue*. A queue or cohort that is within its nominal quota is left alone, and so is everything under it. Candidates are
taken in order until the gang fits, then given back, last ones first, as long as it still fits.

The lists of holders are sorted already, so candidates are merged as they are asked for: a gang that needs two victims
looks at two, not at all that run.
"""

from collections.abc import Collection, Iterable, Iterator
from heapq import merge
from typing import NamedTuple

from scheduler_core.bid import Bid, Ground
from scheduler_core.holders import Holder, Order
from scheduler_core.quota import FlavorResource, Policy
from scheduler_core.quota_levels import fits_within
from scheduler_core.quota_tree import Place
from scheduler_core.removal import Removal
from scheduler_core.victims import Cause, Victim

_NEVER, _ANY, _LOWER = Policy.NEVER, Policy.ANY, Policy.LOWER_PRIORITY
_IN_QUEUE, _RECLAIM, _BORROWING = Cause.IN_QUEUE, Cause.RECLAIM, Cause.RECLAIM_WHILE_BORROWING


class _Candidate(NamedTuple):
    holder: Holder
    cause: Cause
    only_without_borrowing: bool = False
    cohorts: tuple[Place, ...] = ()  # above its queue, below the cohort that it shares with the gang


class _Line:
    """Candidates of one kind in their order, found when they are asked for, and remembered."""

    def __init__(self, found: Iterable[_Candidate]) -> None:
        self._found, self._known = iter(found), list[_Candidate]()

    def at(self, index: int) -> _Candidate | None:
        if index == len(self._known):
            following = next(self._found, None)
            if following is None:
                return None
            self._known.append(following)
        return self._known[index]

    def __bool__(self) -> bool:
        return self.at(0) is not None

    def leaving(self) -> Iterator[_Candidate]:
        """Those that were sent back already."""
        index = 0
        while (each := self.at(index)) is not None and each.holder.evicted:
            yield each
            index += 1

    def staying(self) -> Iterator[_Candidate]:
        index = sum(1 for _ in self.leaving())
        while (each := self.at(index)) is not None:
            yield each
            index += 1


class _Candidates(NamedTuple):
    hierarchical: _Line
    of_others: _Line
    of_own_queue: _Line

    def in_order(self) -> Iterator[_Candidate]:
        kinds = (self.hierarchical, self.of_others, self.of_own_queue)
        for kind in kinds:
            yield from kind.leaving()
        for kind in kinds:
            yield from kind.staying()


_NOBODY = _Line(())


def classical(ground: Ground, bid: Bid) -> tuple[Victim, ...]:
    """As few as make room, or nobody. Only for a gang that does not fit as it is."""
    found = _candidates(ground, bid)
    for borrowing in _attempts(ground, bid, found):
        causes: dict[str, Cause] = {}
        others_stay = borrowing and not bid.queue.preemption.borrow  # all of them go only where it does not borrow
        of_others = _NOBODY if others_stay else found.of_others
        if not (found.of_own_queue or found.hierarchical or of_others):
            continue
        candidates = _Candidates(found.hierarchical, of_others, found.of_own_queue)
        allowed = _still_allowed(ground, bid, candidates.in_order(), borrowing, causes)
        taken = Removal(ground, bid, borrowing).enough(allowed)
        if taken:
            return tuple(Victim(each.name, causes[each.name]) for each in taken)
    return ()


def _attempts(ground: Ground, bid: Bid, found: _Candidates) -> tuple[bool, ...]:
    """May it borrow in the end? Kueue's order of trying: without borrowing there are more candidates."""
    forbidden = not bid.queue.preemption.borrow
    if not found.hierarchical and not found.of_others:
        return (True,)
    if forbidden and not _under_nominal(ground, bid):
        return (True,)
    return (False, True) if forbidden and not found.hierarchical else (True, False)


def _under_nominal(ground: Ground, bid: Bid) -> bool:
    tree, usage = ground.pencil.tree, ground.pencil.usage
    return all(usage.get((bid.place, key), 0) < tree.nominal(bid.place, key) for key in bid.short)


def _still_allowed(
    ground: Ground, bid: Bid, ordered: Iterable[_Candidate], borrowing: bool, causes: dict[str, Cause]
) -> Iterator[Holder]:
    """Asked one by one, since whoever went before may have left the next one's queue within its nominal quota."""
    within = ground.pencil.within_nominal
    for each in ordered:
        if each.cause is not _IN_QUEUE:
            if borrowing and each.only_without_borrowing:
                continue
            if within(each.holder.queue, bid.short) or any(within(cohort, bid.short) for cohort in each.cohorts):
                continue
        causes[each.holder.name] = each.cause
        yield each.holder


# -- who is a candidate ------------------------------------------------------------------------------------------------


def _candidates(ground: Ground, bid: Bid) -> _Candidates:
    rules = bid.queue.preemption
    own = _of_queue(ground, bid, bid.place, rules.within_queue)
    of_own_queue = _Line(_Candidate(each, _IN_QUEUE) for each in own)
    if rules.reclaim is _NEVER:
        return _Candidates(_NOBODY, _NOBODY, of_own_queue)
    hierarchical, of_others = _of_other_queues(ground, bid)
    return _Candidates(_merged(hierarchical), _merged(of_others), of_own_queue)


def _of_other_queues(ground: Ground, bid: Bid) -> tuple[list[Iterator[_Candidate]], list[Iterator[_Candidate]]]:
    """With a hierarchical advantage, and without; the latter left out where none of them could be sent back."""
    tree, usage, wants = ground.pencil.tree, ground.pencil.usage, bid.wants
    of_use = bid.queue.preemption.borrow or _under_nominal(ground, bid)
    kinds: dict[bool, list[Iterator[_Candidate]]] = {True: [], False: []}
    advantage, seen = False, bid.place
    for cohort in tree.above(bid.place):
        fits, wants = fits_within(tree, seen, wants, usage)
        advantage = advantage or fits
        if advantage or of_use:
            for queue, cohorts in _over_nominal(ground, bid.short, cohort, seen):
                kinds[advantage].append(_of_other(ground, bid, queue, cohorts, advantage))
        seen = cohort
    return kinds[True], kinds[False]


def _merged(lines: list[Iterator[_Candidate]]) -> _Line:
    return _Line(merge(*lines, key=_order)) if lines else _NOBODY


def _order(candidate: _Candidate) -> Order:
    return candidate.holder.order


def _of_queue(ground: Ground, bid: Bid, queue: Place, policy: Policy) -> Iterator[Holder]:
    if policy is _NEVER:
        return
    bound = float("inf") if policy is _ANY else bid.gang.priority
    if policy is _LOWER:
        bound -= 1
    for each in ground.holders.in_queue(queue):
        if each.priority > bound and not each.evicted:
            return  # and so are all that follow
        if ground.may_go(bid, each, policy):
            yield each


def _of_other(
    ground: Ground, bid: Bid, queue: Place, cohorts: tuple[Place, ...], advantage: bool
) -> Iterator[_Candidate]:
    rules = bid.queue.preemption
    for holder in _of_queue(ground, bid, queue, rules.reclaim):
        low_enough = rules.borrow_threshold is None or holder.priority <= rules.borrow_threshold
        may_borrow = rules.borrow and holder.priority < bid.gang.priority and low_enough
        if advantage or not may_borrow:
            yield _Candidate(holder, _RECLAIM, not advantage, cohorts)
        else:
            yield _Candidate(holder, _BORROWING, cohorts=cohorts)


def _over_nominal(
    ground: Ground, short: Collection[FlavorResource], cohort: Place, seen: Place, above: tuple[Place, ...] = ()
) -> Iterator[tuple[Place, tuple[Place, ...]]]:
    """Queues of the subtree that hold more than is their own, without the part of it that was looked at already."""
    for child in ground.pencil.over_nominal(cohort, short):
        if child == seen:
            continue
        if child[0] == "queue":
            yield child, above
        else:
            yield from _over_nominal(ground, short, child, seen, (child, *above))
