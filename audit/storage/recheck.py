"""The check of a log that lies in PostgreSQL: the same as `audit.fsck`'s, read in one snapshot through the driver.

An auditor who wants nothing of ours but the checker exports the log first and checks the export.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from audit.errors import LogUnavailable
from audit.kept import Kept, Refused, hold_against, sizes_of
from audit.rescan import rescan
from audit.rows import (
    ATTRIBUTES,
    COUNT,
    COUNTED,
    NODES,
    NODES_EXTENT,
    PARTS,
    RECORDS,
    REPEATED_KEYS,
    SIZE,
    STUBS,
    PartRow,
    RecordRow,
    Rows,
    Within,
    where,
)
from audit.sharing import Processes
from audit.storage.postgresql import CONNECT_TIMEOUT_S, DRIVER
from audit.storage.read_notes import is_there
from audit.storage.schema import SCHEMA_VERSION, metadata, versions
from audit.storage.standing_grants import look_at_grants
from audit.storage.standing_guards import look_at_guards
from audit.verdict import Verdict

BATCH_ROWS = 2_000
"""Rows fetched at once by a cursor on the server, so that no log has to fit into memory."""

_BY_CURSOR = {"stream_results": True, "yield_per": BATCH_ROWS}

_OTHER_SHAPE = frozenset({"22003", "42703", "42804", "42883", "22P02"})
"""SQLSTATE: a number out of range, no such column, another type, no such operator, no such form. Somebody has changed
the tables: a finding, not a database that cannot be read."""


def fsck_postgresql(
    url: URL,
    *,
    expect_root: bytes | None = None,
    expect_size: int | None = None,
    kept: Sequence[Kept | Refused] = (),
    processes: int | None = None,
) -> Verdict:
    """Raises LogUnavailable if the database cannot be read; what is wrong inside is in the verdict.

    Several processes read the very same snapshot; without a number, as many as pay.
    """
    name = url.render_as_string(hide_password=True)
    anchored = expect_root is not None or expect_size is not None
    verdict = Verdict(name, anchored=anchored, deep=True, sizes=sizes_of(kept))
    try:
        with _snapshot(url) as connection:
            if _is_log(connection, verdict):
                rows = PostgresqlRows(connection)
                name_of_it = str(connection.scalar(text("SELECT pg_export_snapshot()")))
                share = Processes(partial(_open_rows, url, name_of_it), processes)
                rescan(rows, verdict, expect_root, expect_size, share)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _OTHER_SHAPE:
            raise LogUnavailable(name, str(error.orig).strip()) from error
        verdict.integrity.add("unreadable", verdict.size, f"PostgreSQL cannot read on: {error.orig}")
    except SQLAlchemyError as error:
        raise LogUnavailable(name, str(getattr(error, "orig", None) or error).strip()) from error
    hold_against(verdict, kept)
    return verdict


@contextmanager
def _snapshot(url: URL, name: str | None = None) -> Iterator[Connection]:
    """A view of the database that does not change; `name` is one that another transaction has exported."""
    engine = create_engine(
        url.set(drivername=DRIVER),
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
        isolation_level="REPEATABLE READ",
    )
    try:
        with engine.connect() as connection, connection.begin():
            if name is not None:
                connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{name}'")
            connection.execute(text("SET TRANSACTION READ ONLY"))
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _open_rows(url: URL, name: str) -> Iterator[Rows]:
    with _snapshot(url, name) as connection:
        yield PostgresqlRows(connection)


def _is_log(connection: Connection, verdict: Verdict) -> bool:
    there = set(inspect(connection).get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in there:
            verdict.completeness.add("table_missing", None, f"there is no table {table.name}")
    if not verdict.completeness.ok:
        return False
    found = [row[0] for row in connection.execute(versions.select())]
    if found != [SCHEMA_VERSION]:
        verdict.integrity.add("schema_unknown", None, f"schema version {found}, this fsck knows {SCHEMA_VERSION}")
        return False
    look_at_guards(connection, is_there(connection), verdict.warnings)
    look_at_grants(connection, verdict.warnings)
    return True


class PostgresqlRows:
    """`audit.rows.Rows` inside the caller's transaction."""

    def __init__(self, connection: Connection, within: Within | None = None) -> None:
        self._connection = connection
        self._within = within

    def within(self, first: int, end: int) -> PostgresqlRows:
        return PostgresqlRows(self._connection, Within(first, end))

    def size(self) -> int:
        last = self._connection.scalar(text(SIZE))
        return last + 1 if isinstance(last, int) else 0

    def counts(self) -> tuple[int, int, int]:
        records, attributes, parts = (
            int(self._connection.scalar(text(COUNT.format(table=table, not_by_index=""))) or 0) for table in COUNTED
        )
        return records, attributes, parts

    def attempt(self, look: Callable[[], bool]) -> bool:
        """In a savepoint: an error would end the whole transaction, and the snapshot with it."""
        try:
            with self._connection.begin_nested():
                return look()
        except DBAPIError:
            return False

    def _walk(self, statement: str) -> Iterator[Any]:
        yield from self._connection.execute(text(statement), execution_options=_BY_CURSOR)

    def records(self) -> Iterator[RecordRow]:
        for row in self._walk(RECORDS.format(where=where(self._within))):
            yield row[0], row[1], row[2], row[3], row[4], row[5], row[6]

    def attributes(self) -> Iterator[tuple[int, str, str]]:
        for row in self._walk(ATTRIBUTES.format(where=where(self._within))):
            yield row[0], row[1], row[2]

    def nodes(self, level: int) -> Iterator[tuple[int, bytes]]:
        for row in self._walk(NODES.format(where=where(self._within, level))):
            yield row[0], row[1]

    def nodes_extent(self) -> tuple[int | None, int]:
        for row in self._walk(NODES_EXTENT):
            return row[0], row[1]
        return None, 0

    def repeated_keys(self) -> Iterator[tuple[int, str]]:
        """The server might answer from the unique index; the order of the records does not depend on it."""
        for row in self._walk(REPEATED_KEYS.format(not_by_index="")):
            yield row[0], row[1]

    def parts(self) -> Iterator[PartRow]:
        for row in self._walk(PARTS.format(where=where(self._within))):
            yield row[0], row[1], row[2], row[3], row[4]

    def stubs(self) -> Iterator[tuple[Any, Any]]:
        for row in self._walk(STUBS):
            yield row[0], row[1]
