"""The log in one SQLite file: durability, locking, and what becomes of the driver's errors.

Several processes append to one file. `BEGIN IMMEDIATE` takes SQLite's only write lock before the size is read, so two
writers never give out the same index. WAL lets readers go on meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, create_engine, event, insert, inspect, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from audit.errors import LogUnavailable
from audit.storage.guards import sqlite_guards
from audit.storage.schema import SCHEMA_VERSION, VERSION_2, metadata, versions
from audit.storage.sqlite_transaction import SqliteTransaction
from audit.storage.transaction import Transaction

Durability = Literal["full", "memory"]
"""full: on disk when append returns. memory: for throwaway simulated runs, survives the process but not a power cut."""

CHECKPOINT_PAGES = 8_000
"""Of the write-ahead log, before SQLite writes them back: 32 MB. The append that has it done waits for that, so it is
to be about one of a thousand. By SQLite's own 1,000 pages it is one of eighty: just the slowest hundredth."""

WAL_ATTEMPTS = 20
"""Turning a new file to WAL answers "locked" at once, whatever the timeout, while another process does the same."""


class SqliteStore:
    """Opens transactions on the log's file. Usable from several threads: each transaction has its own connection."""

    notes = None  # a file knows no roles

    def __init__(self, path: Path, durability: Durability, lock_timeout_s: float) -> None:
        self.name = str(path)
        self._path = path
        self._durability = durability
        self._lock_timeout_s = lock_timeout_s
        # The driver's own timeout covers the pragmas of a fresh connection; isolation_level None leaves BEGIN to us.
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)),
            connect_args={"timeout": lock_timeout_s, "isolation_level": None, "check_same_thread": False},
        )
        event.listen(self._engine, "connect", self._prepare)
        event.listen(self._engine, "begin", _begin)
        with self._errors():
            self._create_tables()
            self._file = self._identity()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A snapshot of the log."""
        with self._begun("BEGIN") as transaction:
            yield transaction

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """The only writer's view of the log. What it inserts is durable when the block has been left."""
        with self._begun("BEGIN IMMEDIATE") as transaction:
            # An open file outlives its name: without this, evidence would go on into a deleted or replaced log.
            if self._identity() != self._file:
                raise LogUnavailable(self.name, "the file was replaced since it was opened; open the log again")
            yield transaction
            transaction.commit()

    def may_append(self) -> bool:
        """Whoever could begin to write a file can write it."""
        return True

    def may_erase(self) -> bool:
        """A file knows no roles."""
        return True

    may_drop = may_erase

    def flush_erased(self) -> None:
        """The write-ahead log still has what was erased until it is emptied; readers may keep it for a while."""
        with self._errors(), self._engine.connect() as connection:
            dbapi = connection.connection.driver_connection
            if dbapi is not None:
                dbapi.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Closes idle connections. The last one out writes the WAL back into the file."""
        self._engine.dispose()

    @contextmanager
    def _begun(self, begin: str) -> Iterator[SqliteTransaction]:
        """What has not been committed when the block is left is rolled back by the pool."""
        with self._errors(), self._engine.connect() as connection:
            driver = connection.connection.driver_connection
            if driver is None:
                raise LogUnavailable(self.name, "the connection is closed")
            driver.execute(begin)
            yield SqliteTransaction(connection, driver)

    @contextmanager
    def _immediate(self) -> Iterator[Connection]:
        options = {"begin": "BEGIN IMMEDIATE"}
        with self._engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise LogUnavailable(self.name, str(getattr(error, "orig", None) or error)) from error
        except (OSError, sqlite3.Error) as error:
            raise LogUnavailable(self.name, str(error)) from error

    def _identity(self) -> tuple[int, int]:
        status = os.stat(self._path)
        return status.st_dev, status.st_ino

    def _prepare(self, dbapi_connection: sqlite3.Connection, _record: object) -> None:
        cursor = dbapi_connection.cursor()
        _use_wal(cursor)
        # fullfsync matters on macOS only, where fsync alone leaves the data in the drive's cache.
        full = self._durability == "full"
        cursor.execute(f"PRAGMA synchronous={'FULL' if full else 'OFF'}")
        cursor.execute(f"PRAGMA fullfsync={'ON' if full else 'OFF'}")
        cursor.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        cursor.execute("PRAGMA recursive_triggers=ON")
        cursor.execute("PRAGMA secure_delete=ON")  # what was erased is overwritten, too
        cursor.close()

    def _create_tables(self) -> None:
        """Makes the log, or brings an older one up to date: its records stay as they are."""
        if self._version() not in (None, SCHEMA_VERSION - 1):
            return
        with self._immediate() as connection:
            if not inspect(connection).has_table(versions.name):
                metadata.create_all(connection, [table for table in metadata.sorted_tables if table not in VERSION_2])
                _run(connection, sqlite_guards(1))
                connection.execute(insert(versions).values(version=1))
            if connection.scalar(select(versions.c.version)) == 1:
                metadata.create_all(connection, VERSION_2)
                _run(connection, sqlite_guards(2))
                connection.exec_driver_sql("DROP TRIGGER IF EXISTS log_schema_update")
                connection.execute(update(versions).values(version=SCHEMA_VERSION))
                _run(connection, (statement for statement in sqlite_guards(1) if "log_schema_update" in statement))

    def _version(self) -> int | None:
        """None for a file that holds no log. Raises LogUnavailable for one that this program does not know."""
        with self._engine.connect() as connection:
            if not inspect(connection).has_table(versions.name):
                return None
            version = connection.scalar(select(versions.c.version))
        if version not in range(1, SCHEMA_VERSION + 1):
            raise LogUnavailable(self.name, f"schema version {version}; this program knows {SCHEMA_VERSION}")
        return version


def _run(connection: Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def _begin(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    if driver is not None and driver.in_transaction:
        return  # by `_begun`
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _use_wal(cursor: sqlite3.Cursor) -> None:
    for attempt in range(WAL_ATTEMPTS):
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == WAL_ATTEMPTS - 1:
                raise
            time.sleep(0.05)
