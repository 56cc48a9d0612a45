"""What a log may lack, and the records that say so: redactions of single texts, and retention.

Whatever is missing without such a record is a problem; what is missing with one is told, with who let it go and why.
Pure, and standard library alone: the check of a file, of a database and of an export share it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit.record import AT_FORM, Record

REDACTION, RETENTION = "redaction", "retention"
"""The two kinds of record to which the log itself gives a meaning."""

REDACTS, FIRST_KEPT = "redacts", "first_kept"
"""Their attributes: the record that is redacted, and the first that retention keeps."""

MINIMUM_DAYS = 183
"""Six months, which the EU AI Act asks of automatically generated logs (Art. 19 and 26)."""

BETWEEN_RECORDS = timedelta(hours=2)
"""An agent at work leaves a heartbeat every hour: so near to the cut is the first record behind it."""

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


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


@dataclass(frozen=True, slots=True)
class Retained:
    """What a record of retention says: all before `first_kept` was older than `before`, the time of its cut.

    `newest` is what anything may be that is as old as the minimum when it goes.
    """

    record: int
    first_kept: int
    before: str
    newest: str


def _retained(record: Record) -> Retained:
    """Raises ValueError, TypeError, KeyError or OverflowError for what `audit.retention` would not write."""
    payload, told = record.payload, record.attributes[FIRST_KEPT]
    if not isinstance(payload, dict) or not _NUMBER.fullmatch(told) or payload["first_kept"] != int(told):
        raise ValueError("the first record that it keeps is not told the same twice")
    first, before, days = payload["first_dropped"], payload["before"], payload["days"]
    if type(first) is not int or not 0 <= first < int(told) <= record.index:
        raise ValueError(f"it drops the records {first!r} to {told} and stands at {record.index}")
    if type(days) is not int or days < MINIMUM_DAYS:
        raise ValueError(f"{days!r} days, and a log is kept for {MINIMUM_DAYS} at least")
    if not isinstance(before, str) or not AT_FORM.fullmatch(before):
        raise ValueError(f"{before!r} is no moment")
    at = datetime.fromisoformat(record.at)
    if at - datetime.fromisoformat(before) != timedelta(days=days):
        raise ValueError(f"the cut at {before} is not {days} days before {record.at}")
    newest = at - timedelta(days=MINIMUM_DAYS) + BETWEEN_RECORDS
    return Retained(record.index, int(told), before, newest.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


class Removals:
    """Shown every record in order, it knows at the end what is missing and what of that was let go."""

    def __init__(self) -> None:
        self._closed: dict[int, tuple[str, ...]] = {}
        self._redactions: list[Redacted] = []
        self.retentions: list[Retained] = []
        self._refused: list[tuple[int, str]] = []

    @property
    def first_kept(self) -> int:
        """All before it may be gone: by records of retention that are what such a record has to be."""
        return max((each.first_kept for each in self.retentions), default=0)

    def see(self, record: Record, closed: Collection[str]) -> None:
        """`closed` are the sealed places of this record whose text is not there."""
        if closed:
            self._closed[record.index] = tuple(sorted(closed))
        if record.kind == REDACTION:
            self._redaction(record)
        elif record.kind == RETENTION:
            self._retention(record)

    def merge(self, later: Removals) -> None:
        """With what another was shown of the records behind."""
        self._closed |= later._closed
        self._redactions += later._redactions
        self.retentions += later.retentions
        self._refused += later._refused

    def against(self, kept_at: Callable[[int], object]) -> Iterator[tuple[bool, int, str]]:
        """What records of retention say against the time of the first record that each kept, which is asked for by its
        index: whether that is only to be judged by a person, whose record it is, and what is to be told."""
        for each in self.retentions:
            at = kept_at(each.first_kept)
            if not isinstance(at, str):
                continue
            if at < each.before:
                told = f"it keeps what is not older than {each.before}, and record {each.first_kept}, its first, is"
                yield False, each.record, told
            elif at > each.newest:
                told = f"what it dropped may be younger than {MINIMUM_DAYS} days: the next that is there is of {at}"
                yield True, each.record, told

    def refused(self) -> list[tuple[int, str]]:
        """Records of retention that let nothing go, and why."""
        return self._refused

    def _retention(self, record: Record) -> None:
        try:
            self.retentions.append(_retained(record))
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            self._refused.append((record.index, f"no record of retention as it has to be: {why}"))

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
