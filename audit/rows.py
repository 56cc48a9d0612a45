"""The log's rows as the check reads them, whatever database they lie in, and SQLite's by the standard library."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Protocol

RecordRow = tuple[Any, Any, Any, Any, Any, Any, Any]
"""index, kind, at, actor, unique_key, body, leaf, as they are stored: nothing about them is sure."""

RECORDS = 'SELECT "index", kind, at, actor, unique_key, body, leaf FROM log_records ORDER BY "index"'
ATTRIBUTES = 'SELECT "index", name, value FROM log_attributes ORDER BY "index", name'
NODES = 'SELECT "index", hash FROM log_nodes WHERE level = {level:d} ORDER BY "index"'
NODES_EXTENT = 'SELECT max(("index" + 1) << level), count(*) FROM log_nodes'
PARTS = 'SELECT "index", place, salt, text, word FROM log_parts ORDER BY "index", place'
STUBS = 'SELECT "index", leaf FROM log_stubs ORDER BY "index"'
REPEATED_KEYS = """
    SELECT max("index"), unique_key FROM log_records{not_by_index}
    WHERE unique_key IS NOT NULL GROUP BY unique_key HAVING count(*) > 1 ORDER BY 1"""


PartRow = tuple[Any, Any, Any, Any, Any]
"""index, place, salt, text, word."""


class Rows(Protocol):
    """One snapshot of the tables. Each answer is in order and read as it is walked; several are walked in step."""

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

    def __init__(self, database: sqlite3.Connection, version: int) -> None:
        self._database = database
        self._version = version

    def records(self) -> Iterator[RecordRow]:
        return self._database.execute(RECORDS)

    def attributes(self) -> Iterator[tuple[int, str, str]]:
        return self._database.execute(ATTRIBUTES)

    def nodes(self, level: int) -> Iterator[tuple[int, bytes]]:
        return self._database.execute(NODES.format(level=level))

    def nodes_extent(self) -> tuple[int | None, int]:
        end, count = self._database.execute(NODES_EXTENT).fetchone()
        return end, count

    def repeated_keys(self) -> Iterator[tuple[int, str]]:
        """Not by the index that should have kept them unique: it may be what was tampered with."""
        return self._database.execute(REPEATED_KEYS.format(not_by_index=" NOT INDEXED"))

    def parts(self) -> Iterator[PartRow]:
        return self._database.execute(PARTS) if self._version > 1 else iter(())

    def stubs(self) -> Iterator[tuple[Any, Any]]:
        return self._database.execute(STUBS) if self._version > 1 else iter(())
