"""Whom a gang may send back to get its quota: Kueue's classical preemption. Pure; the snapshot is left as it was.

Candidates are whole gangs that hold what is short. Those of borrowers in other queues come first, then the lower
priority, then whoever was admitted last. They are taken until the gang fits, and then given back, last ones first, as
long as it still fits. Of two flavors that would do, the one whose candidates come first is used up.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from scheduler_core.flavors import Want, slots
from scheduler_core.model import Gang, Seconds
from scheduler_core.quota import FlavorResource, Policy, PreemptionRules, Queue, Strategy
from scheduler_core.scheduler import lines, order
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import books_without, least_counts, quota_choices


class Cause(StrEnum):
    IN_QUEUE = "InClusterQueue"
    RECLAIM = "InCohortReclamation"
    RECLAIM_WHILE_BORROWING = "InCohortReclaimWhileBorrowing"


@dataclass(frozen=True)
class Victim:
    gang: str
    cause: Cause


@dataclass(frozen=True)
class Preemption:
    """`gang` fits once all the victims have left."""

    gang: str
    victims: tuple[Victim, ...]


def next_preemption(snapshot: Snapshot, now_s: Seconds, spared: Collection[str] = ()) -> Preemption | None:
    """The first waiting gang in their order that may send others back; of a strict queue only the head may.

    `spared` are gangs that nobody may send back.
    """
    waiting: list[Gang] = []
    for name, line in lines(snapshot, now_s).items():
        strict = name in snapshot.queues and snapshot.queues[name].strategy is Strategy.STRICT_FIFO
        waiting += line[:1] if strict else line
    for gang in sorted(waiting, key=lambda each: order(snapshot, each)):
        found = victims(snapshot, gang, spared)
        if found:
            return Preemption(gang.name, found)
    return None


def victims(snapshot: Snapshot, gang: Gang, spared: Collection[str] = ()) -> tuple[Victim, ...]:
    """Empty when it fits already, or when nobody it may send back is enough."""
    if gang.queue is None or snapshot.queues[gang.queue].preemption == PreemptionRules():
        return ()
    if _fits(snapshot, gang, borrowing=True):
        return ()
    short = _short(snapshot, gang)
    for borrowing in _attempts(snapshot, gang, short, spared):
        candidates = [each for each in _candidates(snapshot, gang, short, borrowing) if each.gang not in spared]
        found = _enough(snapshot, gang, candidates, short, borrowing)
        if found:
            return found
    return ()


def _attempts(
    snapshot: Snapshot, gang: Gang, short: frozenset[FlavorResource], spared: Collection[str]
) -> tuple[bool, ...]:
    """May it borrow afterwards? Taking back its own it may not, and has more candidates; Kueue's order of trying."""
    queue = snapshot.queues[str(gang.queue)]
    place = ("queue", queue.name)
    under = all(snapshot.usage.get((place, key), 0) < snapshot.quota_tree.nominal(place, key) for key in short)
    theirs = (each for each in _candidates(snapshot, gang, short, False) if each.cause is not Cause.IN_QUEUE)
    if not any(each.gang not in spared and _borrows(snapshot, each, short) for each in theirs) or not (
        queue.preemption.borrow or under
    ):
        return (True,)
    return (True, False) if queue.preemption.borrow else (False, True)


def _fits(snapshot: Snapshot, gang: Gang, *, borrowing: bool) -> bool:
    found = quota_choices(snapshot, gang, least_counts(snapshot, gang))
    return any(borrowing or not choice.borrows for choice in found)


def _short(snapshot: Snapshot, gang: Gang) -> frozenset[FlavorResource]:
    """What it wants of any flavor that suits it and cannot have now."""
    queue, books, least = snapshot.queues[str(gang.queue)], books_without(snapshot, gang), least_counts(snapshot, gang)
    wanted: dict[FlavorResource, int] = {}
    for slot in slots(books, queue, [Want(each, least[each.name]) for each in gang.pod_sets]):
        for flavor in slot.flavors:
            for key, quantity in slot.needs(flavor).items():
                wanted[key] = wanted.get(key, 0) + quantity
    place = ("queue", queue.name)
    return frozenset(key for key in wanted if wanted[key] > books.tree.available(place, key, books.usage))


def _candidates(snapshot: Snapshot, gang: Gang, short: frozenset[FlavorResource], borrowing: bool) -> Iterator[Victim]:
    """Who may be sent back at all, in the order in which they are. To borrow, less may be taken from others."""
    queue = snapshot.queues[str(gang.queue)]
    found = []
    for other in snapshot.gangs.values():
        cause = _cause(snapshot, gang, queue, other, borrowing)
        if cause is not None and short & snapshot.charge_of(other.name).keys():
            admission = snapshot.state_of(other.name).admission
            at_s = admission.at_s if admission is not None else other.created_s
            found.append(((cause is Cause.IN_QUEUE, other.priority, -at_s, other.name), Victim(other.name, cause)))
    return (victim for _, victim in sorted(found, key=lambda pair: pair[0]))


def _cause(snapshot: Snapshot, gang: Gang, queue: Queue, other: Gang, borrowing: bool) -> Cause | None:
    if other.name == gang.name or other.queue is None or not other.active:
        return None
    rules = queue.preemption
    if other.queue == queue.name:
        return Cause.IN_QUEUE if _may(snapshot, rules.within_queue, gang, other) else None
    tree = snapshot.quota_tree
    if tree.root(("queue", other.queue)) != tree.root(("queue", queue.name)):
        return None
    if not _may(snapshot, rules.reclaim, gang, other):
        return None
    if not borrowing:
        return Cause.RECLAIM
    below = rules.borrow_threshold is None or other.priority <= rules.borrow_threshold
    allowed = rules.borrow and other.priority < gang.priority and below
    return Cause.RECLAIM_WHILE_BORROWING if allowed else None


def _may(snapshot: Snapshot, policy: Policy, gang: Gang, other: Gang) -> bool:
    match policy:
        case Policy.ANY:
            return True
        case Policy.LOWER_PRIORITY:
            return other.priority < gang.priority
        case Policy.LOWER_OR_NEWER_EQUAL:
            return order(snapshot, gang) < order(snapshot, other) and other.priority <= gang.priority
    return False


def _enough(
    snapshot: Snapshot, gang: Gang, candidates: list[Victim], short: frozenset[FlavorResource], borrowing: bool
) -> tuple[Victim, ...]:
    """As few of them as make room, or nobody."""
    with snapshot.fork():
        taken: list[Victim] = []
        for victim in candidates:
            if victim.cause is not Cause.IN_QUEUE and not _borrows(snapshot, victim, short):
                continue  # what its queue has left is its own
            snapshot.evict(victim.gang, 0)
            taken.append(victim)
            if _fits(snapshot, gang, borrowing=borrowing):
                break
        else:
            return ()
    return _given_back(snapshot, gang, taken, borrowing)


def _given_back(snapshot: Snapshot, gang: Gang, taken: list[Victim], borrowing: bool) -> tuple[Victim, ...]:
    """Without those that the last ones made needless."""
    needed = list(taken)
    for victim in reversed(taken[:-1]):
        fewer = [each for each in needed if each is not victim]
        with snapshot.fork():
            for each in fewer:
                snapshot.evict(each.gang, 0)
            if _fits(snapshot, gang, borrowing=borrowing):
                needed = fewer
    return tuple(needed)


def _borrows(snapshot: Snapshot, victim: Victim, short: frozenset[FlavorResource]) -> bool:
    place = ("queue", str(snapshot.gang(victim.gang).queue))
    held = short & snapshot.charge_of(victim.gang).keys()
    return any(snapshot.usage.get((place, key), 0) > snapshot.quota_tree.subtree(place, key) for key in held)
