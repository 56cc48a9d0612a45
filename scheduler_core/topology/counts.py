"""How many pods, and how many slices, fit in every domain of every level: the first phase of an assignment.

Leaves are counted from what is free, then summed upwards. Where pods come in multiples of an inner slice, a domain
counts for its parent in whole multiples only. With a leader, `led_…` is what fits beside it when the leader stands in
that domain: the sum less the smallest price that one of its children pays for it, which is exact for one leader.
"""

from dataclasses import dataclass

import numpy as np

from scheduler_core.topology.capacity import Capacity
from scheduler_core.topology.forest import Forest, Ints
from scheduler_core.topology.gates import Bools, Gate
from scheduler_core.topology.request import Ask, Plan

PODS_AT_MOST = (1 << 31) - 1  # in one leaf, as Kueue counts: pods that ask for nothing
_NO_PRICE = 1 << 62


@dataclass(eq=False)
class Counts:
    """Lists by level, arrays by row; without a leader, the led ones are the same arrays."""

    pods: list[Ints]
    slices: list[Ints]  # zeros below the slice level
    led_pods: list[Ints]
    led_slices: list[Ints]
    leads: list[Bools] | None  # can the leader stand there?


@dataclass(eq=False)
class LeafCounts:
    pods: Ints
    gate: Gate
    inside: Bools | None  # the leaves looked at; None: all
    led: Ints | None
    leads: Bools | None


def count(
    capacity: Capacity, ask: Ask, plan: Plan, leader: Ask | None, inside: Bools | None
) -> tuple[Counts, LeafCounts]:
    leaf = leaves_of(capacity, ask, leader, inside)
    forest, last = capacity.forest, len(capacity.forest.levels) - 1
    pods, slices = [leaf.pods] * (last + 1), [leaf.pods] * (last + 1)
    led = leaf.pods if leaf.led is None else leaf.led
    led_pods, led_slices = [led] * (last + 1), [led] * (last + 1)
    leads = None if leaf.leads is None else [leaf.leads] * (last + 1)
    for level in range(last, -1, -1):
        if level < last:
            step = plan.inner.get(level + 1, 1)
            below = pods[level + 1] if step == 1 else pods[level + 1] // step * step
            begins = forest.levels[level].begins
            pods[level] = np.add.reduceat(below, begins)
            led_pods[level] = pods[level]
            if leads is not None:
                led_below = led_pods[level + 1] if step == 1 else led_pods[level + 1] // step * step
                led_pods[level] = _with_leader(pods[level], below - led_below, leads[level + 1], begins)
                leads[level] = np.logical_or.reduceat(leads[level + 1], begins)
        slices[level], led_slices[level] = _slices(forest, plan, level, (pods, slices, led_pods, led_slices), leads)
    return Counts(pods, slices, led_pods, led_slices, leads), leaf


def _slices(
    forest: Forest,
    plan: Plan,
    level: int,
    so_far: tuple[list[Ints], list[Ints], list[Ints], list[Ints]],
    leads: list[Bools] | None,
) -> tuple[Ints, Ints]:
    pods, slices, led_pods, led_slices = so_far
    if level > plan.slice_level:
        nothing = np.zeros_like(pods[level])
        return nothing, nothing
    if level == plan.slice_level:
        if plan.slice_size == 1:
            return pods[level], led_pods[level]
        whole = pods[level] // plan.slice_size
        return whole, (whole if leads is None else led_pods[level] // plan.slice_size)
    if plan.slice_size == 1 and not plan.inner:
        return pods[level], led_pods[level]
    begins = forest.levels[level].begins
    sums = np.add.reduceat(slices[level + 1], begins)
    if leads is None:
        return sums, sums
    return sums, _with_leader(sums, slices[level + 1] - led_slices[level + 1], leads[level + 1], begins)


def _with_leader(sums: Ints, prices: Ints, leads: Bools, begins: Ints) -> Ints:
    cheapest = np.minimum.reduceat(np.where(leads, prices, _NO_PRICE), begins)
    return np.where(cheapest == _NO_PRICE, 0, sums - cheapest)


def leaves_of(capacity: Capacity, ask: Ask, leader: Ask | None, inside: Bools | None) -> LeafCounts:
    gate = capacity.gates.gate(ask.shape)
    wanted = capacity.vector(ask.shape.requests)
    open_to = gate.open if inside is None else gate.open & inside
    pods = _fit(capacity.free, wanted, open_to)
    if leader is None:
        return LeafCounts(pods, gate, inside, None, None)
    for_leader = capacity.gates.gate(leader.shape).open
    taken = capacity.vector(leader.shape.requests)
    leads = _fit(capacity.free, taken, for_leader if inside is None else for_leader & inside) > 0
    left = capacity.free.copy()
    for row, quantity in taken or ():
        left[row] -= quantity
    return LeafCounts(pods, gate, inside, np.where(leads, _fit(left, wanted, open_to), pods), leads)


def _fit(free: Ints, wanted: list[tuple[int, int]] | None, open_to: Bools) -> Ints:
    if wanted is None:
        return np.zeros(len(open_to), np.int64)
    fits = np.full(len(open_to), PODS_AT_MOST, np.int64)
    for row, quantity in wanted:
        np.minimum(fits, free[row] if quantity == 1 else free[row] // quantity, out=fits)
    np.maximum(fits, 0, out=fits)
    fits *= open_to
    return fits
