"""The statements of every append and of every look for a unique key, given to SQLite as they are.

A file is in the process, so a statement that takes it ten microseconds should not cost two hundred to be put together:
these few go past SQLAlchemy to the driver, on the same connection and in the same transaction as all others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from audit.merkle import Node
from audit.record import Record
from audit.storage.appending import Entry
from audit.storage.transaction import Transaction, only_good

_SIZE = 'SELECT coalesce(max("index") + 1, 0) FROM log_records'
_BODY = 'SELECT "index", body, leaf FROM log_records WHERE "index" = ?'
_FIND = 'SELECT "index", body, leaf FROM log_records WHERE unique_key IN ({})'
_PARTS = 'SELECT "index", place, salt, text FROM log_parts WHERE "index" IN ({})'
_ATTRIBUTE = 'INSERT INTO log_attributes ("index", name, value) VALUES (?, ?, ?)'
_NODE = 'INSERT INTO log_nodes (level, "index", hash) VALUES (?, ?, ?)'
_PART = 'INSERT INTO log_parts ("index", place, salt, text, word) VALUES (?, ?, ?, ?, ?)'
_RECORD = 'INSERT INTO log_records ("index", kind, at, actor, unique_key, body, leaf) VALUES (?, ?, ?, ?, ?, ?, ?)'


class SqliteTransaction(Transaction):
    """Of a transaction that the driver has begun."""

    def __init__(self, connection: Connection, driver: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._driver = driver

    def commit(self) -> None:
        self._driver.execute("COMMIT")

    def size(self) -> int:
        return int(self._driver.execute(_SIZE).fetchone()[0])

    def get(self, index: int) -> Record | None:
        return next(iter(only_good(self._opened(self._driver.execute(_BODY, (index,))))), None)

    def find(self, unique_keys: Sequence[str]) -> dict[str, Record]:
        if not unique_keys:
            return {}
        rows = self._driver.execute(_FIND.format(_places(len(unique_keys))), unique_keys)
        found = only_good(self._opened(rows))
        return {record.unique_key: record for record in found if record.unique_key is not None}

    def insert(self, entries: Sequence[Entry], completed: Sequence[Node]) -> None:
        """The records last: in a file, a record closes what belongs to it (`audit.storage.guards`)."""
        self._driver.executemany(
            _ATTRIBUTE,
            [(e.record.index, name, value) for e in entries for name, value in e.record.attributes.items()],
        )
        self._driver.executemany(_NODE, [(node.level, node.index, node.hash) for node in completed])
        self._driver.executemany(
            _PART, [(e.record.index, p.place, p.salt, p.text.encode(), p.word) for e in entries for p in e.parts]
        )
        self._driver.executemany(_RECORD, [_row(entry) for entry in entries])

    def _stored_parts(self, indexes: Iterable[int]) -> dict[int, list[tuple[str, bytes, bytes]]]:
        wanted = list(indexes)
        found: dict[int, list[tuple[str, bytes, bytes]]] = {}
        rows = self._driver.execute(_PARTS.format(_places(len(wanted))), wanted)
        for index, place, salt, text in rows:
            found.setdefault(index, []).append((place, salt, text))
        return found


def _row(entry: Entry) -> tuple[object, ...]:
    record = entry.record
    return record.index, record.kind, record.at, record.actor, record.unique_key, entry.body, entry.leaf


def _places(count: int) -> str:
    return ", ".join("?" * count)
