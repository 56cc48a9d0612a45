"""What it would cost to seat pods on leaves that are partly taken: how much of what they lack would have to come free.

A leaf is priced pod by pod: the pods that have room cost nothing, the first one more costs what its remainders lack,
each further one a whole pod. Such prices never fall, so that the cheapest pods of a domain are a prefix of its leaves'
prices merged; where pods come in slices, of the prefix cut into slices. Costs are in pods: what a resource lacks over
what one pod takes of it, summed. Two things cost at once and break the order: a leader, and a leaf that is over-full;
`relief.py` tries these one by one, as a `start`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

import numpy as np

from scheduler_core.topology.capacity import Capacity
from scheduler_core.topology.forest import Forest, Ints
from scheduler_core.topology.request import Plan

Wanted = Sequence[tuple[int, int]]  # (row of the resource, how much of it one pod takes)
Unit = tuple[Fraction, tuple[int, ...]]  # cost, and the leaves that its pods go to
_FREE = Fraction(0)


@dataclass(frozen=True, eq=False)
class Ground:
    """Free and whole size of every leaf, and what a pod takes."""

    capacity: Capacity
    wanted: Wanted
    leading: Wanted  # what the leader takes; empty: there is none
    open: tuple[bool, ...]  # leaves that take the pods
    leads: tuple[bool, ...]  # leaves that take the leader
    size: Ints  # resource x leaf, were nothing there
    known: dict[object, list[Fraction]] = field(default_factory=dict)  # prices of leaves that are alike

    def free(self, row: int, leaf: int) -> int:
        return int(self.capacity.free[row, leaf])

    def most(self, leaf: int, led: bool) -> int:
        """Pods that the leaf could hold, were it empty; with `led`, beside the leader."""
        beside = dict(self.leading) if led else {}
        if any(self.size[row, leaf] < quantity for row, quantity in beside.items()):
            return 0
        if not self.open[leaf]:
            return 0
        return min(int(self.size[row, leaf] - beside.get(row, 0)) // quantity for row, quantity in self.wanted)

    def lacks(self, leaf: int, pods: int, led: bool) -> dict[int, int]:
        """By row, what would have to come free there for so many pods."""
        takes = {row: quantity * pods for row, quantity in self.wanted}
        for row, quantity in self.leading if led else ():
            takes[row] = takes.get(row, 0) + quantity
        short = {row: amount - self.free(row, leaf) for row, amount in takes.items() if amount}
        return {row: amount for row, amount in short.items() if amount > 0}

    def cost(self, leaf: int, pods: int, led: bool) -> Fraction:
        each = dict(self.leading) | dict(self.wanted)
        return sum((Fraction(amount, each[row]) for row, amount in self.lacks(leaf, pods, led).items()), _FREE)

    @cached_property
    def _rows(self) -> list[int]:
        return [row for row, _ in (*self.wanted, *self.leading)]

    @cached_property
    def kinds(self) -> list[tuple[int, ...]]:
        """What is free and what there is, leaf by leaf: those with the same are priced alike."""
        both = np.concatenate((self.capacity.free[self._rows], self.size[self._rows]))
        return [tuple(each) for each in both.T.tolist()]

    def is_over_full(self, leaf: int) -> bool:
        return min(self.kinds[leaf][: len(self._rows)]) < 0


def offered(capacity: Capacity) -> Ints:
    """What could be the pod set's, whoever has it now; never less than is free."""
    return np.maximum(capacity.rest, capacity.free)


def prices(ground: Ground, leaf: int, led: bool, started: bool, at_most: int) -> list[Unit]:
    """Of one pod after the other. A leaf that is `started` has paid for what it owes, or for its leader."""
    alike = (ground.kinds[leaf], ground.open[leaf], led, started)
    if alike not in ground.known:
        most = min(ground.most(leaf, led), at_most)
        before = owed(ground, leaf, led) if started else _FREE
        sums = [before, *(ground.cost(leaf, pods, led) for pods in range(1, most + 1))]
        ground.known[alike] = [after - so_far for so_far, after in pairwise(sums)]
    return [(cost, (leaf,)) for cost in ground.known[alike]]


def owed(ground: Ground, leaf: int, led: bool) -> Fraction:
    """What must come free before the leaf has room for nothing more than the leader, at every row that a pod needs."""
    each = dict(ground.leading) | dict(ground.wanted)
    takes = dict(ground.leading) if led else {}
    short = {row: takes.get(row, 0) - ground.free(row, leaf) for row, _ in ground.wanted} | {
        row: amount - ground.free(row, leaf) for row, amount in takes.items()
    }
    return sum((Fraction(amount, each[row]) for row, amount in short.items() if amount > 0), _FREE)


def domain_units(
    forest: Forest, plan: Plan, level: int, rows: Sequence[int], of: Mapping[int, list[Unit]]
) -> list[Unit]:
    """The units (slices, or pods) of these domains together, the cheapest first."""
    merged = [unit for row in rows for unit in _units(forest, plan, level, row, of)]
    return sorted(merged, key=lambda unit: unit[0])


def _units(forest: Forest, plan: Plan, level: int, row: int, of: Mapping[int, list[Unit]]) -> list[Unit]:
    if level == len(forest.levels) - 1:
        units, size = list(of.get(row, ())), 1
    else:
        each = forest.levels[level]
        below = range(int(each.begins[row]), int(each.ends[row]))
        units, size = domain_units(forest, plan, level + 1, below, of), _step(plan, level + 1)
    step = _step(plan, level) // size
    return units if step <= 1 else [_together(units[at : at + step]) for at in range(0, len(units) - step + 1, step)]


def _step(plan: Plan, level: int) -> int:
    """Pods in a unit of this level."""
    return plan.slice_size if level <= plan.slice_level else plan.inner.get(level, 1)


def _together(units: Sequence[Unit]) -> Unit:
    return sum((cost for cost, _ in units), _FREE), tuple(leaf for _, leaves in units for leaf in leaves)
