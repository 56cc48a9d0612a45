"""What a log may lack, and the records that say so: redactions of single texts, and retention.

Whatever is missing without such a record is a problem; what is missing with one is told, with who let it go and why.
Pure, and standard library alone: the check of a file, of a database and of an export share it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from audit.record import Record

REDACTION, RETENTION = "redaction", "retention"
"""The two kinds of record to which the log itself gives a meaning."""

REDACTS, FIRST_KEPT = "redacts", "first_kept"
"""Their attributes: the record that is redacted, and the first that retention keeps."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """Texts of one record that were erased, and the record that says so."""

    index: int
    places: tuple[str, ...]
    record: int
    at: str
    by: str
    reason: str

    def __str__(self) -> str:
        places = ", ".join(self.places)
        return f"record {self.index}: {places} redacted at {self.at} by {self.by} (record {self.record}): {self.reason}"


class Removals:
    """Shown every record in order, it knows at the end what is missing and what of that was let go."""

    def __init__(self) -> None:
        self._closed: dict[int, tuple[str, ...]] = {}
        self._redactions: list[Redacted] = []
        self.first_kept = 0

    def see(self, record: Record, closed: Collection[str]) -> None:
        """`closed` are the sealed places of this record whose text is not there."""
        if closed:
            self._closed[record.index] = tuple(sorted(closed))
        if record.kind == REDACTION:
            self._redaction(record)
        elif record.kind == RETENTION:
            told = record.attributes.get(FIRST_KEPT, "")
            self.first_kept = max(self.first_kept, int(told) if told.isdecimal() else 0)

    def merge(self, later: Removals) -> None:
        """With what another was shown of the records behind."""
        self._closed |= later._closed
        self._redactions += later._redactions
        self.first_kept = max(self.first_kept, later.first_kept)

    def _redaction(self, record: Record) -> None:
        payload, target = record.payload, record.attributes.get(REDACTS, "")
        places = payload.get("places") if isinstance(payload, dict) else None
        if not target.isdecimal() or int(target) >= record.index or not isinstance(places, list):
            return
        told = tuple(sorted(str(place) for place in places))
        reason = str(payload.get("reason"))
        self._redactions.append(Redacted(int(target), told, record.index, record.at, record.actor, reason))

    def redacted(self) -> Iterator[Redacted]:
        """What is missing and may be."""
        for each in self._redactions:
            gone = tuple(place for place in each.places if place in self._closed.get(each.index, ()))
            if gone:
                yield Redacted(each.index, gone, each.record, each.at, each.by, each.reason)

    def missing(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """What is missing and may not be."""
        let_go: dict[int, set[str]] = {}
        for each in self._redactions:
            let_go.setdefault(each.index, set()).update(each.places)
        for index, places in self._closed.items():
            lost = tuple(place for place in places if place not in let_go.get(index, ()))
            if lost:
                yield index, lost

    def still_there(self, first: int) -> Iterator[Redacted]:
        """What was to be erased and is there all the same; `first` is the first record that was looked at."""
        for each in self._redactions:
            left = tuple(place for place in each.places if place not in self._closed.get(each.index, ()))
            if left and each.index >= first:
                yield Redacted(each.index, left, each.record, each.at, each.by, each.reason)
