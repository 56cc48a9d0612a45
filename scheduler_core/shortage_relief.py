"""What must come free on which nodes before pods fit that are placed without a topology: the truth of `shortage.py`.

Each node is priced pod by pod, as in `topology/price.py`: pods that have room cost nothing, the first one more what its
remainders lack, each further one a whole pod; the cheapest pods of all nodes are taken. For pods of one shape that is
the least, counted in pods, unless a node is over-full; for several shapes, taken one after the other, it is enough,
which is tried before it is told. None: the nodes would not hold the pods, were they empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import heapify, heapreplace

from scheduler_core.eligibility import barrier
from scheduler_core.model import PODS
from scheduler_core.placement import Demand, Free, place, with_pod
from scheduler_core.policies import policy
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot

Lacking = tuple[tuple[str, str, int], ...]  # node, resource, how much


@dataclass
class _Room:
    """One node, as its pods are counted onto it."""

    free: dict[str, int]
    size: Mapping[str, int]

    def takes(self, wanted: Mapping[str, int]) -> bool:
        """Would one pod more be possible, were it empty?"""
        return all(self.size.get(name, 0) >= quantity for name, quantity in self._counted(wanted))

    def price(self, wanted: Mapping[str, int]) -> Fraction:
        """What must come free for one pod more, in pods."""
        short = ((quantity - max(0, self.free.get(name, 0)), quantity) for name, quantity in self._counted(wanted))
        owed = ((max(0, -self.free.get(name, 0)), quantity) for name, quantity in self._counted(wanted))
        return sum((Fraction(lack, each) for lack, each in (*short, *owed) if lack > 0), Fraction(0))

    def take(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """One pod more, and what had to come free for it."""
        freed: dict[str, int] = {}
        self.size = dict(self.size)
        for name, quantity in self._counted(wanted):
            self.size[name] = self.size.get(name, 0) - quantity
            left = self.free.get(name, 0) - quantity
            if left < 0:
                freed[name] = -left
            self.free[name] = max(0, left)
        return freed

    def _counted(self, wanted: Mapping[str, int]) -> list[tuple[str, int]]:
        known = ((name, each) for name, each in sorted(wanted.items()) if each)
        return [(name, each) for name, each in known if name != PODS or PODS in self.size]


def to_free(snapshot: Snapshot, demands: Sequence[Demand], settings: Settings) -> Lacking | None:
    rooms: dict[str, _Room] = {}
    freed: dict[tuple[str, str], int] = {}
    for demand in demands:
        if not _seated(snapshot, rooms, demand, freed):
            return None
    told = tuple((name, resource, amount) for (name, resource), amount in sorted(freed.items()))
    enough = len(demands) == 1 or _does(snapshot, demands, settings, told)
    return told if told and enough else None


def _seated(snapshot: Snapshot, rooms: dict[str, _Room], demand: Demand, freed: dict[tuple[str, str], int]) -> bool:
    wanted, known = with_pod(demand.shape.requests), dict[object, Fraction | None]()
    names = [name for name, each in wanted.items() if each]
    heap: list[tuple[Fraction, str]] = []
    for name, node in sorted(snapshot.nodes.items()):
        if barrier(node, demand.shape) is None:
            free, size = (
                (rooms[name].free, rooms[name].size) if name in rooms else (snapshot.free[name], node.allocatable)
            )
            alike = (*map(free.get, names), *map(size.get, names))  # most nodes are like many others
            if alike not in known:
                room = _Room(dict(free), size)
                known[alike] = room.price(wanted) if room.takes(wanted) else None
            price = known[alike]
            if price is not None:
                heap.append((price, name))
    heapify(heap)
    left = demand.count
    while left and heap and heap[0][1]:
        name = heap[0][1]
        room = rooms.setdefault(name, _Room(dict(snapshot.free[name]), snapshot.nodes[name].allocatable))
        for resource, amount in room.take(wanted).items():
            freed[name, resource] = freed.get((name, resource), 0) + amount
        left -= 1
        heapreplace(heap, (room.price(wanted), name) if room.takes(wanted) else _FULL)
    return left == 0


_FULL = (Fraction(1 << 62), "")


def _does(snapshot: Snapshot, demands: Sequence[Demand], settings: Settings, lacking: Lacking) -> bool:
    free: dict[str, Mapping[str, int]] = dict(snapshot.free)
    for name, resource, amount in lacking:
        free[name] = {**free[name], resource: free[name].get(resource, 0) + amount}
    after: Free = free
    return place(dict(snapshot.nodes), after, demands, policy(settings.policy)) is not None
