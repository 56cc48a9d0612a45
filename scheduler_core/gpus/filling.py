"""Which waiting pods would start on a node that had so much left: the largest first, each on its tightest GPU.

A guess on plain numbers, made thousands of times while moves are looked for (`moves`); nothing is placed here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scheduler_core.gpus.ask import Ask
from scheduler_core.gpus.fleet import Fleet, Placement
from scheduler_core.gpus.islands import choose, most_free


@dataclass
class Room:
    """What is left of one node; changed by those who try something on it."""

    cpu_milli: int
    memory_mib: int
    model: str
    left: list[int]  # milli of each GPU
    islands: tuple[int, ...] = ()

    @classmethod
    def of(cls, fleet: Fleet, row: int) -> "Room":
        node, left = fleet.nodes[row], fleet.left[row].tolist()
        return cls(int(fleet.cpu_left[row]), int(fleet.memory_left[row]), node.model, left, node.islands)

    def without(self, gone: Placement) -> None:
        """As if the pod had left. What a MIG slice gives back is not counted: its GPU may be cut still."""
        self.cpu_milli += gone.ask.cpu_milli
        self.memory_mib += gone.ask.memory_mib
        for gpu in () if gone.ask.mig is not None else gone.gpus:
            self.left[gpu] += gone.ask.gpu_milli

    def take(self, ask: Ask) -> bool:
        """Whether it fits; it is there then."""
        if ask.cpu_milli > self.cpu_milli or ask.memory_mib > self.memory_mib:
            return False
        if ask.models and self.model not in ask.models:
            return False
        left = self.left
        enough = [gpu for gpu, milli in enumerate(left) if milli >= ask.gpu_milli]
        if len(enough) < ask.gpus:
            return False
        if ask.linked and self.islands and most_free(left, self.islands) < ask.gpus:
            return False
        whole = choose(left, self.islands or (len(left),), 0 if ask.shares else ask.gpus)
        for gpu in (min(enough, key=left.__getitem__),) if ask.shares else whole:
            left[gpu] -= ask.gpu_milli
        self.cpu_milli -= ask.cpu_milli
        self.memory_mib -= ask.memory_mib
        return True


class Waiting:
    """Pods that wait, by kind: the largest first, and of equal ones those that need least CPU."""

    def __init__(self, asks: Sequence[Ask]) -> None:
        of_kind = {ask.key: replace(ask, name="") for ask in asks if ask.demand_milli and ask.mig is None}
        self.kinds = sorted(of_kind.values(), key=_largest_first)
        counts = Counter(ask.key for ask in asks)
        self.counts = {ask.key: counts[ask.key] for ask in self.kinds}

    def gain_milli(self, rooms: Sequence[Room]) -> int:
        """What would start there in all. The rooms are used up."""
        gain = 0
        for ask in self.kinds:
            waiting = self.counts[ask.key]
            for room in rooms:
                while waiting and room.take(ask):
                    waiting -= 1
                    gain += ask.demand_milli
        return gain

    def wait_again(self, started: Sequence[Placement]) -> None:
        for each in started:
            self.counts[each.ask.key] += 1


def _largest_first(ask: Ask) -> tuple[object, ...]:
    return (-ask.demand_milli, ask.cpu_milli, ask.memory_mib, ask.key)
