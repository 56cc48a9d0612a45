"""Where the pods of a pod set go: so many to each leaf. What an admission keeps and what a capacity takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler_core.topology.forest import Forest, Path


@dataclass(frozen=True)
class Part:
    """So many pods in one domain; the path names it from the first level down."""

    domain: Path
    count: int


@dataclass(frozen=True)
class Assignment:
    pod_set: str
    parts: tuple[Part, ...]  # in the order of their paths

    @property
    def count(self) -> int:
        return sum(part.count for part in self.parts)

    def first(self, count: int) -> "Assignment":
        """What a gang keeps that shrinks to so many pods: the first ones; pods are numbered in this order (Kueue)."""
        parts, left = [], count
        for part in self.parts:
            if left > 0:
                parts.append(Part(part.domain, min(part.count, left)))
                left -= part.count
        return Assignment(self.pod_set, tuple(parts))

    def at(self, level: int) -> tuple[Part, ...]:
        """The same by the domains of a wider level (0 is the widest)."""
        sums: dict[Path, int] = {}
        for part in self.parts:
            wide = part.domain[: level + 1]
            sums[wide] = sums.get(wide, 0) + part.count
        return tuple(Part(path, count) for path, count in sorted(sums.items()))


def of_leaves(forest: Forest, pod_set: str, leaves: Sequence[tuple[int, int]]) -> Assignment:
    paths = forest.leaves.paths
    return Assignment(pod_set, tuple(Part(paths[leaf], count) for leaf, count in sorted(leaves) if count))
