"""The texts that are kept apart, against what the records commit to: the part of `audit.fsck` that opens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.record import Record
from audit.rows import PartRow, Rows, as_index, is_before
from audit.sealing import SALT_BYTES, Part, opened
from audit.verdict import Verdict


class Parts:
    """Walks the part rows in step with the records."""

    def __init__(self, rows: Rows, verdict: Verdict) -> None:
        self._rows: Iterator[PartRow] = rows.parts()
        self._verdict = verdict
        self._next = next(self._rows, None)

    def of(self, index: int) -> Sequence[PartRow]:
        found: list[PartRow] = []
        while self._next is not None and is_before(self._next[0], index + 1):
            if self._next[0] == index:
                found.append(self._next)
            else:
                self._report(self._next)
            self._next = next(self._rows, None)
        return found

    def opened(self, record: Record, rows: Sequence[PartRow]) -> tuple[Record, frozenset[str]]:
        """The record with the texts that are what it commits to, and the sealed places that have no row."""
        if not record.sealed and not rows:
            return record, frozenset()
        parts = [part for part in (self._part(record, row) for row in rows) if part is not None]
        return opened(record, parts), frozenset(record.sealed) - {row[1] for row in rows}

    def report_rest(self) -> None:
        while self._next is not None:
            self._report(self._next)
            self._next = next(self._rows, None)

    def _part(self, record: Record, row: PartRow) -> Part | None:
        index, place, salt, text, word = row
        if place not in record.sealed:
            self._verdict.integrity.add("part_unknown", index, f"nothing is sealed at {place!r}")
            return None
        part = _read(place, salt, text)
        if part is None or not _opens(record, part):
            self._verdict.integrity.add("part_differs", index, f"{place} is not what the record commits to")
            return None
        if word != part.word:
            self._verdict.integrity.add("word_differs", index, f"{place} is found by {word!r}, not by what it says")
        return part

    def _report(self, row: PartRow) -> None:
        stray = f"the part {row[1]!r} belongs to a missing record"
        self._verdict.completeness.add("record_missing", as_index(row[0]), stray)


def _read(place: str, salt: object, text: object) -> Part | None:
    if not isinstance(salt, bytes) or len(salt) != SALT_BYTES or not isinstance(text, bytes):
        return None
    try:
        return Part(place, salt, text.decode())
    except UnicodeDecodeError:
        return None


def _opens(record: Record, part: Part) -> bool:
    return record.sealed[part.place] == part.commitment
