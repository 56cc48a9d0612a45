"""What is free in each leaf of a forest: integers, one row a resource, one column a leaf.

`take` and `give` are exact inverses and cost as much as the assignment is long; `fork` copies the numbers and nothing
else. Placement only reads it. What is there and does not fit (a node that lost a GPU) makes a number negative, which
offers as much as 0; taking what is not there is refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from scheduler_core.errors import Conflict, Invalid, Unknown
from scheduler_core.model import PODS, Requests
from scheduler_core.topology.assignment import Assignment
from scheduler_core.topology.forest import Forest, Ints
from scheduler_core.topology.gates import Gates

Load = tuple[Ints, Ints, Ints]  # rows, leaves, and how much of each in each

UNCOUNTED = 1 << 31  # pods that a node takes that does not say how many: no limit
QUANTITY_AT_MOST = 1 << 60  # of one resource in a leaf; more is as good as this, and sums stay within 64 bits


@dataclass(eq=False)
class Capacity:
    forest: Forest
    resources: tuple[str, ...]  # by name
    free: Ints  # resource x leaf
    idle: Ints  # the same if every admitted workload were gone
    gates: Gates
    row_of: Mapping[str, int]  # of a resource
    size: Ints  # the same were nothing there at all
    rest: Ints  # of that, what other pod sets of the gang that is being placed have not taken

    @classmethod
    def of(cls, forest: Forest) -> "Capacity":
        """All that the nodes offer."""
        names = {resource for members in forest.nodes for node in members for resource in node.allocatable}
        resources = tuple(sorted(names | {PODS}))
        row_of = {resource: row for row, resource in enumerate(resources)}
        offered = [[0] * len(forest.nodes) for _ in resources]
        for leaf, members in enumerate(forest.nodes):
            for node in members:
                for resource, quantity in node.allocatable.items():
                    offered[row_of[resource]][leaf] += quantity
                if PODS not in node.allocatable:
                    offered[row_of[PODS]][leaf] += UNCOUNTED
        bounded = [[min(quantity, QUANTITY_AT_MOST) for quantity in row] for row in offered]
        free = np.array(bounded, np.int64).reshape(len(resources), len(forest.nodes))
        return cls(forest, resources, free, free.copy(), Gates(forest), row_of, size := free.copy(), size)

    def fork(self) -> "Capacity":
        return replace(self, free=self.free.copy())

    def emptied(self) -> "Capacity":
        """As though every admitted workload were gone; pods of no workload stay."""
        return replace(self, free=self.idle.copy())

    def occupy(self, pods: Iterable[tuple[str, Requests]]) -> None:
        """Pods of no workload, by the node that they run on; nodes that the forest lacks are passed over."""
        self.idle = self.idle.copy()  # forks share it
        for node, requests in pods:
            leaf = self.forest.leaf_of_node.get(node)
            if leaf is not None:
                for row, quantity in self._rows(requests):
                    self.free[row, leaf] -= quantity
                    self.idle[row, leaf] -= quantity

    def use(self, assignment: Assignment, requests: Requests) -> None:
        """What an admitted workload has, whether there is room for it or not; leaves that are gone are passed over."""
        self._change(assignment, requests, -1)

    def give(self, assignment: Assignment, requests: Requests) -> None:
        """The inverse of `use` and of `take`."""
        self._change(assignment, requests, 1)

    def load(self, assignment: Assignment, requests: Requests) -> Load:
        """What `use` would take, worked out once for whoever takes it on and off many times (`shift`)."""
        leaves, counts = self._leaves(assignment, known=False)
        wanted = self._rows(requests)
        rows = np.array([row for row, _ in wanted], np.int64)
        amounts = [_amounts(quantity, counts) for _, quantity in wanted]
        return rows[:, None], leaves, np.array(amounts, np.int64).reshape(len(wanted), len(leaves))

    def shift(self, load: Load, sign: int) -> None:
        """-1: as `use`; 1: as `give`."""
        rows, leaves, amounts = load
        self.free[rows, leaves] += sign * amounts

    def take(self, assignment: Assignment, requests: Requests) -> None:
        """Refused as a whole where it does not fit; `give` takes it back."""
        rows = self._rows(requests, known=True)
        leaves, counts = self._leaves(assignment, known=True)
        for row, quantity in rows:
            short = np.flatnonzero(_amounts(quantity, counts) > np.maximum(self.free[row, leaves], 0))
            if len(short):
                where, count = "/".join(self.forest.leaves.paths[leaves[short[0]]]), int(counts[short[0]])
                why = f"{where} has no {self.resources[row]} for {count} pods"
                raise Conflict("PodSet", assignment.pod_set, "topology", why)
        for row, quantity in rows:
            self.free[row, leaves] -= _amounts(quantity, counts)

    def take_for_good(self, assignment: Assignment, requests: Requests) -> None:
        """What the gang itself stands on can never come free for its other pod sets."""
        self.take(assignment, requests)
        rest = self.rest = self.rest.copy()  # forks share it
        leaves, counts = self._leaves(assignment, known=False)
        for row, quantity in self._rows(requests):
            rest[row, leaves] -= _amounts(quantity, counts)

    def _change(self, assignment: Assignment, requests: Requests, sign: int) -> None:
        leaves, counts = self._leaves(assignment, known=False)
        for row, quantity in self._rows(requests):
            self.free[row, leaves] += sign * _amounts(quantity, counts)

    def vector(self, requests: Requests) -> list[tuple[int, int]] | None:
        """(row, quantity) of what one pod takes, the pod itself counted; None if no leaf has one of the resources."""
        wanted = {**requests, PODS: max(1, requests.get(PODS, 0))}
        if any(quantity and resource not in self.row_of for resource, quantity in wanted.items()):
            return None
        return [
            (self.row_of[resource], min(quantity, QUANTITY_AT_MOST + 1))
            for resource, quantity in sorted(wanted.items())
            if quantity
        ]

    def _rows(self, requests: Requests, *, known: bool = False) -> list[tuple[int, int]]:
        if not known:
            requests = {resource: quantity for resource, quantity in requests.items() if resource in self.row_of}
        found = self.vector(requests)
        if found is None:
            strange = sorted(set(requests) - set(self.resources))
            raise Conflict("Topology", self.forest.topology.name, "requests", f"no node has {strange[0]}")
        return found

    def _leaves(self, assignment: Assignment, *, known: bool) -> tuple[Ints, Ints]:
        """Each leaf once, and how many pods stand there; with `known`, one that is gone is an error."""
        sums: dict[int, int] = {}
        last = len(self.forest.levels) - 1
        for part in assignment.parts:
            at = self.forest.domain(part.domain)
            if at is None:
                if known:
                    raise Unknown("PodSet", assignment.pod_set, "topology", f"no leaf {'/'.join(part.domain)}")
                continue
            if at[0] != last:
                why = f"{'/'.join(part.domain)} is not of the lowest level"
                raise Invalid("PodSet", assignment.pod_set, "topology", why)
            if part.count < 0:
                raise Invalid("PodSet", assignment.pod_set, "topology", f"{part.count} pods")
            sums[at[1]] = sums.get(at[1], 0) + part.count
        return np.array(list(sums), np.int64), np.array(list(sums.values()), np.int64)


def _amounts(quantity: int, counts: Ints) -> Ints:
    """So many pods of that quantity each; what is beyond all measure stays within 64 bits."""
    if len(counts) and quantity * int(counts.max()) > QUANTITY_AT_MOST:
        return np.array([min(quantity * count, QUANTITY_AT_MOST + 1) for count in counts.tolist()], np.int64)
    return quantity * counts
