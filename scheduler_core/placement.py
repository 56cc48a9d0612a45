"""Pods onto nodes, all of a list or none: first by policy, then, for unlike pods, by a bounded search.

Pure: reads nodes and what is free on them, returns where the pods would go. For pods of one shape the answer is
exact. For several shapes in one gang the question is bin packing; the search is exact within its two limits.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scheduler_core.eligibility import barrier
from scheduler_core.model import PODS, Node, PodShape, Requests, gpus
from scheduler_core.policies import Candidate, Policy, Takes

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
    most: int | None = None
    for resource, quantity in with_pod(requests).items():
        have = free.get(resource)
        if quantity == 0 or (have is None and resource == PODS):
            continue
        fits = max(0, (have or 0) // quantity)
        most = fits if most is None else min(most, fits)
    return UNBOUNDED_PODS if most is None else most


UNBOUNDED_PODS = 1_000_000  # a pod that asks for nothing of a node that counts nothing


def with_pod(requests: Requests) -> Requests:
    return requests if PODS in requests else {**requests, PODS: 1}


def less(free: Requests, requests: Requests, pods: int = 1) -> dict[str, int]:
    """What is left of `free`; a resource the node does not have goes negative rather than unnoticed."""
    left = dict(free)
    for resource, quantity in with_pod(requests).items():
        if quantity and (resource in left or resource != PODS):
            left[resource] = left.get(resource, 0) - pods * quantity
    return left


def place(nodes: Mapping[str, Node], free: Free, demands: Sequence[Demand], policy: Policy) -> Placed | None:
    wanted = sorted((each for each in demands if each.count), key=_hardest_first)
    left: dict[str, Requests] = dict(free)
    result: Placed = {each.key: () for each in demands}
    for demand in wanted:
        candidates = _candidates(nodes, left, demand.shape)
        if sum(each.pods for each in candidates) < demand.count:
            return None if len(wanted) == 1 else _search(nodes, free, demands, wanted)
        takes = policy(candidates, demand.count)
        for name, pods in takes:
            left[name] = less(left[name], demand.shape.requests, pods)
        result[demand.key] = _one_per_pod(takes)
    return result


def _hardest_first(demand: Demand) -> tuple[int, int, str]:
    requests = demand.shape.requests
    first = next((requests[name] for name in sorted(requests)), 0)  # a pod may ask for nothing at all
    return (-gpus(requests), -first, demand.key)


def _candidates(nodes: Mapping[str, Node], free: Free, shape: PodShape) -> list[Candidate]:
    return [
        Candidate(node, free[name], shape.requests, pods)
        for name, node in sorted(nodes.items())
        if (pods := room_for(free[name], shape.requests)) and barrier(node, shape) is None
    ]


def _one_per_pod(takes: Takes) -> tuple[str, ...]:
    return tuple(name for name, pods in sorted(takes) for _ in range(pods))


def _search(
    nodes: Mapping[str, Node], free: Free, demands: Sequence[Demand], wanted: Sequence[Demand]
) -> Placed | None:
    steps = iter(range(SEARCH_LIMIT_STEPS))
    for takes in _fillings(nodes, dict(free), wanted, steps):
        return {each.key: _one_per_pod(takes.get(each.key, [])) for each in demands}
    return None


def _fillings(
    nodes: Mapping[str, Node], free: dict[str, Requests], wanted: Sequence[Demand], steps: Iterator[int]
) -> Iterator[dict[str, Takes]]:
    """Every way to place the demands, until the steps are used up."""
    if not wanted:
        yield {}
        return
    demand, others = wanted[0], wanted[1:]
    candidates = sorted(_candidates(nodes, free, demand.shape), key=lambda each: -each.pods)[:SEARCH_LIMIT_NODES]
    for takes in _shares([(each.name, each.pods) for each in candidates], demand.count, steps):
        left = dict(free)
        for name, pods in takes:
            left[name] = less(left[name], demand.shape.requests, pods)
        for rest in _fillings(nodes, left, others, steps):
            yield {demand.key: takes, **rest}


def _shares(rooms: Sequence[tuple[str, int]], count: int, steps: Iterator[int]) -> Iterator[Takes]:
    """Every way to split `count` pods over the rooms, fullest first."""
    if count == 0:
        yield []
        return
    if sum(pods for _, pods in rooms) < count or next(steps, None) is None:
        return
    (name, room), others = rooms[0], rooms[1:]
    for take in range(min(room, count), -1, -1):
        for rest in _shares(others, count - take, steps):
            yield [(name, take), *rest] if take else rest
