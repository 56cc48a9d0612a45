"""What can go wrong with the log, one type per cause.

A refusal (`RecordRefused`, `AlreadyRecorded`) is the caller's to handle and leaves nothing written. A fault
(`LogUnavailable`, `LogDamaged`) is the log's: whoever needs the evidence before acting must not act.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audit.record import Record


class LogError(Exception):
    """Any refusal or fault of the log."""


class RecordRefused(LogError):
    """These bytes or values are not a record. `place` is a JSON Pointer into the record ("" is the whole of it)."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place or 'record'}: {reason}")
        self.place = place
        self.reason = reason


class AlreadyRecorded(LogError):
    """The unique key is taken: another writer, or an earlier life of this one, recorded the same thing first."""

    def __init__(self, existing: Record) -> None:
        super().__init__(f"unique key {existing.unique_key!r} is taken by record {existing.index}")
        self.existing = existing


class NoSuchRecord(LogError, LookupError):
    """The index or tree size lies beyond the log."""


class LogUnavailable(LogError):
    """The store could not read or write (locked, full, read-only, gone). Nothing was acknowledged.

    It resumes by itself: the next call tries again. After a failed commit the record may still be found in the log;
    an append that carries a unique key is safe to repeat, as it then answers `AlreadyRecorded`.
    """

    def __init__(self, store: str, cause: str) -> None:
        super().__init__(f"{store}: {cause}")
        self.store = store
        self.cause = cause


class LogDamaged(LogError):
    """A stored record cannot be read as one. `audit.fsck` says what else is wrong."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"record {index}: {reason}")
        self.index = index
        self.reason = reason
