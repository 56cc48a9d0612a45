"""The log in a SQLite file that whoever asks cannot write: an auditor's copy, a file of mode 444, a read-only medium.

Nothing is made beside it and nothing in it changes. Without its write-ahead log beside it, SQLite opens such a file
only as one that nobody changes meanwhile (`immutable`).
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from audit.errors import LogUnavailable
from audit.storage.transaction import Transaction

NOBODY_WRITES = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def is_read_only(path: Path) -> bool:
    """By its mode, whoever asks: root could write it, and is not meant to."""
    return not path.stat().st_mode & NOBODY_WRITES


def uri_of(path: Path) -> str:
    """To be opened without making anything beside the file, where that is not to be or cannot be."""
    left_alone = not Path(f"{path}-wal").exists() and (is_read_only(path) or not os.access(path.parent, os.W_OK))
    return path.resolve().as_uri() + "?mode=ro" + ("&immutable=1" if left_alone else "")


class ReadOnlyStore:
    """Snapshots only; whoever wants to write is refused."""

    notes = None  # a file knows no roles

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._engine = create_engine("sqlite://", creator=self._connect)
        event.listen(self._engine, "begin", _begin)
        with self.reading() as transaction:
            transaction.size()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A snapshot of the log."""
        try:
            with self._engine.connect() as connection, connection.begin():
                yield Transaction(connection)
        except SQLAlchemyError as error:
            raise LogUnavailable(self.name, str(getattr(error, "orig", None) or error)) from error
        except (OSError, sqlite3.Error) as error:
            raise LogUnavailable(self.name, str(error)) from error

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        raise LogUnavailable(self.name, "it is open to be read alone")
        yield

    def may_append(self) -> bool:
        return False

    def may_erase(self) -> bool:
        return False

    may_drop = may_erase

    def flush_erased(self) -> None:
        """There is nothing of the kind."""

    def close(self) -> None:
        self._engine.dispose()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(uri_of(self._path), uri=True, isolation_level=None, check_same_thread=False)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
