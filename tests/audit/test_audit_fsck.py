"""The check of a log by itself: what an honest log is told, what is only a warning, and what it leaves alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tampering import NOON, SIZE, File, write_evidence

from audit import fsck as fsck_module
from audit.canonical import write
from audit.errors import LogError
from audit.fsck import fsck, guards
from audit.log import Log


@pytest.fixture
def root(path: Path) -> bytes:
    """A closed log of 21 records at `path`, and the root that an outsider kept of it."""
    with Log.open(path, durability="memory") as log:
        write_evidence(log)
        return log.root()


def test_an_honest_log_is_intact(path: Path, root: bytes) -> None:
    verdict = fsck(path, expect_root=root, expect_size=SIZE)
    assert (verdict.ok, verdict.size, verdict.root, verdict.anchored) == (True, SIZE, root, True)
    assert fsck(path, deep=True).ok
    assert verdict.warnings.ok


def test_an_empty_log_is_intact(path: Path) -> None:
    Log.open(path).close()
    assert fsck(path).ok


def test_an_older_anchor_still_holds(path: Path, root: bytes) -> None:
    with Log.open(path) as log:
        log.append("heartbeat", actor="agent")
        for size in range(1, SIZE + 1):
            assert fsck(path, expect_root=log.root(size), expect_size=size).ok
    assert fsck(path, expect_root=root, expect_size=SIZE).ok


def test_time_that_goes_back_and_guards_that_are_gone_are_warnings(path: Path, root: bytes) -> None:
    with Log.open(path) as log:
        for back_s in (2, 60):
            log.append("intent", actor="agent", at=NOON + timedelta(seconds=SIZE - back_s))
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TRIGGER log_nodes_update")
    verdict = fsck(path)
    assert verdict.ok
    codes = [(problem.code, problem.index) for problem in verdict.warnings.problems]
    assert codes == [("guard_missing", None), ("clock_went_back", SIZE + 1)]


def test_the_checker_knows_the_guards_and_schema_of_the_writer(path: Path, root: bytes) -> None:
    from audit.storage.schema import SCHEMA_VERSION

    with closing(sqlite3.connect(path)) as database:
        made = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    assert made == guards(2)
    assert max(fsck_module.TABLES) == SCHEMA_VERSION


def test_many_problems_are_counted_and_not_all_kept(path: Path, clock: Callable[[], datetime]) -> None:
    with Log.open(path, clock=clock, durability="memory") as log:
        for _ in range(150):
            log.append("heartbeat", actor="agent")
    with File(path).hand() as hand:
        hand.run("UPDATE log_records SET actor = 'nobody'")
    verdict = fsck(path)
    assert (len(verdict.integrity.problems), verdict.integrity.problems_dropped) == (100, 50)


def test_the_checker_leaves_the_file_alone_and_sees_what_is_still_in_the_wal(path: Path) -> None:
    with Log.open(path) as log:
        log.append("heartbeat", actor="agent")
        before = path.read_bytes()
        assert fsck(path).size == 1
        assert path.read_bytes() == before
        assert log.append("heartbeat", actor="agent").index == 1


def test_no_record_that_was_written_is_one_that_the_checker_refuses(path: Path) -> None:
    odd = [
        "\x00",
        "\x7f\u2028",
        "😀",
        "\ue000",
        1e21,
        -0.0,
        0.1,
        2**53 - 1,
        [],
        {},
        {"😀": 1, "\ue000": 2},
        "x" * 100_000,
    ]
    with Log.open(path, durability="memory") as log:
        for payload in odd:
            try:
                record = log.append("odd", actor="tester", payload=payload, attributes={"value": ascii(payload)[:99]})
            except LogError as error:
                pytest.fail(f"{payload!r}: {error}")
            assert write(record.payload) == write(payload)
    assert fsck(path).ok
