"""A stretch of the log: records that make one whole subtree, looked at with nothing known of the others.

What several processes share is cut into these. A stretch answers with its subtree's hash and with what else depends on
its neighbours, and only if nothing whatever is wrong in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from audit.look import Look, Times
from audit.record import leaf_hash
from audit.removals import Removals
from audit.retree import Retree
from audit.rows import Rows
from audit.verdict import Section, Verdict

STRETCH_LEVEL = 14
"""At most 2^14 records, a third of a second's work: the processes end at about the same time."""


class Stretch(NamedTuple):
    """The leaves of the complete subtree (level, number)."""

    level: int
    number: int

    @property
    def first(self) -> int:
        return self.number << self.level

    @property
    def end(self) -> int:
        return (self.number + 1) << self.level


@dataclass(frozen=True, slots=True)
class Seen:
    """`roots` by size are of this stretch alone: the right end of the log's."""

    stretch: Stretch
    subtree: bytes
    roots: dict[int, bytes]
    attributes: int
    parts: int
    times: Times
    warnings: Section
    removals: Removals


def stretches(first: int, end: int, most_level: int = STRETCH_LEVEL) -> list[Stretch]:
    """[first, end) in the fewest complete subtrees of this level at most."""
    found = []
    while first < end:
        level = most_level if first == 0 else min(most_level, (first & -first).bit_length() - 1)
        level = min(level, (end - first).bit_length() - 1)
        found.append(Stretch(level, first >> level))
        first = found[-1].end
    return found


def look_at(rows: Rows, stretch: Stretch, wanted: frozenset[int]) -> Seen | None:
    """None if anything is wrong there. `rows` are those of the whole log."""
    rows = rows.within(stretch.first, stretch.end)
    verdict = Verdict("", size=stretch.first)
    tree, look = Retree(rows, verdict, stretch.first), Look(rows, verdict)
    walk(rows, tree, look, verdict, wanted)
    look.finish()
    subtree, times = tree.root(), look.times
    if not verdict.ok or verdict.size != stretch.end or subtree is None or times is None:
        return None
    roots = {size: root for size, root in verdict.roots.items() if root is not None}
    return Seen(stretch, subtree, roots, look.attributes, look.parts, times, verdict.warnings, look.removals)


def walk(rows: Rows, tree: Retree, look: Look, verdict: Verdict, wanted: frozenset[int]) -> bool:
    """Looks at all these records, from `verdict.size` on; False where there is no sense in going on."""
    for row in rows.records():
        index, body = row[0], row[5]
        if index != verdict.size:
            _report_gap(verdict, index)
            if not tree.skip_to(index):
                return False
            verdict.size = index
        computed = leaf_hash(body) if isinstance(body, bytes) else b""
        tree.add(computed, trusted=look.at(row, computed))
        verdict.size += 1
        if verdict.size in wanted:
            verdict.roots[verdict.size] = tree.root()
    return True


def _report_gap(verdict: Verdict, index: object) -> None:
    expected = verdict.size
    if isinstance(index, int) and index > expected:
        rows = f"record {expected} is" if index == expected + 1 else f"records {expected} to {index - 1} are"
        verdict.completeness.add("record_missing", expected, f"{rows} missing")
    else:
        verdict.integrity.add("index_invalid", expected, f"a record with the index {index!r} comes before it")
