"""What a database's settings or other hands could take from the log: durability, a place, room for other writers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from postgresql import OWNER, READER, REDACTOR, WRITER, Postgresql
from postgresql_log import *  # noqa: F403
from sqlalchemy import Connection, event
from test_postgresql_astray import NOW, RECORDS, check, counted, filled  # noqa: F401 - a fixture

from audit.errors import LogUnavailable
from audit.log import Log
from audit.retention import Dropped, retain

JUNK = f"INSERT INTO log_records SELECT {RECORDS}, kind, at, actor, NULL, body, leaf FROM log_records LIMIT 1; "


@contextmanager
def role_set(server: Postgresql, setting: str) -> Iterator[None]:
    assert server.sql(f"ALTER ROLE {WRITER} SET {setting}") == ""
    try:
        yield
    finally:
        server.sql(f"ALTER ROLE {WRITER} RESET ALL")


def warned(server: Postgresql) -> list[str]:
    return [each.code for each in check(server).warnings.problems]


@pytest.mark.parametrize("table", ["log_records", "log_attributes", "log_nodes", "log_parts"])
def test_nothing_is_appended_to_tables_that_a_crash_would_empty(filled: Postgresql, table: str) -> None:  # noqa: F811
    with Log.open(filled.url(WRITER)) as log:
        log.append("note", actor="x", at=NOW)
        assert filled.sql(f"ALTER TABLE {table} SET UNLOGGED", OWNER, "audit") == ""
        with pytest.raises(LogUnavailable, match="unlogged"):
            log.append("note", actor="x", at=NOW)
        assert log.size() == RECORDS + 1
        assert warned(filled) == ["not_durable"]
        assert filled.sql(f"ALTER TABLE {table} SET LOGGED", OWNER, "audit") == ""
        assert log.append("note", actor="x", at=NOW).index == RECORDS + 1
    assert not warned(filled)


def test_nothing_is_appended_to_a_server_that_does_not_wait_for_its_disk(filled: Postgresql) -> None:  # noqa: F811
    with Log.open(filled.url(WRITER)) as log:
        try:
            switch(filled, "SET fsync = off")
            with pytest.raises(LogUnavailable, match="fsync is off"):
                log.append("note", actor="x", at=NOW)
            assert warned(filled) == ["not_durable"]
        finally:
            switch(filled, "RESET fsync")
        assert log.append("note", actor="x", at=NOW).index == RECORDS
    assert not warned(filled)


def switch(server: Postgresql, setting: str) -> None:
    assert server.sql(f"ALTER SYSTEM {setting}") == ""
    server.sql("SELECT pg_reload_conf()")
    server.sql("SELECT pg_sleep(0.2)")  # the signal takes a moment to reach every process


@pytest.mark.parametrize(
    ("granted", "role"),
    [
        ("UPDATE ON log_records", READER),
        ("UPDATE (body) ON log_records", READER),
        ("TRUNCATE ON log_nodes", WRITER),
        ("DELETE ON log_attributes", REDACTOR),
        ("INSERT ON log_stubs", WRITER),
        ("TRIGGER ON log_parts", "PUBLIC"),
        ("SELECT ON log_records", "PUBLIC"),
        ("UPDATE ON log_read_notes", WRITER),
    ],
)
def test_a_right_that_no_role_of_the_log_has_is_told_with_what_takes_it_back(
    filled: Postgresql,  # noqa: F811
    granted: str,
    role: str,
) -> None:
    assert not warned(filled)
    assert filled.sql(f"GRANT {granted} TO {role}", OWNER, "audit") == ""
    (told,) = check(filled).warnings.problems
    assert told.code == "grant_unknown" and told.reason.startswith(f"{role} may {granted}: ")
    assert check(filled).ok  # nothing was changed yet
    assert filled.sql(told.reason.partition(": ")[2], OWNER, "audit") == ""
    assert not warned(filled)


def test_a_right_that_may_be_handed_on_is_told_and_kept_without_that(filled: Postgresql) -> None:  # noqa: F811
    assert filled.sql(f"GRANT INSERT ON log_records TO {WRITER} WITH GRANT OPTION", OWNER, "audit") == ""
    (told,) = check(filled).warnings.problems
    assert told.code == "grant_unknown"
    assert told.reason.startswith(f"{WRITER} may INSERT ON log_records and hand it on: ")
    assert filled.sql(told.reason.partition(": ")[2], OWNER, "audit") == ""
    assert not warned(filled)
    with Log.open(filled.url(WRITER)) as log:
        assert log.append("note", actor="x", at=NOW).index == RECORDS


@pytest.mark.parametrize("table", ["log_records", "log_attributes", "log_nodes", "log_parts"])
def test_a_row_of_any_table_that_is_dropped_without_a_word_is_missed(filled: Postgresql, table: str) -> None:  # noqa: F811
    """The next record has one in each of them."""
    quiet = (
        "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "
        f"CREATE TRIGGER quiet BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION quiet()"
    )
    assert filled.sql(quiet, OWNER, "audit") == ""
    there = counted(filled)
    with Log.open(filled.url(WRITER)) as log:
        with pytest.raises(LogUnavailable, match=r"not every row was taken|is closed|not there"):
            log.append("note", actor="x", at=NOW, attributes={"a": "b"}, payload={"t": "x"}, sealed=["/payload/t"])
        assert counted(filled) == there
        assert filled.sql(f"DROP TRIGGER quiet ON {table}", OWNER, "audit") == ""
        assert log.append("note", actor="x", at=NOW).index == RECORDS


def test_nothing_is_hung_on_a_record_that_retention_has_dropped(filled: Postgresql) -> None:  # noqa: F811
    """There is none whose transaction could be compared."""
    later = NOW + timedelta(days=500)
    with Log.open(filled.url(OWNER)) as owned:
        owned.append("heartbeat", actor="agent", at=later)
        assert retain(owned, 400, actor="cli/owner", now=later) == Dropped(0, RECORDS, RECORDS + 1)
    for statement in (
        "INSERT INTO log_attributes VALUES (0, 'x', 'y')",
        "INSERT INTO log_parts VALUES (0, '/x', '\\x00', '\\x00')",
    ):
        assert "its record is closed" in filled.sql(statement, WRITER, "audit")
    assert check(filled).ok


SWALLOWS = "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            SWALLOWS + "CREATE TRIGGER log_records_delete BEFORE INSERT ON log_attributes "
            "FOR EACH ROW EXECUTE FUNCTION quiet()",
            {"guard_unknown"},
        ),
        (
            "DROP TRIGGER log_records_delete ON log_records; CREATE TRIGGER log_records_delete BEFORE DELETE "
            "ON log_nodes FOR EACH ROW EXECUTE FUNCTION log_refuse()",
            {"guard_missing", "guard_unknown"},
        ),
        (
            "DROP TRIGGER log_records_delete ON log_records; CREATE TRIGGER log_records_delete BEFORE UPDATE "
            "ON log_records FOR EACH ROW EXECUTE FUNCTION log_refuse()",
            {"guard_differs"},
        ),
    ],
    ids=["beside", "elsewhere", "for another verb"],
)
def test_a_guards_name_alone_makes_no_guard(filled: Postgresql, statement: str, told: set[str]) -> None:  # noqa: F811
    assert filled.sql(statement, OWNER, "audit") == ""
    assert set(warned(filled)) == told


def test_an_append_waits_for_the_disk_whatever_the_role_has_by_itself(filled: Postgresql) -> None:  # noqa: F811
    seen: list[object] = []
    with role_set(filled, "synchronous_commit = off"), Log.open(filled.url(WRITER)) as log:

        def look(connection: Connection) -> None:
            seen.append(connection.exec_driver_sql("SHOW synchronous_commit").scalar())

        event.listen(log.store._engine, "commit", look)  # type: ignore[attr-defined]
        log.append("note", actor="x", at=NOW)
    assert seen[-1] == "on"


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_several_agents_append_whatever_isolation_the_database_has_by_itself(
    filled: Postgresql,  # noqa: F811
    isolation: str,
) -> None:
    """A snapshot taken before the lock was had would not show what the writer before has committed."""

    def write(name: str) -> list[int]:
        with Log.open(filled.url(WRITER)) as log:
            return [log.append("note", actor=name, at=NOW).index for _ in range(20)]

    with role_set(filled, f"default_transaction_isolation = '{isolation}'"), ThreadPoolExecutor(3) as pool:
        indexes = sorted(index for held in pool.map(write, "abc") for index in held)
    assert indexes == list(range(RECORDS, RECORDS + 60))
    assert check(filled).ok


@pytest.mark.parametrize(
    ("level", "index"),
    [
        (1, f"{RECORDS // 2} - (2^62)::bigint - (2^62)::bigint"),
        (2, f"{RECORDS // 4} + (2^62)::bigint"),
        (62, "1"),
        (1, "-1"),
    ],
)
def test_a_node_whose_place_overflows_is_no_node(filled: Postgresql, level: int, index: str) -> None:  # noqa: F811
    """Its last record, counted in 64 bits, would be one of this transaction's."""
    there = counted(filled)
    more = 3 - RECORDS % 4  # so that the last record ends a subtree of both levels
    records = "".join(JUNK.replace(f"SELECT {RECORDS}", f"SELECT {RECORDS + each}") for each in range(more + 1))
    said = filled.sql(f"{records} INSERT INTO log_nodes VALUES ({level}, {index}, '\\x00')", WRITER, "audit")
    assert "there is no such place in a tree" in said
    assert counted(filled) == there


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("INSERT INTO log_attributes VALUES (2, 'x', 'y'), (3, 'x', 'y') ON CONFLICT DO NOTHING", "record is closed"),
        (
            "MERGE INTO log_attributes a USING (VALUES (3::bigint, 'x')) v (i, n) ON a.index = v.i AND a.name = v.n "
            "WHEN NOT MATCHED THEN INSERT VALUES (v.i, v.n, 'y')",
            "record is closed",
        ),
        ("COPY log_attributes FROM PROGRAM 'echo'", "must be superuser"),
        (
            f"BEGIN; SAVEPOINT a; {JUNK} ROLLBACK TO a; INSERT INTO log_attributes VALUES ({RECORDS}, 'x', 'y')",
            "not there",
        ),
        (f"BEGIN; SAVEPOINT a; {JUNK} RELEASE a; INSERT INTO log_attributes VALUES (3, 'x', 'y')", "record is closed"),
        (
            f"WITH r AS ({JUNK.rstrip('; ')} RETURNING 1), a AS (INSERT INTO log_attributes VALUES (2, 'x', 'y') "
            "RETURNING 1) SELECT count(*) FROM r, a",
            "record is closed",
        ),
        (
            "CREATE TEMP TABLE added (index bigint, name text, value text); "
            "INSERT INTO public.log_attributes VALUES (3, 'x', 'y')",
            "record is closed",
        ),
        ("SET session_replication_role = replica", "permission denied"),
        ("CREATE TABLE child () INHERITS (log_records)", "permission denied|must be owner"),
        (
            "CREATE TRIGGER aaa BEFORE INSERT ON log_records FOR EACH ROW EXECUTE FUNCTION log_refuse()",
            "permission denied",
        ),
    ],
)
def test_no_form_of_a_statement_gets_round_the_guards(
    filled: Postgresql,  # noqa: F811
    statement: str,
    refusal: str,
) -> None:
    there = counted(filled)
    assert re.search(refusal, filled.sql(statement, WRITER, "audit"))
    assert counted(filled) == there
    assert check(filled).ok
