"""The check of a log that lies in PostgreSQL: the same as `audit.fsck`'s, read in one snapshot through the driver.

An auditor who wants nothing of ours but the checker exports the log first and checks the export.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from audit.errors import LogUnavailable
from audit.kept import Kept, Refused, hold_against, sizes_of
from audit.rescan import rescan
from audit.rows import ATTRIBUTES, NODES, NODES_EXTENT, PARTS, RECORDS, REPEATED_KEYS, STUBS, PartRow, RecordRow
from audit.storage.postgresql import CONNECT_TIMEOUT_S, DRIVER
from audit.storage.schema import SCHEMA_VERSION, metadata, versions
from audit.verdict import Verdict

BATCH_ROWS = 2_000
"""Rows fetched at once by a cursor on the server, so that no log has to fit into memory."""

_OTHER_SHAPE = frozenset({"22003", "42703", "42804", "42883", "22P02"})
"""SQLSTATE: a number out of range, no such column, another type, no such operator, no such form. Somebody has changed
the tables: a finding, not a database that cannot be read."""

_TRIGGERS = """
    SELECT tgrelid::regclass::text || '_' || verb FROM pg_trigger, unnest(ARRAY['insert','update','delete','truncate'])
    AS verb WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgname = tgrelid::regclass::text || '_' || verb"""


def fsck_postgresql(
    url: URL,
    *,
    expect_root: bytes | None = None,
    expect_size: int | None = None,
    kept: Sequence[Kept | Refused] = (),
) -> Verdict:
    """Raises LogUnavailable if the database cannot be read; what is wrong inside is in the verdict."""
    name = url.render_as_string(hide_password=True)
    anchored = expect_root is not None or expect_size is not None
    verdict = Verdict(name, anchored=anchored, deep=True, sizes=sizes_of(kept))
    engine = create_engine(url.set(drivername=DRIVER), connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    try:
        with snapshot.connect() as connection, connection.begin():
            connection.execute(text("SET TRANSACTION READ ONLY"))
            if _is_log(connection, verdict):
                rescan(PostgresqlRows(connection), verdict, expect_root, expect_size)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _OTHER_SHAPE:
            raise LogUnavailable(name, str(error.orig).strip()) from error
        verdict.integrity.add("unreadable", verdict.size, f"PostgreSQL cannot read on: {error.orig}")
    except SQLAlchemyError as error:
        raise LogUnavailable(name, str(getattr(error, "orig", None) or error).strip()) from error
    finally:
        engine.dispose()
    hold_against(verdict, kept)
    return verdict


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
    enabled = {row[0] for row in connection.execute(text(_TRIGGERS))}
    for table in metadata.sorted_tables:
        for verb in ("insert", "update", "delete", "truncate"):
            if f"{table.name}_{verb}" not in enabled:
                missing = f"the trigger {table.name}_{verb} is gone or off: the log is not append-only now"
                verdict.warnings.add("guard_missing", None, missing)
    return True


class PostgresqlRows:
    """`audit.rows.Rows` inside the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection.execution_options(stream_results=True, yield_per=BATCH_ROWS)

    def _walk(self, statement: str) -> Iterator[Any]:
        yield from self._connection.execute(text(statement))

    def records(self) -> Iterator[RecordRow]:
        for row in self._walk(RECORDS):
            yield row[0], row[1], row[2], row[3], row[4], row[5], row[6]

    def attributes(self) -> Iterator[tuple[int, str, str]]:
        for row in self._walk(ATTRIBUTES):
            yield row[0], row[1], row[2]

    def nodes(self, level: int) -> Iterator[tuple[int, bytes]]:
        for row in self._walk(NODES.format(level=level)):
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
        for row in self._walk(PARTS):
            yield row[0], row[1], row[2], row[3], row[4]

    def stubs(self) -> Iterator[tuple[Any, Any]]:
        for row in self._walk(STUBS):
            yield row[0], row[1]
