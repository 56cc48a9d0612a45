"""What a witness remembers, in one SQLite file: the last cosigned size and root of each log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, Table, Text, create_engine, event, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from audit.checkpoints import Checkpoint
from audit.errors import LogUnavailable

_metadata = MetaData()
_seen = Table(
    "witness_seen",
    _metadata,
    Column("origin", Text, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("root", LargeBinary, nullable=False),
)


class WitnessFile:
    """Opened once; `transaction` may be called from several threads and processes."""

    def __init__(self, path: Path, lock_timeout_s: float) -> None:
        self._path = path
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)),
            connect_args={"timeout": lock_timeout_s, "isolation_level": None, "check_same_thread": False},
        )
        event.listen(self._engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=FULL"))
        event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        with self._errors():
            _metadata.create_all(self._engine)

    @contextmanager
    def transaction(self) -> Iterator[Seen]:
        """A `witness.Memory`. Raises LogUnavailable, and then nothing was remembered."""
        with self._errors(), self._engine.begin() as connection:
            yield Seen(connection)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise LogUnavailable(str(self._path), str(getattr(error, "orig", None) or error)) from error

    def close(self) -> None:
        self._engine.dispose()


class Seen:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, origin: str) -> Checkpoint | None:
        row = self._connection.execute(select(_seen.c.size, _seen.c.root).where(_seen.c.origin == origin)).first()
        return None if row is None else Checkpoint(origin, row.size, row.root)

    def put(self, checkpoint: Checkpoint) -> None:
        values = {"size": checkpoint.size, "root": checkpoint.root}
        statement = insert(_seen).values(origin=checkpoint.origin, **values)
        self._connection.execute(statement.on_conflict_do_update(index_elements=["origin"], set_=values))
