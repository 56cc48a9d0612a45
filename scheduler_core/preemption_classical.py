"""Whom a gang may send back for quota: Kueue's classical preemption (KEP-83, KEP-1337), over cohorts of any depth.

Candidates are of three kinds. *Hierarchical*: the gang's own subtree has the quota, and somebody outside uses it; such
a candidate goes whatever borrowing rules say. *Of other queues* otherwise: it goes where the gang would not borrow in
the end, or where its queue may reclaim while borrowing and the candidate's priority is below the threshold. *Of its own
queue*. A queue or cohort that is within its nominal quota is left alone, and so is everything under it. Candidates are
taken in order until the gang fits, then given back, last ones first, as long as it still fits.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from scheduler_core.bid import Bid, Ground
from scheduler_core.holders import Holder
from scheduler_core.quota import FlavorResource, Policy
from scheduler_core.quota_levels import fits_within
from scheduler_core.quota_tree import Place
from scheduler_core.removal import Removal
from scheduler_core.victims import Cause, Victim


@dataclass(frozen=True, slots=True)
class _Candidate:
    holder: Holder
    cause: Cause
    only_without_borrowing: bool = False
    cohorts: tuple[Place, ...] = ()  # above its queue, below the cohort that it shares with the gang


@dataclass(frozen=True)
class _Candidates:
    hierarchical: list[_Candidate]
    of_others: list[_Candidate]
    of_own_queue: list[_Candidate]

    def in_order(self) -> list[_Candidate]:
        kinds = (self.hierarchical, self.of_others, self.of_own_queue)
        leaving = [each for kind in kinds for each in kind if each.holder.evicted]
        return leaving + [each for kind in kinds for each in kind if not each.holder.evicted]


def classical(ground: Ground, bid: Bid) -> tuple[Victim, ...]:
    """As few as make room, or nobody. Only for a gang that does not fit as it is."""
    found = _candidates(ground, bid)
    ordered = found.in_order()
    for borrowing in _attempts(ground, bid, found) if ordered else ():
        removal = Removal(ground, bid, borrowing)
        taken = removal.enough(_still_allowed(ground, bid, ordered, borrowing))
        if taken:
            causes = {each.holder.name: each.cause for each in ordered}
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


def _still_allowed(ground: Ground, bid: Bid, ordered: list[_Candidate], borrowing: bool) -> Iterator[Holder]:
    """Asked one by one, since whoever went before may have left the next one's queue within its nominal quota."""
    within = ground.pencil.within_nominal
    for each in ordered:
        if each.cause is not Cause.IN_QUEUE:
            if borrowing and each.only_without_borrowing:
                continue
            if within(each.holder.queue, bid.short) or any(within(cohort, bid.short) for cohort in each.cohorts):
                continue
        yield each.holder


# -- who is a candidate ------------------------------------------------------------------------------------------------


def _candidates(ground: Ground, bid: Bid) -> _Candidates:
    rules = bid.queue.preemption
    own = _of_queue(ground, bid, bid.place, rules.within_queue)
    found = _Candidates([], [], [_Candidate(each, Cause.IN_QUEUE) for each in own])
    if rules.reclaim is Policy.NEVER:
        return found
    tree, usage = ground.pencil.tree, ground.pencil.usage
    advantage, wants = fits_within(tree, bid.place, bid.wants, usage)
    seen = bid.place
    for cohort in tree.above(bid.place):
        kind = found.hierarchical if advantage else found.of_others
        for queue, cohorts in _over_nominal(ground, bid.short, cohort, seen):
            kind += [_candidate(bid, each, cohorts, advantage) for each in _of_queue(ground, bid, queue, rules.reclaim)]
        fits, wants = fits_within(tree, cohort, wants, usage)
        advantage = advantage or fits
        seen = cohort
    for kind in (found.hierarchical, found.of_others):
        kind.sort(key=lambda each: each.holder.order)
    return found


def _of_queue(ground: Ground, bid: Bid, queue: Place, policy: Policy) -> list[Holder]:
    if policy is Policy.NEVER:
        return []
    return [each for each in ground.holders.in_queue(queue) if ground.may_go(bid, each, policy)]


def _candidate(bid: Bid, holder: Holder, cohorts: tuple[Place, ...], advantage: bool) -> _Candidate:
    rules = bid.queue.preemption
    if advantage:
        return _Candidate(holder, Cause.RECLAIM, cohorts=cohorts)
    low_enough = rules.borrow_threshold is None or holder.priority <= rules.borrow_threshold
    if rules.borrow and holder.priority < bid.gang.priority and low_enough:
        return _Candidate(holder, Cause.RECLAIM_WHILE_BORROWING, cohorts=cohorts)
    return _Candidate(holder, Cause.RECLAIM, only_without_borrowing=True, cohorts=cohorts)


def _over_nominal(
    ground: Ground, short: Collection[FlavorResource], cohort: Place, seen: Place, above: tuple[Place, ...] = ()
) -> Iterator[tuple[Place, tuple[Place, ...]]]:
    """Queues of the subtree that hold more than is their own, without the part of it that was looked at already."""
    for child in ground.pencil.tree.children(cohort):
        if child == seen or ground.pencil.within_nominal(child, short):
            continue
        if child[0] == "queue":
            yield child, above
        else:
            yield from _over_nominal(ground, short, child, seen, (child, *above))
