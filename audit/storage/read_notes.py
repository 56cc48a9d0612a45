"""Word that readers leave of what they read, in PostgreSQL: whoever may only read cannot append to the log.

A reader's role may add a note and see how many wait, and since when; no more. Who left it and when is the server's
word, not the reader's. An agent takes notes over into the log, where each has a unique key, and then forgets them: the
guards let a note go only when a record has its key. So each becomes one record, whoever dies in between. A note is no
evidence yet, and so no part of the log's own tables and their version.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Identity,
    MetaData,
    Table,
    delete,
    func,
    insert,
    select,
    text,
)

from audit.storage.schema import Ordered

MAX_NOTE_BYTES = 65_536
"""What was searched for stands in a note; nobody fills the server's disk with one."""

metadata = MetaData()

notes = Table(
    "log_read_notes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", Ordered, nullable=False),
    Column("role", Ordered, nullable=False),
    Column("body", Ordered, nullable=False),
    CheckConstraint(f"octet_length(body) <= {MAX_NOTE_BYTES}", name="log_read_notes_size"),
)

KEY = "log_read:"

_MAY_APPEND = text("SELECT has_table_privilege('log_records', 'INSERT')")
_MAY_COUNT = text("SELECT has_column_privilege(to_regclass('log_read_notes'), 'at', 'SELECT')")
_COUNT = select(func.count(notes.c.id), func.min(notes.c.at))


@dataclass(frozen=True, slots=True)
class ReadNote:
    """`at` and `role` are the server's word, `body` is the reader's."""

    id: int
    at: str
    role: str
    body: str

    @property
    def unique_key(self) -> str:
        """Of the record that it becomes; with its time, since a table that is made anew counts from one again."""
        return f"{KEY}{self.at}/{self.id}"


class ReadNotes:
    """`errors` makes the driver's faults the store's."""

    def __init__(self, engine: Engine, errors: Callable[[], AbstractContextManager[None]]) -> None:
        self._engine = engine
        self._errors = errors

    def needed(self) -> bool:
        """Whether whoever is connected may not append to the log."""
        with self._errors(), self._engine.connect() as connection:
            return not connection.scalar(_MAY_APPEND)

    def leave(self, body: str) -> None:
        """Durable on return. Raises LogUnavailable."""
        with self._errors(), self._engine.connect() as connection, connection.begin():
            connection.execute(text("SET LOCAL synchronous_commit = on"))
            connection.execute(insert(notes).inline().values(body=body))

    def waiting(self, limit: int) -> list[ReadNote]:
        """The oldest that are not forgotten; for a writer. None where the owner has not made the table yet."""
        oldest = select(notes.c.id, notes.c.at, notes.c.role, notes.c.body).order_by(notes.c.at, notes.c.id)
        with self._errors(), self._engine.connect() as connection:
            if not is_there(connection):
                return []
            return [ReadNote(row[0], row[1], row[2], row[3]) for row in connection.execute(oldest.limit(limit))]

    def forget(self, note: ReadNote) -> None:
        """Once it is a record; the guards refuse it before."""
        with self._errors(), self._engine.connect() as connection, connection.begin():
            connection.execute(delete(notes).where(notes.c.id == note.id, notes.c.at == note.at))


def is_there(connection: Connection) -> bool:
    """Not before the owner has made it."""
    return connection.scalar(text("SELECT to_regclass('log_read_notes')")) is not None


def counted(connection: Connection) -> tuple[int, str | None] | None:
    """How many wait and since when; None for whoever may not know, or where there is no such table."""
    if not is_there(connection) or not connection.scalar(_MAY_COUNT):
        return None
    count, since = connection.execute(_COUNT).one()
    return int(count), since
