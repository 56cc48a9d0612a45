"""Which of the nodes with room get the pods: one function per policy, listed at the end of the file.

A policy is given candidates that together hold at least `count` pods of one shape, and says how many go where.
It is pure, and it breaks ties by the node's name, so that the same cluster always gets the same answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace

from scheduler_core.errors import Unknown
from scheduler_core.model import Node, Requests, gpus

EXACT_LIMIT_STEPS = 200_000  # nodes x pods beyond which no exact filling is looked for: about 0.1 s of search


@dataclass(frozen=True)
class Candidate:
    node: Node
    free: Requests
    requests: Requests
    pods: int  # how many of these pods it has room for

    @property
    def name(self) -> str:
        return self.node.name

    def left(self, pods: int) -> tuple[int, ...]:
        """What would be free after that many pods: GPUs first, then the node's worth to GPU work, then the rest."""
        gpus_left = gpus(self.free) - pods * gpus(self.requests)
        rest = (self.free.get(name, 0) - pods * self.requests[name] for name in sorted(self.requests))
        return (gpus_left, gpus(self.node.allocatable), *rest)


Takes = list[tuple[str, int]]
Policy = Callable[[Sequence[Candidate], int], Takes]


def bestfit(candidates: Sequence[Candidate], count: int) -> Takes:
    """The fewest nodes that are filled exactly; where there are none, always the node left with least."""
    exact = _fill_exactly(candidates, count)
    if exact is not None:
        return exact
    takes: Takes = []
    remaining = {candidate.name: candidate for candidate in candidates}
    while count:
        best = min(remaining.values(), key=lambda each: _fit_order(each, count))
        take = min(best.pods, count)
        takes.append((best.name, take))
        count -= take
        del remaining[best.name]
    return takes


def _fit_order(candidate: Candidate, count: int) -> tuple[object, ...]:
    take = min(candidate.pods, count)
    gpus_left, *rest = candidate.left(take)
    return (gpus_left, -take, *rest, candidate.name)


def _fill_exactly(candidates: Sequence[Candidate], count: int) -> Takes | None:
    """20 pods on nodes with room for 19, 10 and 10 go 10 + 10. Fewest nodes win, then the earlier names."""
    full = sorted((each for each in candidates if each.left(each.pods)[0] == 0), key=lambda each: each.name)
    if not full or gpus(full[0].requests) == 0 or len(full) * count > EXACT_LIMIT_STEPS:
        return None
    by_room: dict[int, list[str]] = {}
    for each in full:
        by_room.setdefault(each.pods, []).append(each.name)
    reached: dict[int, tuple[int, Takes]] = {0: (0, [])}  # pods placed -> fewest nodes, and which
    for room in sorted(by_room, reverse=True):
        for placed, (nodes, takes) in list(reached.items()):
            for more in range(1, min(len(by_room[room]), (count - placed) // room) + 1):
                at = placed + more * room
                if at not in reached or nodes + more < reached[at][0]:
                    reached[at] = (nodes + more, takes + [(name, room) for name in by_room[room][:more]])
    return reached[count][1] if count in reached else None


def binpack(candidates: Sequence[Candidate], count: int) -> Takes:
    """The fullest nodes first, each until it holds no more."""
    takes: Takes = []
    for each in sorted(candidates, key=lambda each: (each.left(0), each.name)):
        take = min(each.pods, count)
        if take:
            takes.append((each.name, take))
            count -= take
    return takes


def spread(candidates: Sequence[Candidate], count: int) -> Takes:
    """One pod at a time on the emptiest node."""
    heap = [(tuple(-left for left in each.left(0)), each.name, 0, each) for each in candidates if each.pods]
    heapify(heap)
    taken: dict[str, int] = {}
    for _ in range(count):
        _, name, took, each = heap[0]
        taken[name] = took + 1
        full = took + 1 == each.pods
        order = (1,) if full else tuple(-left for left in each.left(took + 1))  # (1,) sorts after anything with room
        heapreplace(heap, (order, name, took + 1, each))
    return sorted(taken.items())


POLICIES: tuple[tuple[str, Policy], ...] = (
    ("bestfit", bestfit),
    ("binpack", binpack),
    ("spread", spread),
)


def policy(name: str) -> Policy:
    for each, function in POLICIES:
        if each == name:
            return function
    raise Unknown("Policy", name, "name", f"the policies are {', '.join(each for each, _ in POLICIES)}")
