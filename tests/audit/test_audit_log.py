"""The log as its users see it: append, find, prove; append-only; closed when the store fails."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from log_contract import *  # noqa: F403
from log_contract import fill
from sqlalchemy.dialects import sqlite

from audit.errors import AlreadyRecorded, LogDamaged, LogError, LogUnavailable, RecordRefused
from audit.fsck import fsck
from audit.log import Log
from audit.record import MAX_PAYLOAD_BYTES
from audit.storage.querying import Query, selection
from audit.storage.sqlite_transaction import SqliteTransaction

LONGER_THAN_IT_LOOKS = MAX_PAYLOAD_BYTES // 10
"""Numbers that RFC 8785 writes out and Python does not: found to be too long only when the record is written."""

INSERT = 'INSERT {} INTO log_records VALUES ({}, "k", "t", "a", {}, x\'00\', x\'00\')'


@pytest.mark.parametrize(
    "statement",
    [
        *(f"DELETE FROM {table}" for table in ("log_records", "log_attributes", "log_nodes", "log_schema")),
        "UPDATE log_records SET body = x'00'",
        'UPDATE log_records SET "index" = "index" + 100',
        "UPDATE log_attributes SET value = 'gpu-9'",
        "UPDATE log_nodes SET hash = x'00'",
        "UPDATE log_schema SET version = 3",
        "UPDATE OR REPLACE log_records SET unique_key = 'key-1'",
        INSERT.format("OR REPLACE", 1, "NULL"),
        INSERT.format("OR IGNORE", 1, "NULL"),
        INSERT.format("OR REPLACE", 4, "'key-1'"),
        INSERT.format("", 4, "'key-1'"),
        INSERT.format("", 5, "NULL"),
        INSERT.format("", -1, "NULL"),
        INSERT.format("", "NULL", "NULL"),
        "INSERT OR REPLACE INTO log_attributes VALUES (3, 'target', 'gpu-9')",
        "INSERT INTO log_attributes VALUES (3, 'new', 'x')",
        "INSERT OR REPLACE INTO log_nodes VALUES (1, 1, x'00')",
        "INSERT INTO log_nodes VALUES (3, 0, x'00'), (1, 0, x'00')",
        "INSERT INTO log_schema VALUES (3)",
        "INSERT INTO log_records SELECT * FROM log_records",
        "REPLACE INTO log_records SELECT * FROM log_records",
        "INSERT INTO log_records SELECT 0, kind, at, actor, NULL, x'00', leaf FROM log_records WHERE \"index\" = 0 "
        "ON CONFLICT DO UPDATE SET body = x'00'",
    ],
)
@pytest.mark.parametrize("recursive_triggers", ["ON", "OFF"])
def test_sql_from_another_hand_may_only_add_the_next_thing(
    log: Log, path: Path, statement: str, recursive_triggers: str
) -> None:
    fill(log, 4)
    before = log.root(), [log.get(index) for index in range(4)]
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA recursive_triggers={recursive_triggers}")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            other.execute(statement)
        other.commit()
    assert (log.root(), [log.get(index) for index in range(4)]) == before
    assert fsck(path).ok


def test_a_locked_log_is_unavailable_and_resumes(log: Log, path: Path) -> None:
    fill(log, 3)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogUnavailable, match="locked") as fault:
            log.append("intent", actor="agent", unique_key="late")
        assert fault.value.store == str(path)
        assert log.size() == 3, "readers go on"
        other.execute("ROLLBACK")
    assert log.append("intent", actor="agent", unique_key="late").index == 3
    assert fsck(path).ok


def pragma(log: Log, text: str) -> object:
    """Asks or sets something of the log's idle connection, which the next transaction will use again."""
    with log._store.reading() as transaction:
        result = transaction._connection.exec_driver_sql(f"PRAGMA {text}")
        return result.scalar() if result.returns_rows else None


@pytest.mark.parametrize(
    ("fault", "repair", "said"),
    [
        ("max_page_count=1", "max_page_count=1000000", "full"),
        ("query_only=ON", "query_only=OFF", "readonly"),
    ],
)
def test_a_full_or_read_only_log_is_unavailable_and_resumes(
    log: Log, path: Path, fault: str, repair: str, said: str
) -> None:
    fill(log, 3)
    pragma(log, fault)
    with pytest.raises(LogUnavailable, match=said):
        log.append("intent", actor="agent", payload="x" * 100_000, unique_key="late")
    assert log.size() == 3, "readers go on"
    pragma(log, repair)
    assert log.append("intent", actor="agent", unique_key="late").index == 3
    assert fsck(path).ok


def test_an_append_that_fails_half_way_leaves_nothing(log: Log, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(log, 3)
    with monkeypatch.context() as patch:
        patch.setattr("audit.storage.sqlite_transaction._row", lambda entry: (entry.record.index, *[None] * 6))
        with pytest.raises(LogUnavailable):
            log.append("intent", actor="agent", attributes={"target": "gpu-1"})
    assert log.append("intent", actor="agent", attributes={"target": "gpu-2"}).index == 3
    assert fsck(path).ok


def test_a_log_that_cannot_be_opened_is_unavailable(path: Path) -> None:
    with pytest.raises(LogUnavailable):
        Log.open(path.parent / "no such folder" / "audit.db")
    with pytest.raises(LogUnavailable, match="only SQLite") as fault:
        Log.open("mysql://agent:secret@db/audit")
    assert "secret" not in str(fault.value)
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(LogUnavailable, match="not a database"):
        Log.open(path)


def test_a_log_of_a_later_version_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE log_schema (version INTEGER)")
        other.execute("INSERT INTO log_schema VALUES (3)")
        other.commit()
    with pytest.raises(LogUnavailable, match="schema version 3"):
        Log.open(path)


@pytest.mark.parametrize("replacement", [True, False])
def test_evidence_never_goes_into_a_file_that_was_replaced_or_removed(log: Log, path: Path, replacement: bool) -> None:
    fill(log, 3)
    away = path.with_name("away.db")
    path.rename(away)
    if replacement:
        path.write_bytes(away.read_bytes())
    with pytest.raises(LogUnavailable):
        log.append("intent", actor="agent")
    path.unlink(missing_ok=True)
    away.rename(path)
    assert log.append("intent", actor="agent").index == 3


def test_a_log_rolled_back_behind_its_writer_is_unavailable(log: Log, path: Path) -> None:
    fill(log, 3)
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TRIGGER log_records_delete")
        other.execute('DELETE FROM log_records WHERE "index" = 2')
        other.commit()
    with pytest.raises(LogUnavailable, match="had 3 records and now has 2"):
        log.append("intent", actor="agent")


@pytest.mark.parametrize("body", ["x'00'", '(SELECT body FROM log_records WHERE "index" = 0)'])
def test_a_damaged_record_is_named(log: Log, path: Path, body: str) -> None:
    fill(log, 3)
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TRIGGER log_records_update")
        other.execute(f'UPDATE log_records SET body = {body} WHERE "index" = 1')
        other.commit()
    with pytest.raises(LogDamaged) as fault:
        list(log.query())
    assert fault.value.index == 1
    for ask in (lambda: log.get(1), lambda: log.find("key-1"), lambda: log.append("k", actor="a", unique_key="key-1")):
        with pytest.raises(LogDamaged):
            ask()


def test_a_closed_and_reopened_log_goes_on(path: Path, clock: Callable[[], datetime]) -> None:
    with Log.open(path, clock=clock) as log:
        fill(log, 5)
        root = log.root()
    assert not path.with_name("audit.db-wal").exists(), "the last one out writes the WAL back"
    with Log.open(f"sqlite:///{path}", clock=clock) as log:
        assert log.root() == root
        assert log.append("heartbeat", actor="agent").index == 5
    assert fsck(path, expect_root=root, expect_size=5).ok


def test_full_durability_is_the_default(path: Path) -> None:
    with Log.open(path) as log:
        assert (pragma(log, "synchronous"), pragma(log, "journal_mode")) == (2, "wal")
    with Log.open(path, durability="memory") as log:
        assert pragma(log, "synchronous") == 0


@contextmanager
def busy(log: Log, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """While another thread is stuck in the middle of its commit."""
    stuck, go_on = threading.Event(), threading.Event()
    insert = SqliteTransaction.insert

    def slow_insert(self: SqliteTransaction, *arguments: Any) -> None:
        stuck.set()
        go_on.wait(10)
        insert(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(SqliteTransaction, "insert", slow_insert)
        first = threading.Thread(target=log.append, args=("intent",), kwargs={"actor": "first"})
        first.start()
        stuck.wait(10)
        yield
        go_on.set()
        first.join()


def test_a_caller_who_gave_up_waiting_is_not_written_later(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    with busy(log, monkeypatch), pytest.raises(LogUnavailable, match=r"held it for 0\.3 s"):
        log.append("intent", actor="late")
    log.append("intent", actor="next")
    assert [record.actor for record in log.query()] == ["first", "next"]


def test_those_who_wait_share_one_commit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Log.open(path, durability="memory") as log:
        commits = []
        write = log._writer._write
        monkeypatch.setattr(log._writer, "_write", lambda *given: commits.append(len(given[1])) or write(*given))
        with busy(log, monkeypatch):
            waiting = [
                threading.Thread(target=log.append, args=("intent",), kwargs={"actor": f"t{number}"})
                for number in range(9)
            ]
            for thread in waiting:
                thread.start()
            while len(log._writer._queue) < len(waiting):
                time.sleep(0.001)
        for thread in waiting:
            thread.join()
        assert commits == [1, 9]
        assert log.size() == 10


def test_a_refused_record_does_not_harm_those_who_share_its_commit(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append("intent", actor="agent", unique_key="taken")
    outcomes: dict[str, object] = {}

    def work(name: str, **parts: Any) -> None:
        try:
            outcomes[name] = log.append("intent", actor=name, **parts).actor
        except LogError as error:
            outcomes[name] = type(error)

    log._writer._lock_timeout_s = 10
    with busy(log, monkeypatch):
        waiting = [
            threading.Thread(target=work, args=("good",)),
            threading.Thread(target=work, args=("twice",), kwargs={"unique_key": "taken"}),
            threading.Thread(target=work, args=("big",), kwargs={"payload": [1e20] * LONGER_THAN_IT_LOOKS}),
            threading.Thread(target=work, args=("fine",)),
        ]
        for thread in waiting:
            thread.start()
        while len(log._writer._queue) < len(waiting):
            time.sleep(0.001)
    for thread in waiting:
        thread.join()
    assert outcomes == {"good": "good", "twice": AlreadyRecorded, "big": RecordRefused, "fine": "fine"}
    assert log.size() == 4


def test_an_interrupted_leader_leaves_the_log_usable(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SqliteTransaction, "insert", interrupt)
        with pytest.raises(KeyboardInterrupt):
            log.append("intent", actor="agent")
    assert log.append("intent", actor="agent").index == 0


@pytest.mark.parametrize(
    "wanted",
    [[("incident", "i-1")], [("incident", "i-1"), ("outcome", "failed")]],
    ids=["incident", "incident and outcome"],
)
def test_an_incident_is_found_without_walking_over_the_log(log: Log, path: Path, wanted: list[tuple[str, str]]) -> None:
    fill(log, 30)
    statement = selection(Query(attributes=wanted), 0, log.size(), "sqlite").limit(50)
    sql = str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with closing(sqlite3.connect(path)) as database:
        plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert "log_attributes_value" in plan[0] and not [step for step in plan if "SCAN" in step or "TEMP" in step], plan
