"""The log's rows as the check reads them, whatever database they lie in, and SQLite's by the standard library."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

RecordRow = tuple[Any, Any, Any, Any, Any, Any, Any]
"""index, kind, at, actor, unique_key, body, leaf, as they are stored: nothing about them is sure."""

RECORDS = 'SELECT "index", kind, at, actor, unique_key, body, leaf FROM log_records {where} ORDER BY "index"'
ATTRIBUTES = 'SELECT "index", name, value FROM log_attributes {where} ORDER BY "index", name'
NODES = 'SELECT "index", hash FROM log_nodes {where} ORDER BY "index"'
NODES_EXTENT = 'SELECT max(("index" + 1) << level), count(*) FROM log_nodes'
PARTS = 'SELECT "index", place, salt, text, word FROM log_parts {where} ORDER BY "index", place'
STUBS = 'SELECT "index", leaf FROM log_stubs ORDER BY "index"'
REPEATED_KEYS = """
    SELECT max("index"), unique_key FROM log_records{not_by_index}
    WHERE unique_key IS NOT NULL GROUP BY unique_key HAVING count(*) > 1 ORDER BY 1"""
SIZE = 'SELECT max("index") FROM log_records'
COUNT = "SELECT count(*) FROM log_{table}{not_by_index}"
COUNTED = ("records", "attributes", "parts")


PartRow = tuple[Any, Any, Any, Any, Any]
"""index, place, salt, text, word."""


class Within(NamedTuple):
    """Records [first, end), and what is of them alone."""

    first: int
    end: int


def where(within: Within | None, level: int | None = None) -> str:
    """The condition for the rows of these records, or nodes of this level over them."""
    conditions = [] if level is None else [f"level = {level:d}"]
    if within is not None:
        conditions += [f'"index" >= {within.first >> (level or 0):d}', f'"index" < {within.end >> (level or 0):d}']
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


class Rows(Protocol):
    """One snapshot of the tables. Each answer is in order and read as it is walked; several are walked in step."""

    def within(self, first: int, end: int) -> Rows:
        """The rows of these records alone, as far as they are walked."""
        ...

    def size(self) -> int:
        """One more than the last record's index; 0 if it is none."""
        ...

    def counts(self) -> tuple[int, int, int]:
        """Rows of records, attributes and parts, of whatever index: counted, not looked up."""
        ...

    def attempt(self, look: Callable[[], bool]) -> bool:
        """What it answers, or False where the database cannot be read; the snapshot is as good as before."""
        ...

    def records(self) -> Iterator[RecordRow]: ...

    def attributes(self) -> Iterator[tuple[int, str, str]]: ...

    def nodes(self, level: int) -> Iterator[tuple[int, bytes]]: ...

    def nodes_extent(self) -> tuple[int | None, int]:
        """Where the last node ends, and how many there are."""
        ...

    def repeated_keys(self) -> Iterator[tuple[int, str]]: ...

    def parts(self) -> Iterator[PartRow]:
        """None in a log of version 1; as with stubs."""
        ...

    def stubs(self) -> Iterator[tuple[Any, Any]]: ...


def is_before(found: object, index: int) -> bool:
    """SQLite keeps anything in any column. What is no number comes after all numbers there, and so it does here."""
    return isinstance(found, int | float) and found < index


def as_index(found: object) -> int | None:
    """For a finding: None if the row's index is none."""
    return found if isinstance(found, int) else None


class SqliteRows:
    """Inside the caller's transaction."""

    def __init__(self, database: sqlite3.Connection, version: int, within: Within | None = None) -> None:
        self._database = database
        self._version = version
        self._within = within

    def within(self, first: int, end: int) -> SqliteRows:
        return SqliteRows(self._database, self._version, Within(first, end))

    def size(self) -> int:
        (last,) = self._database.execute(SIZE).fetchone()
        return last + 1 if isinstance(last, int) else 0

    def counts(self) -> tuple[int, int, int]:
        records, attributes, parts = (self._count(table) for table in COUNTED)
        return records, attributes, parts

    def _count(self, table: str) -> int:
        if table == "parts" and self._version == 1:
            return 0
        return int(self._database.execute(COUNT.format(table=table, not_by_index=" NOT INDEXED")).fetchone()[0])

    def attempt(self, look: Callable[[], bool]) -> bool:
        try:
            return look()
        except sqlite3.Error:
            return False

    def records(self) -> Iterator[RecordRow]:
        return self._database.execute(RECORDS.format(where=where(self._within)))

    def attributes(self) -> Iterator[tuple[int, str, str]]:
        return self._database.execute(ATTRIBUTES.format(where=where(self._within)))

    def nodes(self, level: int) -> Iterator[tuple[int, bytes]]:
        return self._database.execute(NODES.format(where=where(self._within, level)))

    def nodes_extent(self) -> tuple[int | None, int]:
        end, count = self._database.execute(NODES_EXTENT).fetchone()
        return end, count

    def repeated_keys(self) -> Iterator[tuple[int, str]]:
        """Not by the index that should have kept them unique: it may be what was tampered with."""
        return self._database.execute(REPEATED_KEYS.format(not_by_index=" NOT INDEXED"))

    def parts(self) -> Iterator[PartRow]:
        return self._database.execute(PARTS.format(where=where(self._within))) if self._version > 1 else iter(())

    def stubs(self) -> Iterator[tuple[Any, Any]]:
        return self._database.execute(STUBS) if self._version > 1 else iter(())
