"""The forest of domains that node labels span: blocks of racks of hosts, or whatever the levels are called.

A node belongs to it when it is ready, takes pods, carries the flavor's labels and a label of every level; the rest do
not exist for placement by topology (Kueue, KEP-2724). Domains of a level stand in the order of their paths, so the
children of one are neighbours, sums over them are one `np.add.reduceat`, and the first of equals is the one with the
earlier name. A forest never changes; what is free in it is `capacity.py`'s.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scheduler_core.errors import Duplicate
from scheduler_core.model import Node
from scheduler_core.topologies import HOSTNAME, Topology

Ints = NDArray[np.int64]
Path = tuple[str, ...]
SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")  # of a domain's children among all of their level


@dataclass(frozen=True)
class Level:
    """The domains of one level: their paths, whose child each is, and where the children of each begin and end."""

    paths: tuple[Path, ...]
    parents: Ints  # empty at the first level
    begins: Ints  # empty at the last level
    ends: Ints

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True, eq=False)
class Forest:
    topology: Topology
    levels: tuple[Level, ...]
    nodes: tuple[tuple[Node, ...], ...]  # those of each leaf
    leaf_of_node: Mapping[str, int]

    @classmethod
    def of(cls, topology: Topology, nodes: Iterable[Node], node_labels: Mapping[str, str] | None = None) -> "Forest":
        """`node_labels` are those of the flavor whose nodes these are."""
        by_leaf: dict[Path, list[Node]] = {}
        names: set[str] = set()
        for node in nodes:
            if node.name in names:
                raise Duplicate("Node", node.name, "name", "is taken")
            names.add(node.name)
            if _belongs(node, topology, node_labels or {}):
                by_leaf.setdefault(tuple(node.labels[level] for level in topology.levels), []).append(node)
        paths = sorted(by_leaf)
        if topology.ends_at_hosts:
            _require_one_node_a_host(by_leaf)
        leaves = tuple(tuple(by_leaf[path]) for path in paths)
        where = {node.name: leaf for leaf, members in enumerate(leaves) for node in members}
        return cls(topology, tuple(_levels(paths, len(topology.levels))), leaves, where)

    @property
    def leaves(self) -> Level:
        return self.levels[-1]

    @cached_property
    def _rows(self) -> dict[Path, tuple[int, int]]:
        return {path: (level, row) for level, each in enumerate(self.levels) for row, path in enumerate(each.paths)}

    @cached_property
    def _hosts(self) -> dict[str, int]:
        return {path[-1]: row for row, path in enumerate(self.leaves.paths)} if self.topology.ends_at_hosts else {}

    def domain(self, path: Path) -> tuple[int, int] | None:
        """Level and row of the domain of that path. A host may be named alone, as Kueue's assignments do."""
        if len(path) == 1 and len(self.levels) > 1 and path[0] in self._hosts:
            return len(self.levels) - 1, self._hosts[path[0]]
        return self._rows.get(path)

    def leaves_below(self, level: int, row: int) -> tuple[int, int]:
        """First leaf of a domain and the one after its last."""
        begin, end = row, row + 1
        for each in self.levels[level:-1]:
            begin, end = int(each.begins[begin]), int(each.ends[end - 1])
        return begin, end

    def above(self, leaf: int, level: int) -> int:
        """The domain at `level` that the leaf lies in."""
        row = leaf
        for each in reversed(self.levels[level + 1 :]):
            row = int(each.parents[row])
        return row


def _belongs(node: Node, topology: Topology, node_labels: Mapping[str, str]) -> bool:
    if not node.ready or node.unschedulable:
        return False
    if any(node.labels.get(key) != value for key, value in node_labels.items()):
        return False
    return all(level in node.labels for level in topology.levels)


def _require_one_node_a_host(by_leaf: Mapping[Path, list[Node]]) -> None:
    seen: dict[str, str] = {}
    for path, members in by_leaf.items():
        for node in members:
            if path[-1] in seen:
                why = f"{path[-1]!r} is also that of node {seen[path[-1]]!r}"
                raise Duplicate("Node", node.name, f"labels.{HOSTNAME}", why)
            seen[path[-1]] = node.name


def _levels(leaves: list[Path], depth: int) -> list[Level]:
    """`leaves` are sorted: where one differs from the one before it, its domains from that level down are new."""
    paths: list[list[Path]] = [[] for _ in range(depth)]
    parents: list[list[int]] = [[] for _ in range(depth)]
    before: Path = ()
    for leaf in leaves:
        new = next((level for level, value in enumerate(before) if leaf[level] != value), len(before))
        for level in range(new, depth):
            if level:
                parents[level].append(len(paths[level - 1]) - 1)
            paths[level].append(leaf[: level + 1])
        before = leaf
    levels = []
    for level, each in enumerate(paths):
        owners = np.array(parents[level + 1] if level + 1 < depth else [], np.int64)
        rows = np.arange(len(each) if level + 1 < depth else 0)
        begins, ends = (np.searchsorted(owners, rows, side=side).astype(np.int64) for side in SIDES)
        levels.append(Level(tuple(each), np.array(parents[level], np.int64), begins, ends))
    return levels
