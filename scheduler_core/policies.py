"""Which of the nodes with room get the pods: one function per policy, listed at the end of the file.

A policy is given an offer that holds at least `count` pods of one shape, and says how many go on which row. It is pure,
and it breaks ties by the node's name (the earlier row), so that the same cluster always gets the same answer.
"""

from collections.abc import Callable, Iterator
from heapq import heapify, heapreplace

import numpy as np

from scheduler_core.capacity import Offer
from scheduler_core.columns import Ints
from scheduler_core.errors import Unknown

EXACT_LIMIT_STEPS = 200_000  # different rooms x pods x pods beyond which no exact filling is looked for: about 0.1 s

Takes = list[tuple[int, int]]  # row -> pods
Policy = Callable[[Offer, int], Takes]


def bestfit(offer: Offer, count: int) -> Takes:
    """The fewest nodes that are filled exactly; where there are none, always the node left with least."""
    exact = _fill_exactly(offer, count)
    return exact if exact is not None else _told(offer, _least_left(offer, count))


def _least_left(offer: Offer, count: int) -> Iterator[tuple[int, int]]:
    """Node by node: the one left with fewest GPUs, then the one that takes most, then the one left with least."""
    taken = np.zeros(len(offer.rows), np.bool_)
    if count > 1:
        for at in _in_order(offer, offer.pods):  # while every node can be filled up, their order stays as it is
            if count < offer.pods[~taken].max(initial=0):
                break
            take = min(count, int(offer.pods[at]))
            taken[at] = True
            count -= take
            yield int(at), take
            if not count:
                return
    while count:
        at, take = _first(offer, np.flatnonzero(~taken), count)
        taken[at] = True
        count -= take
        yield at, take


def _in_order(offer: Offer, take: Ints) -> Ints:
    keys = [offer.after(0, take), -take, *(offer.after(column, take) for column in range(1, len(offer.left)))]
    return np.lexsort(keys[::-1])


def _first(offer: Offer, among: Ints, count: int) -> tuple[int, int]:
    """The best of them for what is left to place, by narrowing: all that are equal in the first key, and so on."""
    for column in range(len(offer.left)):
        take = np.minimum(offer.pods[among], count)
        left = offer.left[column][among] - take * offer.each[column]
        among = among[left == left.min()]
        if column == 0 and len(among) > 1:
            take = np.minimum(offer.pods[among], count)
            among = among[take == take.max()]
        if len(among) == 1:
            break
    return int(among[0]), min(int(offer.pods[among[0]]), count)


def _told(offer: Offer, takes: Iterator[tuple[int, int]]) -> Takes:
    return [(int(offer.rows[at]), take) for at, take in takes]


def _fill_exactly(offer: Offer, count: int) -> Takes | None:
    """20 pods on nodes with room for 19, 10 and 10 go 10 + 10. Fewest nodes win, then the earlier names.

    A knapsack over the number of pods placed: for each, the fewest nodes, and how many of them have which room.
    """
    full = offer.after(0, offer.pods) == 0
    if not offer.each[0] or not full.any():
        return None
    rooms, nodes_with = np.unique(offer.pods[full], return_counts=True)
    if len(rooms) * count * count > EXACT_LIMIT_STEPS and not _by_one_room(rooms, nodes_with, count):
        return None
    used = _fewest(list(zip(rooms.tolist(), nodes_with.tolist(), strict=True))[::-1], count)
    if used is None:
        return None
    takes: Takes = []
    for room, nodes in used:
        rows = offer.rows[full & (offer.pods == room)][:nodes]
        takes += [(int(row), room) for row in rows]
    return takes


def _by_one_room(rooms: Ints, nodes_with: Ints, count: int) -> bool:
    return len(rooms) == 1 and count % int(rooms[0]) == 0 and count // int(rooms[0]) <= int(nodes_with[0])


def _fewest(rooms: list[tuple[int, int]], count: int) -> list[tuple[int, int]] | None:
    """Of so many nodes with each room, the fewest that hold exactly `count`: (room, nodes) for those that are used."""
    if len(rooms) == 1:
        room, nodes = rooms[0]
        return [(room, count // room)] if count % room == 0 and count // room <= nodes else None
    reached: dict[int, tuple[int, tuple[tuple[int, int], ...]]] = {0: (0, ())}
    for room, available in rooms:
        for placed, (nodes, used) in list(reached.items()):
            for more in range(1, min(available, (count - placed) // room) + 1):
                at = placed + more * room
                if at not in reached or nodes + more < reached[at][0]:
                    reached[at] = (nodes + more, (*used, (room, more)))
    return list(reached[count][1]) if count in reached else None


def binpack(offer: Offer, count: int) -> Takes:
    """The fullest nodes first, each until it holds no more."""
    order = np.lexsort(offer.left[::-1])
    before = np.cumsum(offer.pods[order]) - offer.pods[order]
    order = order[before < count]
    takes = np.minimum(offer.pods[order], count - before[: len(order)])
    return [(int(offer.rows[at]), int(take)) for at, take in zip(order, takes, strict=True)]


def spread(offer: Offer, count: int) -> Takes:
    """One pod at a time on the emptiest node."""
    emptiest = np.lexsort([-left for left in offer.left[::-1]])[:count]  # no more nodes than pods are ever used
    heap = [(_emptiness(offer, at, 0), at, 0) for at in sorted(emptiest.tolist())]
    heapify(heap)
    taken: dict[int, int] = {}
    for _ in range(count):
        _, at, took = heap[0]
        taken[at] = took + 1
        full = took + 1 == offer.pods[at]
        order = (1,) if full else _emptiness(offer, at, took + 1)  # (1,) sorts after anything with room
        heapreplace(heap, (order, at, took + 1))
    return sorted((int(offer.rows[at]), pods) for at, pods in taken.items())


def _emptiness(offer: Offer, at: int, pods: int) -> tuple[int, ...]:
    return tuple(pods * each - int(left[at]) for left, each in zip(offer.left, offer.each, strict=True))


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
