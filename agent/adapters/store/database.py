"""One SQLite file, shared by processes and threads: transactions, durability, and what becomes of the driver's errors.

`BEGIN IMMEDIATE` takes the only write lock before anything is read, so what a writer has read still holds when it
writes. WAL lets readers go on meanwhile. The log lives in the same file behind an engine of its own, so nobody may
append to it from inside a write transaction of this one.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, create_engine, event, insert, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from agent.adapters.store.schema import SCHEMA_VERSION, metadata, versions
from agent.ports import StoreUnavailable

Durability = Literal["full", "memory"]
"""full: on disk when a call returns. memory: for simulated runs, survives the process but not a power cut."""

LOCK_TIMEOUT_S = 5.0
"""How long a transaction waits for other writers; one commit takes milliseconds."""

WAL_ATTEMPTS = 20
"""Turning a new file to WAL answers "locked" at once, whatever the timeout, while another process does the same."""


class Database:
    def __init__(self, path: Path, durability: Durability) -> None:
        self._path = path
        self._durability = durability
        # isolation_level None leaves BEGIN to us; the timeout covers the pragmas of a fresh connection too.
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)),
            connect_args={"timeout": LOCK_TIMEOUT_S, "isolation_level": None, "check_same_thread": False},
        )
        event.listen(self._engine, "connect", self._prepare)
        event.listen(self._engine, "begin", _begin)
        self._one_at_a_time = threading.Lock()
        with self._errors():
            self._create_tables()
            self._bystander = self._engine.raw_connection()  # never writes: so it is told of every commit
            self._driver: Any = self._bystander.driver_connection

    def version(self) -> int:
        """Another number after every commit of any process to this file; as long as it stands, so does what was read.

        To be asked before the read, so that a commit between the two is noticed the next time.
        """
        return int(self.rows("PRAGMA data_version")[0][0])

    def rows(self, statement: str, *values: object) -> list[Any]:
        """What one statement finds now. For what is asked at every turn: it goes past SQLAlchemy to the driver.

        One at a time: a statement that begins while another is read shares that one's snapshot, which may be older than
        what its thread has just written.
        """
        with self._errors(), self._one_at_a_time:
            found: list[Any] = self._driver.execute(statement, values).fetchall()
            return found

    def change(self, statement: str, *values: object) -> int:
        """One statement that writes, durable on return; how many rows it changed."""
        with self._errors():
            connection = self._engine.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute(statement, values)
                return cursor.rowcount
            finally:
                connection.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A snapshot."""
        with self._errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """The only writer's view; what it writes is durable when the block has been left."""
        with (
            self._errors(),
            self._engine.connect().execution_options(begin="BEGIN IMMEDIATE") as connection,
            connection.begin(),
        ):
            yield connection

    def flush_erased(self) -> bool:
        """Empties the write-ahead log, which still has what was overwritten; False while a reader holds it."""
        return bool(self.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0)

    def close(self) -> None:
        self._bystander.close()
        self._engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"{self._path}: {getattr(error, 'orig', None) or error}") from error
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error

    def _prepare(self, dbapi_connection: Any, _record: object) -> None:
        cursor = dbapi_connection.cursor()
        _use_wal(cursor)
        full = self._durability == "full"
        cursor.execute(f"PRAGMA synchronous={'FULL' if full else 'OFF'}")
        cursor.execute(f"PRAGMA fullfsync={'ON' if full else 'OFF'}")
        cursor.execute(f"PRAGMA secure_delete={'ON' if full else 'OFF'}")  # what was erased is overwritten, too
        cursor.close()

    def _create_tables(self) -> None:
        if not self._has_tables():
            with self._engine.connect().execution_options(begin="BEGIN IMMEDIATE") as connection, connection.begin():
                new = not inspect(connection).has_table(versions.name)
                metadata.create_all(connection)  # a file from before a table was thought of gets it now
                if new:
                    connection.execute(insert(versions).values(version=SCHEMA_VERSION))
        with self._engine.connect() as connection:
            version = connection.scalar(select(versions.c.version))
        if version != SCHEMA_VERSION:
            raise StoreUnavailable(f"{self._path}: schema version {version}; this program knows {SCHEMA_VERSION}")

    def _has_tables(self) -> bool:
        with self._engine.connect() as connection:
            return set(metadata.tables) <= set(inspect(connection).get_table_names())


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _use_wal(cursor: Any) -> None:
    for attempt in range(WAL_ATTEMPTS):
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == WAL_ATTEMPTS - 1:
                raise
            time.sleep(0.05)
