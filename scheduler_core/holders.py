"""Who holds quota, queue by queue, in the order in which gangs may be sent back.

Kept in step by whoever admits and evicts in a row of cycles (`add`, `drop`), so that looking for victims reads sorted
lists and never walks over all gangs. Who is already leaving comes first: sending it back costs nothing more. Then the
lower priority, then whoever was admitted last; ties go by uid.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from scheduler_core.model import Gang, Seconds
from scheduler_core.quota_tree import Place
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import Charge, GangState

Order = tuple[bool, int, Seconds, str, str]


class Holder(NamedTuple):
    """A gang that holds quota, as a candidate for being sent back. Sorts by its order, which ends with its name."""

    order: Order
    name: str
    queue: Place
    priority: int
    queued_s: Seconds
    at_s: Seconds
    charge: Charge

    @property
    def evicted(self) -> bool:
        return not self.order[0]


def queued_since_s(gang: Gang, state: GangState) -> Seconds:
    """What the order in a queue goes by: since it was created, or since it lost its place."""
    return gang.created_s if state.queued_s is None else state.queued_s


def holder_of(snapshot: Snapshot, name: str) -> Holder | None:
    """None: it holds no quota, or is switched off and leaves by itself."""
    gang, charge = snapshot.gangs[name], snapshot.charge_of(name)
    if gang.queue is None or not charge or not gang.active:
        return None
    state = snapshot.state_of(name)
    at_s = gang.created_s if state.admission is None else state.admission.at_s
    order = (state.evicted is None, gang.priority, -at_s, gang.uid or name, name)
    return Holder(order, name, ("queue", gang.queue), gang.priority, queued_since_s(gang, state), at_s, charge)


class Holders:
    def __init__(self, holders: Iterable[Holder] = ()) -> None:
        self._by_queue: dict[Place, list[Holder]] = {}
        self._by_name: dict[str, Holder] = {}
        for each in holders:
            self._by_queue.setdefault(each.queue, []).append(each)
            self._by_name[each.name] = each
        for line in self._by_queue.values():
            line.sort()

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Holders":
        return cls(each for name in snapshot.gangs if (each := holder_of(snapshot, name)) is not None)

    def in_queue(self, queue: Place) -> list[Holder]:
        return self._by_queue.get(queue, [])

    def named(self, name: str) -> Holder:
        """Of one who is known to hold quota."""
        return self._by_name[name]

    def find(self, name: str) -> Holder | None:
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[Holder]:
        return iter(self._by_name.values())

    def add(self, holder: Holder) -> None:
        self.drop(holder.name)
        insort(self._by_queue.setdefault(holder.queue, []), holder)
        self._by_name[holder.name] = holder

    def drop(self, name: str) -> None:
        known = self._by_name.pop(name, None)
        if known is not None:
            line = self._by_queue[known.queue]
            del line[bisect_left(line, known)]
