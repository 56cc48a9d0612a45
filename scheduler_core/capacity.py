"""How many pods of a shape fit where: a mirror of the snapshot's tables, kept up to date by what was written to them.

The tables stay the truth, and the journal takes them back exactly. A table says which of its rows were written, so a
question after a change costs as much as the change, not as the cluster: the rows are copied over, and the room for a
known request is counted anew on those rows alone. Rows stand in the order of the nodes' names, so the first of equals
is the one with the earlier name. Which node takes which pod at all is `columns.py`'s to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from scheduler_core.columns import Bools, Columns, Ints
from scheduler_core.free_matrix import ABSENT, FreeMatrix, wanted_of
from scheduler_core.model import Node, PodShape, Requests, gpus
from scheduler_core.watched import Watched

ROOMS_LIMIT = 256  # requests whose room is kept up to date; 20 MB on 10,000 nodes
_NO_ROWS: Ints = np.zeros(0, np.int64)


@dataclass
class _Room:
    """How many pods of one request fit on each node, as of a version of the matrix."""

    pods: Ints
    version: int


@dataclass(frozen=True)
class Offer:
    """The nodes with room for pods of one shape, in the order of their names; columns of equal length.

    `left` is what a policy weighs: free GPUs, then the node's GPUs in all (its worth to GPU work), then what is free of
    each requested resource by name; `each` is what one pod takes of those.
    """

    rows: Ints
    pods: Ints
    left: tuple[Ints, ...]
    each: tuple[int, ...]

    def after(self, column: int, take: Ints) -> Ints:
        """What would be left in a column after so many pods."""
        return self.left[column] - take * self.each[column] if self.each[column] else self.left[column]


class Capacity:
    """Made from the two tables; where they are `Watched`, it follows them."""

    def __init__(self, nodes: Mapping[str, Node], free: Mapping[str, Requests]) -> None:
        self._nodes, self._free = nodes, free
        self._rooms: dict[tuple[tuple[str, int], ...], _Room] = {}
        self._version = 0
        self._built = False

    @property
    def names(self) -> Sequence[str]:
        """Row -> node."""
        self._follow()
        return self._names

    @property
    def row_of(self) -> Mapping[str, int]:
        self._follow()
        return self._row_of

    @property
    def columns(self) -> Columns:
        """What the nodes are, beside what is free on them."""
        self._follow()
        return self._columns

    @property
    def free(self) -> FreeMatrix:
        self._follow()
        return self._matrix

    def room(self, requests: Requests) -> Ints:
        """How many pods with these requests fit on each node, were they let on it. Not to be written to."""
        self._follow()
        wanted = wanted_of(requests)
        known = self._rooms.pop(wanted, None)
        if known is None:
            while len(self._rooms) >= ROOMS_LIMIT:
                del self._rooms[next(iter(self._rooms))]
            known = _Room(self._matrix.room(wanted), self._version)
        elif known.version < self._version:
            stale = np.flatnonzero(self._versions > known.version)
            known.pods[stale] = self._matrix.at(stale).room(wanted)
            known.version = self._version
        self._rooms[wanted] = known  # the one asked for last goes last
        return known.pods

    def pods(self, shape: PodShape) -> Ints:
        """How many pods of the shape each node takes."""
        room = self.room(shape.requests)
        return np.where(self._columns.open_to(shape), room, 0)

    def space(self) -> "Space":
        return Space(self, self.free)

    # -- following the tables --------------------------------------------------------------------------------------

    def _follow(self) -> None:
        nodes = self._nodes.touched() if isinstance(self._nodes, Watched) else ()
        if nodes and self._built:
            if all(name in self._row_of and name in self._nodes for name in nodes):
                self._columns.update([(self._row_of[name], self._nodes[name]) for name in sorted(nodes)])
            else:
                self._built = False  # nodes came or went
        if not self._built:
            self._build()
        elif isinstance(self._free, Watched) and (written := self._free.touched()):
            self._copy(sorted(written))

    def _build(self) -> None:
        self._names = sorted(self._nodes)
        self._row_of = {name: row for row, name in enumerate(self._names)}
        self._columns = Columns([self._nodes[name] for name in self._names])
        column_of: dict[str, int] = {}
        for name in self._names:
            for resource in self._free[name]:
                column_of.setdefault(resource, len(column_of))
        self._matrix = FreeMatrix(self._rows(self._names, column_of), column_of)
        self._versions = np.full(len(self._names), self._version, np.int64)
        self._rooms.clear()
        self._built = True
        if isinstance(self._free, Watched):
            self._free.touched()

    def _copy(self, names: Sequence[str]) -> None:
        column_of = self._matrix.column_of
        if any(resource not in column_of for name in names for resource in self._free[name]):
            self._build()  # a resource that no node had before
            return
        rows = [self._row_of[name] for name in names]
        self._matrix.values[rows] = self._rows(names, column_of)
        self._version += 1
        self._versions[rows] = self._version

    def _rows(self, names: Sequence[str], resources: Mapping[str, int]) -> Ints:
        rows = [[self._free[name].get(resource, ABSENT) for resource in resources] for name in names]
        return np.array(rows, np.int64).reshape(len(names), len(resources))


@dataclass(frozen=True)
class Space:
    """What is free at one moment of a search: the cluster, less what the search has handed out so far.

    Good until the cluster changes.
    """

    capacity: Capacity
    free: FreeMatrix
    changed: Ints = field(default_factory=lambda: _NO_ROWS)  # the rows that differ from the cluster
    closed: Bools | None = None  # rows that are not to be used, whatever the shape

    def pods(self, shape: PodShape) -> Ints:
        """How many pods of the shape each node takes."""
        pods = self.capacity.pods(shape)
        if len(self.changed):
            counted = self.free.at(self.changed).room(wanted_of(shape.requests))
            pods[self.changed] = np.where(self.capacity.columns.open_to(shape)[self.changed], counted, 0)
        if self.closed is not None:
            pods[self.closed] = 0
        return pods

    def offer(self, shape: PodShape) -> Offer:
        return self.of(shape, self.pods(shape))

    def of(self, shape: PodShape, pods: Ints) -> Offer:
        """The nodes that take any of so many pods."""
        rows = np.flatnonzero(pods)
        part, names = self.free.at(rows), sorted(shape.requests)
        left = (part.gpus(), self.capacity.columns.gpus[rows], *(part.of(name) for name in names))
        return Offer(rows, pods[rows], left, (gpus(shape.requests), 0, *(shape.requests[name] for name in names)))

    def after(self, shape: PodShape, rows: Ints, pods: Ints) -> "Space":
        """With so many pods of the shape on those rows."""
        left = self.free.less(rows, pods, wanted_of(shape.requests))
        return replace(self, free=left, changed=np.union1d(self.changed, rows))
