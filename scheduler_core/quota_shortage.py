"""Why a gang gets no quota: no flavor suits it, it asks for more than there ever is, or others hold what it needs.

The counterpart of `shortage.py`, which does the same for nodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler_core.explanation import Explanation, Reason
from scheduler_core.flavors import Books, Slot, Want, slots, undeclared
from scheduler_core.model import Gang
from scheduler_core.quota import FlavorResource, Queue
from scheduler_core.shortage import NAMES_LIMIT
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import books_without, least_counts, quota_choices


def no_quota(snapshot: Snapshot, gang: Gang) -> Explanation | None:
    least = least_counts(snapshot, gang)
    if next(quota_choices(snapshot, gang, least), None) is not None or gang.queue is None:
        return None
    queue, books = snapshot.queues[gang.queue], books_without(snapshot, gang)
    wants = [Want(each, least[each.name]) for each in gang.pod_sets]
    for want in wants:
        missing = undeclared(queue, want.pod_set)
        if missing:
            return Explanation(
                Reason.NO_MATCHING_FLAVOR,
                f"queue {queue.name} has no quota for {missing[0]}",
                f"give the queue a quota for {missing[0]}",
                missing[0],
            )
    return _binding_quota(snapshot, queue, books, slots(books, queue, wants))


@dataclass(frozen=True)
class _Bind:
    key: FlavorResource
    wanted: int
    available: int
    potential: int

    @property
    def hopeless(self) -> bool:
        return self.wanted > self.potential

    @property
    def short(self) -> int:
        return self.wanted - self.available


def _binding_quota(snapshot: Snapshot, queue: Queue, books: Books, decisions: Sequence[Slot]) -> Explanation:
    """Walk the decisions with the flavor that lacks least each time; the worst lack on that walk is what binds."""
    total: dict[FlavorResource, int] = {}
    worst: _Bind | None = None
    for slot in decisions:
        if not slot.flavors:
            return _no_flavor(queue, slot)
        binds = [_worst_of(queue, books, slot, flavor, total) for flavor in slot.flavors]
        best = min(binds, key=lambda each: (each.hopeless, each.short))
        for key, quantity in slot.needs(best.key.flavor).items():
            total[key] = total.get(key, 0) + quantity
        if worst is None or (best.hopeless, best.short) > (worst.hopeless, worst.short):
            worst = best
    if worst is None:
        raise AssertionError("a gang without decisions needs no quota")
    return _exceeds(queue, worst) if worst.hopeless else _waits(snapshot, queue, worst)


def _worst_of(queue: Queue, books: Books, slot: Slot, flavor: str, total: dict[FlavorResource, int]) -> _Bind:
    place = ("queue", queue.name)
    binds = [
        _Bind(
            key,
            total.get(key, 0) + quantity,
            books.tree.available(place, key, books.usage),
            books.tree.potential(place, key),
        )
        for key, quantity in slot.needs(flavor).items()
    ]
    return max(binds, key=lambda each: (each.hopeless, each.short, each.key))


def _no_flavor(queue: Queue, slot: Slot) -> Explanation:
    told = ", ".join(slot.resources)
    return Explanation(
        Reason.NO_MATCHING_FLAVOR,
        f"no flavor of queue {queue.name} for {told} suits pod set {slot.want.pod_set.name}",
        "change the pod set's node selector or tolerations, or give the queue a flavor that suits it",
        slot.resources[0],
    )


def _exceeds(queue: Queue, bind: _Bind) -> Explanation:
    return Explanation(
        Reason.EXCEEDS_MAX_QUOTA,
        f"it asks for {bind.wanted} {bind.key}; queue {queue.name} can never have more than {bind.potential}",
        f"raise the quota or the borrowing limit of {queue.name} by {bind.wanted - bind.potential}, or ask for less",
        str(bind.key),
        bind.wanted,
        bind.potential,
    )


def _waits(snapshot: Snapshot, queue: Queue, bind: _Bind) -> Explanation:
    holders = _holders(snapshot, queue, bind.key)
    told = ", ".join(holders[:NAMES_LIMIT])
    return Explanation(
        Reason.WAITING_FOR_QUOTA,
        f"it asks for {bind.wanted} {bind.key}; queue {queue.name} may take {bind.available} now",
        f"{bind.short} {bind.key} must come free" + (f"; they are held by {told}" if told else ""),
        str(bind.key),
        bind.wanted,
        bind.available,
        holders,
    )


def _holders(snapshot: Snapshot, queue: Queue, key: FlavorResource) -> tuple[str, ...]:
    tree = snapshot.quota_tree
    root = tree.root(("queue", queue.name))
    held = [
        (-quantity, gang.name)
        for gang in snapshot.gangs.values()
        if (quantity := snapshot.charge_of(gang.name).get(key, 0)) and tree.root(("queue", str(gang.queue))) == root
    ]
    return tuple(name for _, name in sorted(held))
