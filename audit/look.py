"""One record after the other: what its body says, against its copies, its parts and the time before it.

Part of `audit.fsck`. The same look is taken at the whole log (`audit.rescan`) and at a stretch of it (`audit.stretch`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from audit.copies import are_the_body
from audit.errors import RecordRefused
from audit.record import Record, parse
from audit.removals import Removals
from audit.reopen import Parts
from audit.rows import RecordRow, Rows, as_index, is_before
from audit.verdict import Verdict

CLOCK_TOLERANCE_S = 5.0
"""Writers on several machines take the time before they queue for the log, and their clocks differ a little."""


@dataclass(slots=True)
class Times:
    """Of what was looked at."""

    first: datetime
    oldest: datetime
    newest: datetime


class Look:
    """Looks at one record after the other: what it says, its copies, its parts and its time."""

    def __init__(self, rows: Rows, verdict: Verdict) -> None:
        self._verdict = verdict
        self._attributes, self._parts = _Attributes(rows, verdict), Parts(rows, verdict)
        self.times: Times | None = None
        self.removals = Removals()
        self.attributes = self.parts = 0

    def at(self, row: RecordRow, computed: bytes) -> bool:
        """False where the record itself is known to be bad: the tree has nothing to add there."""
        index, kind, at, actor, unique_key, body, leaf = row
        attributes, parts = self._attributes.of(index), self._parts.of(index)
        self.attributes += len(attributes)
        self.parts += len(parts)
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
        times = self.times
        if times is None:
            self.times = Times(at, at, at)
            return
        if at >= times.newest:
            times.newest = at
            return
        times.oldest = min(at, times.oldest)
        back_s = (times.newest - at).total_seconds()
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
