"""Every row of the log against the body of its record: the part of `audit.fsck` that reads.

The body is the evidence and the rest are copies of it. So each record is rehashed and read, its copies are compared
with what it says, and the tree is built again beside it. A long log is looked at in stretches by several processes,
which only ever answer "nothing is wrong here": if one cannot, the log is looked at once more by one process from its
beginning to its end, and what that one says is the verdict. So the verdict is the same either way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import accumulate
from typing import Protocol

from audit.look import CLOCK_TOLERANCE_S, Look
from audit.merkle import HASH_BYTES
from audit.removals import Removals
from audit.retree import Retree
from audit.rows import Rows
from audit.stretch import Seen, Stretch, stretches, walk
from audit.verdict import DROPPED_UNSAID, Verdict


class Share(Protocol):
    """How the work is shared, in subtrees of this level at most."""

    @property
    def level(self) -> int: ...

    def pays(self, records: int) -> bool: ...

    def look(self, stretches: Sequence[Stretch], wanted: frozenset[int]) -> Iterator[Seen | None]:
        """What is seen of these stretches, in their order, with the roots at these sizes; None for what is no plain
        yes. It is not always asked for the rest."""
        ...


def rescan(
    rows: Rows, verdict: Verdict, expect_root: bytes | None, expect_size: int | None, share: Share | None = None
) -> None:
    """Adds to the verdict what is wrong with the rows, and the size and root that they have."""
    wanted = verdict.sizes if expect_size is None else verdict.sizes | {expect_size}
    shared = share is not None and rows.attempt(partial(_by_stretches, rows, verdict, wanted, share))
    if shared or _one_by_one(rows, verdict, wanted):
        _check_anchor(verdict, expect_root, expect_size)


def _one_by_one(rows: Rows, verdict: Verdict, wanted: frozenset[int]) -> bool:
    """False where there was no sense in going on to the end."""
    tree, look = Retree(rows, verdict), Look(rows, verdict)
    _stubs(rows, tree, verdict, wanted)
    if not walk(rows, tree, look, verdict, wanted):
        return False
    look.finish()
    _finish(rows, tree, verdict, look.removals)
    return True


def _by_stretches(rows: Rows, verdict: Verdict, wanted: frozenset[int], share: Share) -> bool:
    """True, and the verdict has it, if nothing at all is wrong. What is let go or only worth a warning is not wrong."""
    counts, size = rows.counts(), rows.size()
    if not share.pays(counts[0]):
        return False
    trial = Verdict(verdict.store)
    tree, removals = Retree(rows, trial), Removals()
    _stubs(rows, tree, trial, wanted)
    if not trial.ok or counts[0] != size - trial.size:  # before so many stretches are made as an index says
        return False
    seen: list[Seen] = []
    for answer in share.look(stretches(trial.size, size, share.level), wanted):
        if answer is None:
            return False
        seen.append(answer)
        trial.roots |= {size: tree.root(over) for size, over in answer.roots.items()}
        tree.add(answer.subtree, trusted=True, level=answer.stretch.level)
        trial.size = answer.stretch.end
        removals.merge(answer.removals)
        trial.warnings.extend(answer.warnings)
    looked_at = (trial.size - trial.dropped, sum(each.attributes for each in seen), sum(each.parts for each in seen))
    if counts != looked_at or not _in_time(seen):
        return False
    _finish(rows, tree, trial, removals)
    if trial.ok:
        verdict.take(trial)
    return trial.ok


def _in_time(seen: Sequence[Seen]) -> bool:
    """Whether each stretch would have been told the same of its times, had the one before been known to it.

    A stretch knows no time before its own. That makes no difference where all before is older than its first, nor
    where nothing in it is so much older than what is before that it would be told.
    """
    newest = accumulate((each.times.newest for each in seen), max)
    tolerance = timedelta(seconds=CLOCK_TOLERANCE_S)
    for before, times in zip(newest, [each.times for each in seen[1:]], strict=False):
        if before > times.first and before - times.oldest > tolerance:
            return False
    return True


def _finish(rows: Rows, tree: Retree, verdict: Verdict, removals: Removals) -> None:
    tree.finish()
    verdict.root = tree.root()
    for index, key in rows.repeated_keys():
        verdict.integrity.add("unique_key_repeated", index, f"the unique key {key!r} is taken by an earlier record")
    _check_removals(verdict, removals)
    _check_retention(rows, verdict, removals)


def _stubs(rows: Rows, tree: Retree, verdict: Verdict, wanted: frozenset[int]) -> None:
    """The leaves that retention left behind come first."""
    if 0 in wanted:
        verdict.roots[0] = tree.root()
    for index, leaf in rows.stubs():
        if index != verdict.size or not isinstance(leaf, bytes) or len(leaf) != HASH_BYTES:
            verdict.integrity.add(
                "stub_invalid", verdict.size, f"the stub {index!r} is no leaf of record {verdict.size}"
            )
            break
        tree.add(leaf, trusted=True)
        verdict.size += 1
        if verdict.size in wanted:
            verdict.roots[verdict.size] = tree.root()
    verdict.dropped = verdict.size


def _check_removals(verdict: Verdict, removals: Removals) -> None:
    if verdict.dropped > removals.first_kept:
        unsaid = f"records {removals.first_kept} to {verdict.dropped - 1} were dropped, and no record says so"
        verdict.completeness.add(DROPPED_UNSAID, removals.first_kept, unsaid)
    for index, places in removals.missing():
        lost = f"{', '.join(places)} missing: no record says that it was redacted"
        verdict.completeness.add("part_missing", index, lost)
    for each in removals.redacted():
        verdict.add_redacted(each)
    for each in removals.still_there(verdict.dropped):
        told = f"{', '.join(each.places)} was redacted by record {each.record} and is there all the same"
        verdict.warnings.add("not_erased", each.index, told)


def _check_retention(rows: Rows, verdict: Verdict, removals: Removals) -> None:
    """What a record of retention says of itself, and against the time of the first record that it kept."""
    for index, why in removals.refused():
        verdict.completeness.add("retention_invalid", index, why)
    if not verdict.dropped:
        return
    for only_told, index, told in removals.against(partial(_time_of, rows)):
        if only_told:
            verdict.warnings.add("retention_unproven", index, told)
        else:
            verdict.completeness.add("retention_invalid", index, told)


def _time_of(rows: Rows, index: int) -> object:
    return next((row[2] for row in rows.within(index, index + 1).records()), None)


def _check_anchor(verdict: Verdict, root: bytes | None, size: int | None) -> None:
    """One size and root, as somebody says that they were; signed checkpoints are held against it by `audit.kept`."""
    root_then = verdict.root if size is None else verdict.roots.get(size)
    if size is not None and size > verdict.size:
        missing = f"records {verdict.size} to {size - 1} are missing: the anchor saw {size} records"
        verdict.anchoring.add("tail_missing", verdict.size, missing)
    elif root is not None and root_then is None:
        verdict.anchoring.add("root_unknown", None, "records are missing, so the anchor's root cannot be compared")
    elif root is not None and root != root_then:
        verdict.anchoring.add("root_differs", None, "this is not the log whose root the anchor kept: it was rewritten")
    elif verdict.anchored:
        verdict.covered = verdict.size if size is None else size
