"""The tamper matrix: each tamper is found and the first bad record named, or found only with an anchor."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import NOON

from audit import fsck as fsck_module
from audit.canonical import write
from audit.errors import LogError
from audit.fsck import fsck, guards
from audit.log import Log
from audit.record import Record, canonical_bytes, checked, leaf_hash, parse

SIZE = 21
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def root(path: Path, clock: Callable[[], datetime]) -> bytes:
    """A closed log of 21 records at `path`, and the root that an outsider kept of it."""
    with Log.open(path, clock=clock, durability="memory") as log:
        for number in range(SIZE):
            log.append(
                "intent",
                actor="agent",
                attributes={"target": f"gpu-{number}", "incident": "i-1"},
                payload={"note": f"evidence number {number:03}"},
                unique_key=f"key-{number}",
            )
        return log.root()


@contextmanager
def other_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who may do everything: drops the guards, does the deed, and puts the guards back as they were."""
    with closing(sqlite3.connect(path)) as database:
        guards = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            database.execute(f"DROP TRIGGER {name}")
        yield database
        for _, statement in guards:
            database.execute(statement)
        database.commit()


def stored(database: sqlite3.Connection, index: int) -> Record:
    return parse(database.execute('SELECT body FROM log_records WHERE "index" = ?', (index,)).fetchone()[0])


def overwrite(database: sqlite3.Connection, record: Record, row: int | None = None) -> None:
    """Replaces a record with all copies in its row, as a careful forger would; attributes and tree stay."""
    body = canonical_bytes(record)
    database.execute(
        'UPDATE log_records SET kind = ?, at = ?, actor = ?, unique_key = ?, body = ?, leaf = ? WHERE "index" = ?',
        (record.kind, record.at, record.actor, record.unique_key, body, leaf_hash(body), row or record.index),
    )


def first(path: Path, **anchor: object) -> tuple[str, int | None]:
    """Code and index of the first problem."""
    problem = fsck(path, **anchor).first_problem  # type: ignore[arg-type]
    assert problem is not None, "the tamper was not found"
    return problem.code, problem.index


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


def test_a_byte_flipped_in_the_file(path: Path, root: bytes) -> None:
    raw = bytearray(path.read_bytes())
    place = raw.index(b"evidence number 013")
    raw[place] ^= 1
    path.write_bytes(raw)
    verdict = fsck(path)
    assert [(problem.code, problem.index) for problem in verdict.integrity.problems] == [("body_differs", 13)]
    assert verdict.completeness.ok


def test_every_byte_of_a_row_matters(path: Path, root: bytes) -> None:
    """A bit flipped anywhere in a record's row is found, whatever SQLite makes of it."""
    raw = path.read_bytes()
    with closing(sqlite3.connect(path)) as database:
        kind, at, actor, key, body, leaf = database.execute(
            'SELECT kind, at, actor, unique_key, body, leaf FROM log_records WHERE "index" = 13'
        ).fetchone()
    row = f"{kind}{at}{actor}{key}".encode() + body + leaf
    place = raw.index(row)
    for offset in range(place - 10, place + len(row)):
        path.write_bytes(raw[:offset] + bytes([raw[offset] ^ 1 << offset % 8]) + raw[offset + 1 :])
        assert not fsck(path).ok, f"byte {offset - place} of the row"


def test_a_body_changed(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        database.execute("UPDATE log_records SET body = replace(body, '013', '014') WHERE \"index\" = 13")
    assert first(path)[1] == 13


@pytest.mark.parametrize(("index", "named"), [(0, 0), (13, 12), (19, 18)])
def test_a_body_changed_with_its_leaf_is_placed_by_the_tree(path: Path, root: bytes, index: int, named: int) -> None:
    with other_hand(path) as database:
        overwrite(database, replace(stored(database, index), payload="forged"))
    assert first(path) == ("node_differs", named)
    assert len(fsck(path).integrity.problems) == 1


def test_the_last_record_of_an_odd_log_changed_with_its_leaf_needs_an_anchor(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        overwrite(database, replace(stored(database, SIZE - 1), payload="forged"))
    assert fsck(path).ok, "no stored node covers it yet"
    assert first(path, expect_root=root) == ("root_differs", None)
    assert first(path, expect_root=root, expect_size=SIZE) == ("root_differs", None)


def test_a_record_deleted(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        database.execute('DELETE FROM log_records WHERE "index" = 13')
    verdict = fsck(path)
    assert verdict.first_problem and verdict.first_problem.index == 13
    assert not verdict.completeness.ok
    assert verdict.integrity.ok, "what is left is unharmed, and said to be"
    assert verdict.root is None


def test_several_records_deleted_with_their_attributes(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        for table in ("log_records", "log_attributes"):
            database.execute(f'DELETE FROM {table} WHERE "index" BETWEEN 5 AND 8')
    assert [str(problem) for problem in fsck(path).completeness.problems] == [
        "record 5: records 5 to 8 are missing [record_missing]"
    ]


def test_the_first_record_deleted(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        database.execute('DELETE FROM log_records WHERE "index" = 0')
    assert first(path) == ("record_missing", 0)


def test_a_record_deleted_and_the_gap_closed(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        for table in ("log_records", "log_attributes"):
            database.execute(f'DELETE FROM {table} WHERE "index" = 13')
            for index in range(14, SIZE):
                database.execute(f'UPDATE {table} SET "index" = {index - 1} WHERE "index" = {index}')
    assert first(path) == ("index_differs", 13)


def test_two_rows_swapped(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        for old, new in ((4, 100), (9, 4), (100, 9)):
            database.execute(f'UPDATE log_records SET "index" = {new} WHERE "index" = {old}')
    assert first(path) == ("index_differs", 4)


def test_two_records_swapped_with_their_index_forged(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        four, nine = stored(database, 4), stored(database, 9)
        database.execute('UPDATE log_records SET unique_key = NULL WHERE "index" IN (4, 9)')
        overwrite(database, replace(four, index=9))
        overwrite(database, replace(nine, index=4))
    assert first(path)[1] == 4


def test_a_record_inserted_in_the_middle(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        for index in range(SIZE - 1, 6, -1):
            for table in ("log_records", "log_attributes"):
                database.execute(f'UPDATE {table} SET "index" = {index + 1} WHERE "index" = {index}')
        body = canonical_bytes(checked(Record(7, "intent", NOON.isoformat(), "agent")))
        row = (7, "intent", parse(body).at, "agent", None, body, leaf_hash(body))
        database.execute("INSERT INTO log_records VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    assert first(path) == ("node_differs", 6), "the forgery is 7; the records from 8 say that they are 7 and so on"


def test_a_record_added_past_the_writer(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        body = canonical_bytes(checked(Record(SIZE, "intent", (NOON + timedelta(hours=1)).isoformat(), "agent")))
        row = (SIZE, "intent", parse(body).at, "agent", None, body, leaf_hash(body))
        database.execute("INSERT INTO log_records VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    assert first(path) == ("node_missing", SIZE - 1)


def test_a_record_duplicated(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        copy = f"INSERT INTO log_records SELECT {SIZE}, kind, at, actor, NULL, body, leaf FROM log_records"
        database.execute(f'{copy} WHERE "index" = 3')
    assert first(path) == ("index_differs", SIZE)


def test_a_unique_key_taken_twice(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        database.execute("PRAGMA writable_schema=ON")
        database.execute("DELETE FROM sqlite_master WHERE name LIKE 'sqlite_autoindex_log_records%'")
        database.execute("UPDATE sqlite_master SET sql = replace(sql, 'UNIQUE (unique_key)', 'CHECK (1)')")
        database.commit()
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TRIGGER log_records_update")
        overwrite(database, replace(stored(database, 20), unique_key="key-3"))
        database.commit()
    assert ("unique_key_repeated", 20) in [(item.code, item.index) for item in fsck(path).integrity.problems]


@pytest.mark.parametrize("column", ["kind", "at", "actor", "unique_key"])
def test_a_column_changed(path: Path, root: bytes, column: str) -> None:
    with other_hand(path) as database:
        database.execute(f"UPDATE log_records SET {column} = 'x' WHERE \"index\" = 13")
    assert first(path) == (f"{column}_differs", 13)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("UPDATE log_attributes SET value = 'gpu-9' WHERE value = 'gpu-13'", 13),
        ("UPDATE log_attributes SET name = 'node' WHERE value = 'gpu-13'", 13),
        ("DELETE FROM log_attributes WHERE value = 'gpu-13'", 13),
        ("INSERT INTO log_attributes VALUES (13, 'approver', 'alice')", 13),
        ("INSERT INTO log_attributes VALUES (21, 'approver', 'alice')", 21),
        ("UPDATE log_attributes SET value = CAST(x'ff' AS TEXT) WHERE value = 'gpu-13'", 13),
    ],
)
def test_an_attribute_changed(path: Path, root: bytes, statement: str, index: int) -> None:
    with other_hand(path) as database:
        database.execute(statement)
    assert first(path)[1] == index


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE log_records SET leaf = x'00' WHERE \"index\" = 13", ("body_differs", 13)),
        ('UPDATE log_records SET body = CAST(body AS TEXT) WHERE "index" = 13', ("body_differs", 13)),
        ('UPDATE log_nodes SET hash = zeroblob(32) WHERE level = 2 AND "index" = 3', ("node_differs", 12)),
        ('DELETE FROM log_nodes WHERE level = 2 AND "index" = 3', ("node_missing", 12)),
        ("INSERT INTO log_nodes VALUES (0, 0, x'00')", ("node_unknown", None)),
        ("INSERT INTO log_nodes VALUES (1, 10, x'00')", ("tail_missing", SIZE)),
        ("UPDATE log_schema SET version = 7", ("schema_unknown", None)),
        ("DELETE FROM log_schema", ("schema_unknown", None)),
        ("DROP TABLE log_nodes", ("table_missing", None)),
        ('UPDATE log_records SET "index" = 9000000000000000000 WHERE "index" = 13', ("record_missing", 13)),
        ('UPDATE log_records SET "index" = -5 WHERE "index" = 13', ("index_invalid", 0)),
    ],
)
def test_other_damage(path: Path, root: bytes, statement: str, problem: tuple[str, int | None]) -> None:
    with closing(sqlite3.connect(path)) as database:
        for name in guards(2):
            database.execute(f"DROP TRIGGER IF EXISTS {name}")
        database.execute(statement)
        database.commit()
    assert first(path) == problem


def test_a_body_that_is_another_form_of_its_value(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        body = json.dumps(json.loads(canonical_bytes(stored(database, 13)))).encode()
        database.execute('UPDATE log_records SET body = ?, leaf = ? WHERE "index" = 13', (body, leaf_hash(body)))
    assert [(problem.code, problem.index) for problem in fsck(path).integrity.problems] == [("not_a_record", 13)]


def cut_tail(path: Path, size: int) -> None:
    with other_hand(path) as database:
        database.execute(f'DELETE FROM log_records WHERE "index" >= {size}')
        database.execute(f'DELETE FROM log_attributes WHERE "index" >= {size}')


def test_a_tail_cut_off_is_remembered_by_the_tree(path: Path, root: bytes) -> None:
    cut_tail(path, 18)
    assert first(path) == ("tail_missing", 18)


def test_a_tail_cut_off_with_its_nodes_needs_an_anchor(path: Path, root: bytes) -> None:
    cut_tail(path, 18)
    with other_hand(path) as database:
        database.execute('DELETE FROM log_nodes WHERE (("index" + 1) << level) > 18')
    assert fsck(path).ok
    assert first(path, expect_size=SIZE) == ("tail_missing", 18)
    assert first(path, expect_root=root) == ("root_differs", None)


def test_a_log_rebuilt_needs_an_anchor(path: Path, root: bytes) -> None:
    path.unlink()
    with Log.open(path) as log:
        for _ in range(SIZE):
            log.append("intent", actor="agent")
    assert fsck(path).ok
    assert first(path, expect_size=SIZE, expect_root=root) == ("root_differs", None)


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


def test_an_index_that_hides_a_record_from_queries_needs_a_deep_look(path: Path, root: bytes) -> None:
    hide = " WHERE value <> 'gpu-13'"
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP INDEX log_attributes_value")
        database.execute(f'CREATE INDEX log_attributes_value ON log_attributes (name, value, "index"){hide}')
        database.execute("PRAGMA writable_schema=ON")
        database.execute("UPDATE sqlite_master SET sql = replace(sql, ?, '')", (hide,))
        database.commit()
    with Log.open(path) as log:
        assert list(log.query(target="gpu-13")) == [], "the tamper works"
    assert fsck(path).ok
    assert first(path, deep=True) == ("database_damaged", None)


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
    with other_hand(path) as database:
        database.execute("UPDATE log_records SET actor = 'nobody'")
    verdict = fsck(path)
    assert (len(verdict.integrity.problems), verdict.integrity.problems_dropped) == (100, 50)


def test_the_checker_leaves_the_file_alone_and_sees_what_is_still_in_the_wal(path: Path) -> None:
    with Log.open(path) as log:
        log.append("heartbeat", actor="agent")
        before = path.read_bytes()
        assert fsck(path).size == 1
        assert path.read_bytes() == before
        assert log.append("heartbeat", actor="agent").index == 1


def run(*arguments: str, isolated: bool = True) -> subprocess.CompletedProcess[str]:
    """The command without site-packages; isolated Python has to be told where the checkout is."""
    start = f"import sys, runpy; sys.path.insert(0, {str(REPOSITORY)!r}); sys.argv[0] = 'fsck'; "
    start += "runpy.run_module('audit.fsck', run_name='__main__')"
    command = ["-I", "-S", "-c", start] if isolated else ["-S", "-m", "audit.fsck"]
    return subprocess.run(
        [sys.executable, *command, *arguments], capture_output=True, text=True, cwd=REPOSITORY, timeout=30, check=False
    )


@pytest.mark.parametrize("isolated", [True, False])
def test_the_command_runs_with_the_standard_library_alone(path: Path, root: bytes, isolated: bool) -> None:
    done = run(str(path), "--root", root.hex(), "--size", str(SIZE), "--json", isolated=isolated)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) | {"store": ""} == {
        "ok": True, "store": "", "size": SIZE, "root": root.hex(), "anchored": True,
        "anchored_records": SIZE, "deep": False,
        "dropped": 0, "redacted": [], "redacted_more": 0,
        "first_bad_index": None, "first_reason": None, "integrity": {"ok": True, "problems": [], "problems_dropped": 0},
        "completeness": {"ok": True, "problems": [], "problems_dropped": 0},
        "anchoring": {"ok": True, "problems": [], "problems_dropped": 0},
        "warnings": {"ok": True, "problems": [], "problems_dropped": 0},
    }  # fmt: skip


def test_the_command_names_what_is_wrong(path: Path, root: bytes) -> None:
    with other_hand(path) as database:
        database.execute("UPDATE log_records SET actor = 'nobody' WHERE \"index\" = 13")
    done = run(str(path))
    assert done.returncode == 1
    assert "integrity: FAILED\n  record 13: actor is 'nobody', but 'agent' in the body [actor_differs]" in done.stdout
    assert "completeness: ok" in done.stdout
    assert "not anchored" in done.stdout


def test_the_command_says_when_it_cannot_look(path: Path) -> None:
    assert run(str(path)).returncode == 2
    path.write_text("not a database at all, and long enough to be read as one")
    assert run(str(path)).returncode == 1
    path.unlink()
    path.mkdir()
    done = run(str(path))
    assert done.returncode == 2 and "cannot look" in done.stderr
    path.rmdir()
    sqlite3.connect(path).execute("CREATE TABLE other (x)").connection.close()
    assert run(str(path)).returncode == 1
    assert run(str(path), "--root", "00").returncode == 2


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
