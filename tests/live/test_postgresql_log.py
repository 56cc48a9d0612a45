"""The log in a real PostgreSQL: the same contract as in a file, several agents at once, a server that is killed, and
roles that the database itself holds to reading and appending."""

from __future__ import annotations

import json
import multiprocessing
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from concurrent_writers import RACES, write
from log_contract import *  # noqa: F403
from log_contract import answer, fill
from postgresql import OWNER, READER, REDACTOR, WRITER, Postgresql
from postgresql_log import *  # noqa: F403
from sqlalchemy.engine import make_url

from audit.errors import LogUnavailable
from audit.log import Log
from audit.proofs import verify_consistency
from audit.redaction import NotAllowed, redact
from audit.retention import Dropped, RetentionRefused, retain
from audit.storage.migrate import migrate
from audit.storage.recheck import fsck_postgresql
from audit.verdict import Verdict

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TABLES = ("log_records", "log_attributes", "log_nodes", "log_schema", "log_parts", "log_stubs")


@pytest.fixture
def log(database: Postgresql) -> Iterator[Log]:
    ticks = iter(range(1_000_000))
    clock: Callable[[], datetime] = lambda: NOON + timedelta(seconds=next(ticks))  # noqa: E731
    with Log.open(database.url(WRITER), clock=clock, lock_timeout_s=5) as opened:
        yield opened


def check(database: Postgresql, **anchor: object) -> Verdict:
    return fsck_postgresql(make_url(database.url(READER)), **anchor)  # type: ignore[arg-type]


def test_what_was_written_is_intact(log: Log, database: Postgresql) -> None:
    fill(log, 300)
    verdict = check(database, expect_root=log.root(200), expect_size=200)
    assert (verdict.ok, verdict.size, verdict.root) == (True, 300, log.root())
    assert not verdict.warnings.problems


def test_several_agents_append_without_gap_or_fork_and_a_key_has_one_winner(database: Postgresql) -> None:
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager:
        start, wins = spawn.Barrier(3), manager.dict()
        names = ("agent-1", "agent-2", "agent-3")
        url = database.url(WRITER)
        writers = [spawn.Process(target=write, args=(url, name, 200, start, wins)) for name in names]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(timeout=120)
        assert [writer.exitcode for writer in writers] == [0, 0, 0]
        assert sum(wins.values()) == RACES
    verdict = check(database)
    assert verdict.ok, verdict.first_problem
    assert verdict.size == 3 * 200 + RACES


# --- what the database itself refuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("role", [WRITER, READER])
def test_neither_writer_nor_reader_changes_or_removes_anything(
    log: Log, database: Postgresql, role: str, table: str
) -> None:
    fill(log, 3)
    column = {"log_records": "kind = 'x'", "log_attributes": "value = 'x'", "log_nodes": "hash = ''"}
    column |= {"log_parts": "text = ''", "log_stubs": "leaf = ''"}
    for statement in (
        f"UPDATE {table} SET {column.get(table, 'version = 2')}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
        f"DROP TABLE {table}",
        f"DROP TRIGGER {table}_update ON {table}",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"ALTER TABLE {table} ADD COLUMN remark text",
        f"CREATE RULE quiet AS ON INSERT TO {table} DO INSTEAD NOTHING",
        f"GRANT ALL ON {table} TO {role}",
        "SET session_replication_role = replica",
    ):
        said = database.sql(statement, role, "audit")
        assert re.search("permission denied|must be owner|no privileges were granted", said), (statement, said)
    assert check(database).ok


def test_a_reader_cannot_write(log: Log, database: Postgresql) -> None:
    fill(log, 1)
    said = database.sql("INSERT INTO log_attributes VALUES (9, 'a', 'b')", READER, "audit")
    assert "permission denied" in said
    with Log.open(database.url(READER)) as reader, pytest.raises(LogUnavailable, match="permission denied"):
        reader.append("intent", actor="reader")
    assert log.size() == 1


@pytest.mark.parametrize("role", [WRITER, OWNER])
@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("INSERT INTO log_records VALUES (7, 'k', 't', 'a', NULL, '', '')", "the next record has the next index"),
        ("INSERT INTO log_records VALUES (2, 'k', 't', 'a', NULL, '', '')", "the next record has the next index"),
        ("INSERT INTO log_records VALUES (3, 'k', 't', 'a', 'key-1', '', '')", "the unique key is taken"),
        (
            "INSERT INTO log_records SELECT 0, kind, at, actor, NULL, body, leaf FROM log_records WHERE index = 0 "
            "ON CONFLICT (index) DO UPDATE SET body = ''",
            "append-only|permission denied",
        ),
        ("INSERT INTO log_attributes VALUES (2, 'new', 'x')", "its record is closed"),
        ("INSERT INTO log_nodes VALUES (1, 0, '')", "duplicate key|its subtree is closed"),
        ("INSERT INTO log_nodes VALUES (1, 1, '')", "its records are not there"),
    ],
)
def test_sql_from_another_hand_may_only_add_the_next_thing(
    log: Log, database: Postgresql, role: str, statement: str, why: str
) -> None:
    fill(log, 3)
    assert re.search(why, database.sql(statement, role, "audit"))
    assert check(database).ok


def test_even_the_owner_cannot_truncate(log: Log, database: Postgresql) -> None:
    fill(log, 3)
    for table in TABLES:
        assert "TRUNCATE refused" in database.sql(f"TRUNCATE {table}", OWNER, "audit")


# --- what only the check finds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "code", "index"),
    [
        ("UPDATE log_records SET body = overlay(body placing 'X' from 30) WHERE index = 11", "body_differs", 11),
        ("UPDATE log_records SET actor = 'somebody else' WHERE index = 4", "actor_differs", 4),
        ("DELETE FROM log_attributes WHERE index = 5", "attributes_differs", 5),
        ("UPDATE log_nodes SET hash = leaf FROM log_records r WHERE r.index = 0 AND level = 2", "node_differs", 0),
        ("DELETE FROM log_records WHERE index = 7", "record_missing", 7),
        ("DELETE FROM log_records WHERE index >= 18", "record_missing", 18),
    ],
)
def test_what_the_owner_changed_is_found(log: Log, database: Postgresql, statement: str, code: str, index: int) -> None:
    fill(log, 20)
    assert "ERROR" not in database.sql(statement, OWNER, "audit")
    first = check(database).first_problem
    assert first is not None
    assert (first.code, first.index) == (code, index)


def test_a_trigger_that_is_off_is_told(log: Log, database: Postgresql) -> None:
    database.sql("ALTER TABLE log_records DISABLE TRIGGER log_records_update", OWNER, "audit")
    (warning,) = check(database).warnings.problems
    assert "log_records_update is gone or off" in warning.reason


# --- what may go, and by whom ---------------------------------------------------------------------------------------


def test_only_the_redactor_erases_and_only_what_a_record_lets_go(log: Log, database: Postgresql) -> None:
    index = answer(log)
    erase = f"DELETE FROM log_parts WHERE index = {index}"
    for role, why in ((WRITER, "permission denied"), (READER, "permission denied"), (OWNER, "DELETE refused")):
        assert why in database.sql(erase, role, "audit")
    assert "DELETE refused" in database.sql(erase, REDACTOR, "audit"), "no record says so"
    for role in (WRITER, READER, OWNER):
        with Log.open(database.url(role)) as other, pytest.raises(NotAllowed):
            redact(other, index, actor="cli/alice", reason="not mine to erase")
    with Log.open(database.url(REDACTOR)) as redactor:
        said = redact(redactor, index, actor="cli/carol", reason="ticket 4711")
    verdict = check(database, expect_root=log.root(1), expect_size=1)
    assert verdict.ok and [(each.index, each.by) for each in verdict.redacted] == [(index, "cli/carol")]
    assert log.get(index).payload["reason"] is None and said.index == 1
    for role, statement in (
        (REDACTOR, "UPDATE log_parts SET text = ''"),
        (REDACTOR, "TRUNCATE log_parts"),
        (REDACTOR, "DELETE FROM log_records"),
        (OWNER, "UPDATE log_parts SET text = ''"),
        (OWNER, "TRUNCATE log_parts"),
    ):
        answer(log)
        assert re.search("permission denied|refused", database.sql(statement, role, "audit")), statement


def test_not_even_the_owner_erases_what_a_record_lets_go(log: Log, database: Postgresql) -> None:
    index = answer(log)
    said = {"redacts": index, "places": ["/actor"], "reason": "ticket 4711"}
    log.append("redaction", actor="cli/alice", attributes={"redacts": str(index)}, payload=said)
    assert "DELETE refused" in database.sql("DELETE FROM log_parts", OWNER, "audit")
    assert [problem.code for problem in check(database).warnings.problems] == ["not_erased"]


def test_a_part_that_the_owner_took_past_the_triggers_is_missing(log: Log, database: Postgresql) -> None:
    index = answer(log)
    database.sql("ALTER TABLE log_parts DISABLE TRIGGER ALL; DELETE FROM log_parts", OWNER, "audit")
    problem = check(database).first_problem
    assert problem is not None and (problem.code, problem.index) == ("part_missing", index)


def test_retention_is_the_owners_and_leaves_what_proves_the_rest(log: Log, database: Postgresql) -> None:
    for number in range(9):
        at = NOON - timedelta(days=500 if number < 5 else 1)
        log.append("intent", actor="agent", at=at, payload={"n": str(number)}, sealed=["/payload/n"])
    root = log.root()
    with pytest.raises(RetentionRefused, match="for the owner"):
        retain(log, 400, actor="cli/alice", now=NOON)
    with Log.open(database.url(OWNER)) as owned:
        assert retain(owned, 400, actor="cli/owner", now=NOON) == Dropped(0, 5, 9)
    for size in (3, 9):
        verdict = check(database, expect_root=log.root(size), expect_size=size)
        assert (verdict.ok, verdict.dropped, verdict.size) == (True, 5, 10), verdict.first_problem
    assert log.root(9) == root and [record.index for record in log.query()] == [5, 6, 7, 8, 9]
    verify_consistency(9, root, 10, log.root(), log.consistency_proof(9))
    assert "permission denied" in database.sql("INSERT INTO log_stubs VALUES (7, '')", WRITER, "audit")
    assert "what a record leaves behind" in database.sql("INSERT INTO log_stubs VALUES (7, '')", OWNER, "audit")


# --- a server that fails ----------------------------------------------------------------------------------------------


def test_a_killed_server_is_unavailable_and_appends_resume_by_themselves(log: Log, database: Postgresql) -> None:
    fill(log, 10)
    database.kill()
    with pytest.raises(LogUnavailable, match="postgresql://log_writer@") as fault:
        log.append("intent", actor="agent", unique_key="after the kill")
    assert "log_writer" in fault.value.store
    database.start()
    assert log.append("intent", actor="agent", unique_key="after the kill").index == 10
    verdict = check(database)
    assert verdict.ok, verdict.first_problem


def test_a_full_disk_stops_every_append_and_room_lets_them_go_on(log: Log, database: Postgresql) -> None:
    fill(log, 3)
    database.limit_files(WRITER, str(17 << 20))  # a little more than a segment of the write-ahead log
    payload = random.Random(7).randbytes(500_000).hex()
    with pytest.raises(LogUnavailable, match=r"postgresql://log_writer@.*could not extend file"):
        for _ in range(60):
            log.append("intent", actor="agent", payload=payload)
    size = log.size()
    assert 3 < size < 60, "there was room for some, and readers go on"
    with pytest.raises(LogUnavailable, match="could not extend file"):
        log.append("intent", actor="agent", payload=payload, unique_key="late")
    assert (log.size(), log.find("late")) == (size, None)
    database.limit_files(WRITER, "unlimited")
    assert log.append("intent", actor="agent", payload=payload, unique_key="late").index == size
    verdict = check(database)
    assert verdict.ok, verdict.first_problem


def test_a_connection_that_was_cut_is_replaced(log: Log, database: Postgresql) -> None:
    fill(log, 2)
    database.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{WRITER}'")
    assert log.append("intent", actor="agent").index == 2


def test_a_log_that_another_writer_holds_is_unavailable_and_resumes(database: Postgresql) -> None:
    from audit.storage.postgresql import PostgresqlStore

    url = make_url(database.url(WRITER))
    with Log.open(database.url(WRITER), lock_timeout_s=0.3) as log:
        other = PostgresqlStore(url, 5)
        with other.writing(), pytest.raises(LogUnavailable, match="lock timeout"):
            log.append("intent", actor="agent")
        assert log.append("intent", actor="agent").index == 0
        other.close()


def test_no_log_no_server_and_no_such_place_are_one_clear_error(database: Postgresql) -> None:
    with pytest.raises(LogUnavailable, match="its owner makes it"):
        Log.open(database.url("postgres", "postgres"))
    with pytest.raises(LogUnavailable, match="refused"):
        Log.open("postgresql://nobody:secret@127.0.0.1:9/audit")
    with pytest.raises(LogUnavailable) as fault:
        Log.open("postgresql://nobody:secret@127.0.0.1:9/audit")
    assert "secret" not in str(fault.value)
    with pytest.raises(LogUnavailable, match="only SQLite files and PostgreSQL"):
        Log.open("mysql://root@localhost/audit")


def test_migrating_twice_changes_nothing(log: Log, database: Postgresql) -> None:
    fill(log, 3)
    migrate(make_url(database.url(OWNER)), writers=(WRITER,), readers=(READER,))
    assert check(database).size == 3
    with pytest.raises(ValueError, match="no name of a role"):
        migrate(make_url(database.url(OWNER)), writers=('x"; DROP TABLE log_records; --',))


def test_the_steps_make_what_the_program_expects(database: Postgresql) -> None:
    """Alembic's steps and the tables of `schema.py` are the same."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    from audit.storage.read_notes import metadata as of_notes
    from audit.storage.schema import metadata

    engine = create_engine(make_url(database.url(OWNER)).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        options = {"version_table": "log_alembic_version", "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), [metadata, of_notes]) == []
    engine.dispose()


# --- the commands -----------------------------------------------------------------------------------------------------


def watchkeeper(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from agent.cli.main import main; main()", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_the_commands_find_a_log_that_lies_in_a_database(database: Postgresql, tmp_path: Path) -> None:
    url = database.url(OWNER)
    made = watchkeeper(tmp_path, "audit", "migrate", url, "--writer", WRITER, "--reader", READER)
    assert made.returncode == 0, made.stderr
    (tmp_path / "watchkeeper.yaml").write_text(f"log: {database.url(WRITER)}\n", encoding="utf-8")
    with Log.open(database.url(WRITER)) as log:
        fill(log, 3)
    checked = watchkeeper(tmp_path, "audit", "fsck", "--json")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["size"] == 3
    unknown = watchkeeper(tmp_path, "audit", "migrate", url, "--writer", "nobody")
    assert unknown.returncode == 1 and 'role "nobody" does not exist' in unknown.stderr
