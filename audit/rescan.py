"""Every row of the log against the body of its record: the part of `audit.fsck` that reads.

The body is the evidence and the rest are copies of it. So each record is rehashed and read, its copies are compared
with what it says, and the tree is built again beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from audit.copies import are_the_body
from audit.errors import RecordRefused
from audit.merkle import HASH_BYTES
from audit.record import Record, leaf_hash, parse
from audit.removals import Removals
from audit.reopen import Parts
from audit.retree import Retree
from audit.rows import RecordRow, Rows, as_index, is_before
from audit.verdict import Verdict

CLOCK_TOLERANCE_S = 5.0
"""Writers on several machines take the time before they queue for the log, and their clocks differ a little."""


def rescan(rows: Rows, verdict: Verdict, expect_root: bytes | None, expect_size: int | None) -> None:
    """Adds to the verdict what is wrong with the rows, and the size and root that they have."""
    tree, look = Retree(rows, verdict), _Look(rows, verdict)
    wanted = verdict.sizes if expect_size is None else verdict.sizes | {expect_size}
    _stubs(rows, tree, verdict, wanted)
    for row in rows.records():
        index, body = row[0], row[5]
        if index != verdict.size:
            _report_gap(verdict, index)
            if not tree.skip_to(index):
                return
            verdict.size = index
        computed = leaf_hash(body) if isinstance(body, bytes) else b""
        tree.add(computed, trusted=look.at(row, computed))
        verdict.size += 1
        if verdict.size in wanted:
            verdict.roots[verdict.size] = tree.root()
    look.finish()
    tree.finish()
    verdict.root = tree.root()
    for index, key in rows.repeated_keys():
        verdict.integrity.add("unique_key_repeated", index, f"the unique key {key!r} is taken by an earlier record")
    _check_removals(verdict, look.removals)
    _check_anchor(verdict, expect_root, expect_size)


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
        verdict.completeness.add("dropped_unsaid", removals.first_kept, unsaid)
    for index, places in removals.missing():
        lost = f"{', '.join(places)} missing: no record says that it was redacted"
        verdict.completeness.add("part_missing", index, lost)
    for each in removals.redacted():
        verdict.add_redacted(each)
    for each in removals.still_there(verdict.dropped):
        told = f"{', '.join(each.places)} was redacted by record {each.record} and is there all the same"
        verdict.warnings.add("not_erased", each.index, told)


def _report_gap(verdict: Verdict, index: object) -> None:
    expected = verdict.size
    if isinstance(index, int) and index > expected:
        rows = f"record {expected} is" if index == expected + 1 else f"records {expected} to {index - 1} are"
        verdict.completeness.add("record_missing", expected, f"{rows} missing")
    else:
        verdict.integrity.add("index_invalid", expected, f"a record with the index {index!r} comes before it")


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


class _Look:
    """Looks at one record after the other: what it says, its copies, its parts and its time."""

    def __init__(self, rows: Rows, verdict: Verdict) -> None:
        self._verdict = verdict
        self._attributes, self._parts = _Attributes(rows, verdict), Parts(rows, verdict)
        self._last_at: datetime | None = None
        self.removals = Removals()

    def at(self, row: RecordRow, computed: bytes) -> bool:
        """False where the record itself is known to be bad: the tree has nothing to add there."""
        index, kind, at, actor, unique_key, body, leaf = row
        attributes, parts = self._attributes.of(index), self._parts.of(index)
        if computed != leaf:
            self._verdict.integrity.add("body_differs", index, "the body does not hash to the stored leaf")
            return False
        if are_the_body(row, attributes, parts):
            self._time(index, at)
            return True
        try:
            record = parse(body)
        except RecordRefused as refusal:
            self._verdict.integrity.add("not_a_record", index, str(refusal))
            return False
        self._compare(record, (index, kind, at, actor, unique_key, attributes))
        self._time(index, record.at)
        if record.index != as_index(index):
            return False  # and what parts it has, and what it says of others, is another record's affair
        self.removals.see(*self._parts.opened(record, parts))
        return True

    def finish(self) -> None:
        self._attributes.report_rest()
        self._parts.report_rest()

    def _compare(self, record: Record, copies: tuple[object, ...]) -> None:
        attested = (record.index, record.kind, record.at, record.actor, record.unique_key, record.attributes)
        if attested == copies:
            return
        names = ("index", "kind", "at", "actor", "unique_key", "attributes")
        for name, said, copy in zip(names, attested, copies, strict=True):
            if said != copy:
                self._verdict.integrity.add(
                    f"{name}_differs", as_index(copies[0]), f"{name} is {copy!r}, but {said!r} in the body"
                )

    def _time(self, index: int, text: str) -> None:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            self._verdict.integrity.add("not_a_record", index, f"{text} is no moment")
            return
        if self._last_at is None or at >= self._last_at:
            self._last_at = at
            return
        back_s = (self._last_at - at).total_seconds()
        if back_s > CLOCK_TOLERANCE_S:
            self._verdict.warnings.add("clock_went_back", index, f"{text} is {back_s:.0f} s before an earlier record")


class _Attributes:
    """Walks the attribute rows in step with the records."""

    def __init__(self, rows: Rows, verdict: Verdict) -> None:
        self._verdict = verdict
        self._records = groupby(rows.attributes(), itemgetter(0))
        self._next = next(self._records, None)

    def of(self, index: int) -> dict[str, str]:
        while self._next is not None and is_before(self._next[0], index):
            self._report(self._next)
            self._next = next(self._records, None)
        if self._next is None or self._next[0] != index:
            return {}
        rows = [(name, value) for _, name, value in self._next[1]]
        found = dict(rows)
        if len(found) != len(rows):
            self._verdict.integrity.add("attributes_differs", index, "an attribute is there twice")
        self._next = next(self._records, None)
        return found

    def report_rest(self) -> None:
        while self._next is not None:
            self._report(self._next)
            self._next = next(self._records, None)

    def _report(self, record: tuple[object, Iterator[tuple[int, str, str]]]) -> None:
        for index, name, _ in record[1]:
            stray = f"attribute {name!r} belongs to a missing record"
            self._verdict.completeness.add("record_missing", as_index(index), stray)
