"""The tree rebuilt from the bodies, beside the nodes that the writer kept: the part of `audit.fsck` that hashes.

A stored node that differs names the range of records that was changed. Its ancestors differ too, but say nothing new,
so a subtree with a known fault is carried on as untrusted and is no longer compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from audit.merkle import EMPTY_ROOT, node_hash
from audit.rows import Rows, is_before
from audit.verdict import Verdict

MAX_GAP_RECORDS = 100_000
"""Missing records that are stepped over. An index far beyond the end would have the checker count until next year."""


class Retree:
    """Takes leaves in order and compares each subtree they complete with the stored node."""

    def __init__(self, rows: Rows, verdict: Verdict, first: int = 0) -> None:
        """From leaf `first` on, where a subtree begins that is at least as wide as all that is added."""
        self._rows = rows
        self._verdict = verdict
        self._first, self._size = first, first
        self._stack: list[tuple[bytes | None, bool]] = []
        self._stored: dict[int, _Level] = {}

    def add(self, leaf: bytes | None, trusted: bool, level: int = 0) -> None:
        """One more leaf, or whole subtree that was compared elsewhere; None is one that is missing, untrusted one that
        is known to be bad."""
        subtree, size, here = leaf, self._size, self._size - self._first
        self._size += 1 << level
        while here >> level & 1:
            left, left_trusted = self._stack.pop()
            subtree = node_hash(left, subtree) if left is not None and subtree is not None else None
            level += 1
            trusted = self._compare(level, size >> level, subtree, trusted and left_trusted)
        self._stack.append((subtree, trusted))

    def skip_to(self, index: object) -> bool:
        """Steps over missing records; False if there is no sense in going on."""
        if not isinstance(index, int) or not 0 < index - self._size <= MAX_GAP_RECORDS:
            return False
        while self._size < index:
            self.add(None, trusted=False)
        return True

    def root(self, end: bytes | None = None) -> bytes | None:
        """The root of what the bodies are now, None if some are missing; `end` is that of more leaves behind them."""
        if not self._stack:
            return EMPTY_ROOT if end is None else end
        subtree, rest = (self._stack[-1][0], self._stack[:-1]) if end is None else (end, self._stack)
        for left, _ in reversed(rest):
            subtree = node_hash(left, subtree) if left is not None and subtree is not None else None
        return subtree

    def finish(self) -> None:
        """Nodes beyond the last record remember records that are gone."""
        end, count = self._rows.nodes_extent()
        if end is not None and end > self._size:
            reason = f"records {self._size} to {end - 1} are missing: the tree still has their node"
            self._verdict.completeness.add("tail_missing", self._size, reason)
        elif count > sum(self._size >> level for level in range(1, self._size.bit_length())):
            self._verdict.integrity.add("node_unknown", None, "the tree has nodes that no record completes")

    def _compare(self, level: int, index: int, subtree: bytes | None, trusted: bool) -> bool:
        if level not in self._stored:
            self._stored[level] = _Level(self._rows.nodes(level))
        stored = self._stored[level].take(index)
        if not trusted:
            return False
        if stored != subtree:
            first, end = index << level, (index + 1) << level
            verb = "is missing" if stored is None else "has another hash"
            reason = f"records {first} to {end - 1} are not what was recorded: their node of level {level} {verb}"
            self._verdict.integrity.add("node_missing" if stored is None else "node_differs", first, reason)
            return False
        return True


class _Level:
    """Walks one level's nodes in step with the tree."""

    def __init__(self, rows: Iterator[tuple[int, bytes]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def take(self, index: int) -> bytes | None:
        while self._next is not None and is_before(self._next[0], index):
            self._next = next(self._rows, None)
        if self._next is None or self._next[0] != index:
            return None
        found, self._next = self._next[1], next(self._rows, None)
        return found
