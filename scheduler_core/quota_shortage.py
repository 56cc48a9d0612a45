"""Why a gang gets no quota: no flavor suits it, it asks for more than there ever is, or others hold what it needs.

The counterpart of `shortage.py`, which does the same for nodes. What would let it in is worked out by `quota_levers.py`
on the flavors that lack least, chosen pod set by pod set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from scheduler_core.explanation import Explanation, Reason
from scheduler_core.flavors import Books, Slot, Want, slots, undeclared
from scheduler_core.model import Gang
from scheduler_core.quota import Cohort, FlavorResource, Queue, Quota
from scheduler_core.quota_levers import Ledger, Lever, Means, freed, own_nominal, raised
from scheduler_core.quota_tree import Place, Usage
from scheduler_core.shortage import NAMES_LIMIT
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import books_without, least_counts, quota_choices
from scheduler_core.units import told


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
    """Walk the decisions with the flavor that lacks least each time; the worst lack on that walk is what binds, and
    what is told would mend all of them."""
    total: dict[FlavorResource, int] = {}
    for slot in decisions:
        if not slot.flavors:
            return _no_flavor(queue, slot)
        ways = [_binds(queue, books, slot, flavor, total) for flavor in slot.flavors]
        best = min(ways, key=lambda binds: _badness(max(binds, key=_badness)))
        for bind in best:
            total[bind.key] = bind.wanted
    binds = [_bind(queue, books, key, wanted) for key, wanted in sorted(total.items())]
    lacking = sorted((bind for bind in binds if bind.short > 0), key=_badness, reverse=True)
    if not lacking:
        raise AssertionError("a gang that lacks nothing was asked why")
    hopeless = [bind for bind in lacking if bind.hopeless]
    return _exceeds(snapshot, queue, hopeless) if hopeless else _waits(snapshot, queue, books, lacking)


def _badness(bind: _Bind) -> tuple[bool, int, FlavorResource]:
    return (bind.hopeless, bind.short, bind.key)


def _binds(queue: Queue, books: Books, slot: Slot, flavor: str, total: Mapping[FlavorResource, int]) -> list[_Bind]:
    return [_bind(queue, books, key, total.get(key, 0) + more) for key, more in slot.needs(flavor).items()]


def _bind(queue: Queue, books: Books, key: FlavorResource, wanted: int) -> _Bind:
    place = ("queue", queue.name)
    return _Bind(key, wanted, books.tree.available(place, key, books.usage), books.tree.potential(place, key))


def _no_flavor(queue: Queue, slot: Slot) -> Explanation:
    told = ", ".join(slot.resources)
    return Explanation(
        Reason.NO_MATCHING_FLAVOR,
        f"no flavor of queue {queue.name} for {told} suits pod set {slot.want.pod_set.name}",
        "change the pod set's node selector or tolerations, or give the queue a flavor that suits it",
        slot.resources[0],
    )


def _exceeds(snapshot: Snapshot, queue: Queue, binds: Sequence[_Bind]) -> Explanation:
    """Were nothing used, it would still not fit: which limits of whom say so."""
    worst = binds[0]
    levers: list[Lever] = []
    own: list[Lever] = []
    for bind in binds:
        levers += raised(_ledger(snapshot, queue, bind.key, {}), bind.wanted)
        own.append(own_nominal(_ledger(snapshot, queue, bind.key, {}), bind.wanted))
    remedy = f"raise {_told(levers)}"
    if levers != own:
        remedy += f" (or {_told(own)})"
    return Explanation(
        Reason.EXCEEDS_MAX_QUOTA,
        f"it asks for {_amount(worst.key, worst.wanted)}; "
        f"queue {queue.name} can never have more than {told(worst.key.resource, worst.potential)}",
        f"{remedy}, or ask for less",
        str(worst.key),
        worst.wanted,
        worst.potential,
        levers=tuple(levers),
    )


def _waits(snapshot: Snapshot, queue: Queue, books: Books, binds: Sequence[_Bind]) -> Explanation:
    worst = binds[0]
    levers = [lever for each in binds for lever in freed(_ledger(snapshot, queue, each.key, books.usage), each.wanted)]
    limits = [lever for each in binds for lever in raised(_ledger(snapshot, queue, each.key, books.usage), each.wanted)]
    holders = _holders(snapshot, levers)
    held = ", ".join(holders[:NAMES_LIMIT])
    return Explanation(
        Reason.WAITING_FOR_QUOTA,
        f"it asks for {_amount(worst.key, worst.wanted)}; "
        f"queue {queue.name} may take {told(worst.key.resource, worst.available)} now",
        f"{_told(levers)} must come free" + (f", held by {held}" if held else "") + f"; or raise {_told(limits)}",
        str(worst.key),
        worst.wanted,
        worst.available,
        holders,
        lacking=tuple((lever.place[1], str(lever.key), lever.amount) for lever in levers),
        levers=tuple(levers),
    )


def _ledger(snapshot: Snapshot, queue: Queue, key: FlavorResource, usage: Usage) -> Ledger:
    return Ledger(snapshot.quota_tree, partial(_quota_of, snapshot), usage, ("queue", queue.name), key)


def _quota_of(snapshot: Snapshot, place: Place, key: FlavorResource) -> Quota | None:
    there: Queue | Cohort = snapshot.queues[place[1]] if place[0] == "queue" else snapshot.cohorts[place[1]]
    return next((quota for quota in there.quotas if quota.key == key), None)


def _told(levers: Sequence[Lever]) -> str:
    return " and ".join(_lever(each) for each in levers)


def _lever(lever: Lever) -> str:
    place = " ".join(lever.place)
    if lever.means is Means.USAGE:
        return f"{_amount(lever.key, lever.amount)} in {place}"
    return f"the {lever.means} of {place} for {lever.key} by {told(lever.key.resource, lever.amount)}"


def _amount(key: FlavorResource, amount: int) -> str:
    return f"{told(key.resource, amount)} {key}"


def _holders(snapshot: Snapshot, levers: Sequence[Lever]) -> tuple[str, ...]:
    """The gangs of those queues that hold some of it, those with most first."""
    queues = {(lever.place[1], lever.key) for lever in levers}
    held = [
        (-quantity, gang.name)
        for gang in snapshot.gangs.values()
        for key, quantity in snapshot.charge_of(gang.name).items()
        if quantity and (gang.queue, key) in queues
    ]
    return tuple(dict.fromkeys(name for _, name in sorted(held)))
