"""What nodes are, column by column, and which of them a shape may go on: `eligibility.barrier` for all nodes at once.

A label is a column of codes with the list of its values, so that an expression is judged once for each value and not
once for each node; taints likewise, once for each set of taints. What a shape may go on is kept until a node changes.
"""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from scheduler_core.eligibility import Barrier, tolerated
from scheduler_core.model import UNSCHEDULABLE_TAINT_KEY, Node, PodShape, Requirement, Taint, gpus

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MASKS_LIMIT = 256  # kinds of shapes whose nodes are remembered; 2.5 MB on 10,000 nodes

_CORDON = Taint(UNSCHEDULABLE_TAINT_KEY)


class Coded:
    """A column of few different values: which value each node has. Absent is a value too, None."""

    def __init__(self, values: Sequence[Hashable]) -> None:
        code_of: dict[Hashable, int] = {}
        self.codes: Ints = np.array([code_of.setdefault(value, len(code_of)) for value in values], np.int64)
        self.values = list(code_of)

    def where(self, holds: Callable[[Hashable], bool]) -> Bools:
        return np.array([holds(value) for value in self.values], np.bool_)[self.codes]


class Columns:
    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = list(nodes)
        self._row_of = {node.name: row for row, node in enumerate(nodes)}
        self._read_all()

    def update(self, changed: Sequence[tuple[int, Node]]) -> None:
        """These rows have other nodes now, of the same names."""
        relabelled = False
        for row, node in changed:
            before, self._nodes[row] = self._nodes[row], node
            relabelled |= before.labels != node.labels or before.taints != node.taints
            relabelled |= before.allocatable != node.allocatable
            self._ready[row], self._cordoned[row] = node.ready, node.unschedulable
        if relabelled:
            self._read_all()
        self._masks.clear()

    def _read_all(self) -> None:
        self._ready: Bools = np.array([node.ready for node in self._nodes], np.bool_)
        self._cordoned: Bools = np.array([node.unschedulable for node in self._nodes], np.bool_)
        self.gpus: Ints = np.array([gpus(node.allocatable) for node in self._nodes], np.int64)
        self._taints = Coded([node.taints for node in self._nodes])
        self._labels: dict[str, Coded] = {}
        self._masks: dict[Hashable, Bools] = {}

    # -- reading ---------------------------------------------------------------------------------------------------

    def label(self, key: str) -> Coded:
        """The nodes' values of one label."""
        if key not in self._labels:
            self._labels[key] = Coded([node.labels.get(key) for node in self._nodes])
        return self._labels[key]

    def takes_pods(self) -> Bools:
        """Ready, and not cordoned."""
        return self._ready & ~self._cordoned

    def open_to(self, shape: PodShape) -> Bools:
        """The nodes it may go on, room aside. Do not write to it."""
        kind = (tuple(sorted(shape.node_selector.items())), shape.tolerations, shape.required_node_affinity)
        mask = self._masks.get(kind)
        if mask is None:
            if len(self._masks) >= MASKS_LIMIT:
                self._masks.clear()
            mask = self._masks[kind] = self._in_service(shape) & self.suits(shape)
        if shape.excluded_nodes:
            mask = mask & ~self.excluded(shape)
        return mask

    def suits(self, shape: PodShape) -> Bools:
        """What the pod and the node say about each other, whatever state the node is in, exclusions aside."""
        return self._selected(shape) & self._near(shape) & self._bearable(shape)

    def barred(self, shape: PodShape) -> dict[Barrier, int]:
        """Were all nodes in service: how many of them each barrier keeps the pod off, the first that stands."""
        left = np.ones(len(self._nodes), np.bool_)
        found: dict[Barrier, int] = {}
        for barrier, passed in (
            (Barrier.EXCLUDED, ~self.excluded(shape)),
            (Barrier.SELECTOR, self._selected(shape)),
            (Barrier.AFFINITY, self._near(shape)),
            (Barrier.TAINT, self._bearable(shape)),
        ):
            found[barrier] = int((left & ~passed).sum())
            left &= passed
        return {barrier: nodes for barrier, nodes in found.items() if nodes}

    def excluded(self, shape: PodShape) -> Bools:
        mask = np.zeros(len(self._nodes), np.bool_)
        mask[[self._row_of[name] for name in shape.excluded_nodes if name in self._row_of]] = True
        return mask

    def _in_service(self, shape: PodShape) -> Bools:
        return self._ready if tolerated(_CORDON, shape) else self._ready & ~self._cordoned

    def _selected(self, shape: PodShape) -> Bools:
        mask = np.ones(len(self._nodes), np.bool_)
        for key, value in shape.node_selector.items():
            mask &= self.label(key).where(lambda has, value=value: has == value)  # type: ignore[misc]
        return mask

    def _near(self, shape: PodShape) -> Bools:
        if not shape.required_node_affinity:
            return np.ones(len(self._nodes), np.bool_)
        mask = np.zeros(len(self._nodes), np.bool_)
        for term in shape.required_node_affinity:
            if term.match_expressions:
                mask |= np.logical_and.reduce([self._matching(each) for each in term.match_expressions])
        return mask

    def _matching(self, requirement: Requirement) -> Bools:
        key = requirement.key
        return self.label(key).where(lambda has: requirement.matches({} if has is None else {key: str(has)}))

    def _bearable(self, shape: PodShape) -> Bools:
        def bears(taints: Hashable) -> bool:
            return isinstance(taints, tuple) and all(tolerated(taint, shape) for taint in taints)

        return self._taints.where(bears)
