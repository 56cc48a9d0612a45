"""Free quantities, node by resource, as 64-bit integers: the arithmetic of `capacity.py`.

A resource that a node does not have is absent, which is not zero: a node that does not count pods holds any number of
them, and one that has no GPUs holds none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scheduler_core.columns import Ints
from scheduler_core.model import PODS, Requests, is_gpu

ABSENT = -(1 << 63)  # the mark of a resource that is not there: no quantity is as small
UNBOUNDED_PODS = (
    1_000_000  # more are never counted on one node: it asks for next to nothing, or the node counts nothing
)

Wanted = Sequence[tuple[str, int]]


def with_pod(requests: Requests) -> Requests:
    return requests if PODS in requests else {**requests, PODS: 1}


def wanted_of(requests: Requests) -> tuple[tuple[str, int], ...]:
    """What a pod takes of a node, as a key: equal for equal pods."""
    return tuple(sorted(pair for pair in with_pod(requests).items() if pair[1]))


@dataclass(frozen=True)
class FreeMatrix:
    values: Ints
    column_of: Mapping[str, int]

    def at(self, rows: Ints) -> "FreeMatrix":
        return FreeMatrix(self.values[rows], self.column_of)

    def of(self, resource: str) -> Ints:
        """What is free of it; nothing where it is absent. Over-full nodes are negative."""
        column = self.column_of.get(resource)
        if column is None:
            return np.zeros(len(self.values), np.int64)
        have = self.values[:, column]
        return np.where(have == ABSENT, 0, have)

    def gpus(self) -> Ints:
        columns = [self.of(resource) for resource in self.column_of if is_gpu(resource)]
        return np.add.reduce(columns) if columns else np.zeros(len(self.values), np.int64)

    def room(self, wanted: Wanted) -> Ints:
        """How many such pods fit on each node."""
        most = np.full(len(self.values), UNBOUNDED_PODS, np.int64)
        for resource, quantity in wanted:
            column = self.column_of.get(resource)
            if column is not None:
                have = self.values[:, column]
                absent = UNBOUNDED_PODS if resource == PODS else 0
                np.minimum(most, np.where(have == ABSENT, absent, have // quantity), out=most)
            elif resource != PODS:
                most[:] = 0
        return np.maximum(most, 0, out=most)

    def less(self, rows: Ints, pods: Ints, wanted: Wanted) -> "FreeMatrix":
        """With so many such pods on those rows."""
        left = self.values.copy()
        for resource, quantity in wanted:
            column = self.column_of.get(resource)
            if column is not None:
                have = left[rows, column]
                left[rows, column] = np.where(have == ABSENT, ABSENT, have - pods * quantity)
        return FreeMatrix(left, self.column_of)
