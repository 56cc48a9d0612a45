"""Pods onto nodes, all of a list or none: first by policy, then, for unlike pods, by a bounded search.

Pure: reads what the nodes are and what is free on them, returns where the pods would go. For pods of one shape the
answer is exact. For several shapes in one gang the question is bin packing; the search is exact within its two limits.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scheduler_core.capacity import Capacity, Space
from scheduler_core.free_matrix import UNBOUNDED_PODS, with_pod
from scheduler_core.model import PODS, Node, PodShape, Requests, gpus
from scheduler_core.policies import Policy, Takes

SEARCH_LIMIT_STEPS = 2_000  # a few milliseconds; a gang has few shapes, so what greed misses is found early or not
SEARCH_LIMIT_NODES = 64  # the roomiest ones per shape; keeps the search shallow on clusters of thousands

Free = Mapping[str, Requests]


@dataclass(frozen=True)
class Demand:
    """So many pods of one shape."""

    key: str
    shape: PodShape
    count: int


Placed = dict[str, tuple[str, ...]]  # demand's key -> one node per pod


def room_for(free: Requests, requests: Requests) -> int:
    """How many such pods fit in what is free. A node that does not count pods has room for any number."""
    most = UNBOUNDED_PODS
    for resource, quantity in with_pod(requests).items():
        have = free.get(resource)
        if quantity == 0 or (have is None and resource == PODS):
            continue
        most = min(most, max(0, (have or 0) // quantity))
    return most


def less(free: Requests, requests: Requests, pods: int = 1) -> dict[str, int]:
    """What is left of `free`; a resource the node does not have goes negative rather than unnoticed."""
    left = dict(free)
    for resource, quantity in with_pod(requests).items():
        if quantity and (resource in left or resource != PODS):
            left[resource] = left.get(resource, 0) - pods * quantity
    return left


def place(nodes: Mapping[str, Node], free: Free, demands: Sequence[Demand], policy: Policy) -> Placed | None:
    """For nodes and free quantities of the caller's own; those of a snapshot are placed on by `fit`."""
    return fit(Capacity(nodes, free).space(), demands, policy)


def fit(space: Space, demands: Sequence[Demand], policy: Policy) -> Placed | None:
    wanted = sorted((each for each in demands if each.count), key=_hardest_first)
    left = space
    takes: dict[str, Takes] = {each.key: [] for each in demands}
    for index, demand in enumerate(wanted):
        pods = left.pods(demand.shape)
        if int(pods.sum()) < demand.count:
            found = None if len(wanted) == 1 else _search(space, wanted)
            return None if found is None else _named(space, {**takes, **found})
        takes[demand.key] = policy(left.of(demand.shape, pods), demand.count)
        if index + 1 < len(wanted):
            left = _after(left, demand.shape, takes[demand.key])
    return _named(space, takes)


def _hardest_first(demand: Demand) -> tuple[int, int, str]:
    requests = demand.shape.requests
    first = next((requests[name] for name in sorted(requests)), 0)  # a pod may ask for nothing at all
    return (-gpus(requests), -first, demand.key)


def _after(space: Space, shape: PodShape, takes: Takes) -> Space:
    rows, pods = np.array(takes, np.int64).reshape(-1, 2).T
    return space.after(shape, rows, pods)


def _named(space: Space, takes: Mapping[str, Takes]) -> Placed:
    names = space.capacity.names
    return {key: tuple(names[row] for row, pods in sorted(each) for _ in range(pods)) for key, each in takes.items()}


def _search(space: Space, wanted: Sequence[Demand]) -> dict[str, Takes] | None:
    return next(_fillings(space, wanted, iter(range(SEARCH_LIMIT_STEPS))), None)


def _fillings(space: Space, wanted: Sequence[Demand], steps: Iterator[int]) -> Iterator[dict[str, Takes]]:
    """Every way to place the demands, until the steps are used up."""
    if not wanted:
        yield {}
        return
    demand, others = wanted[0], wanted[1:]
    pods = space.pods(demand.shape)
    roomiest = np.argsort(-pods, kind="stable")[:SEARCH_LIMIT_NODES]
    rooms = [(int(row), int(pods[row])) for row in roomiest if pods[row]]
    for takes in _shares(rooms, demand.count, steps):
        for rest in _fillings(_after(space, demand.shape, takes), others, steps):
            yield {demand.key: takes, **rest}


def _shares(rooms: Sequence[tuple[int, int]], count: int, steps: Iterator[int]) -> Iterator[Takes]:
    """Every way to split `count` pods over the rooms, fullest first."""
    if count == 0:
        yield []
        return
    if sum(pods for _, pods in rooms) < count or next(steps, None) is None:
        return
    (row, room), others = rooms[0], rooms[1:]
    for take in range(min(room, count), -1, -1):
        for rest in _shares(others, count - take, steps):
            yield [(row, take), *rest] if take else rest


__all__ = ["Demand", "Free", "Placed", "fit", "less", "place", "room_for", "with_pod"]
