"""A SQLite file is more than its rows: bytes of pages, indexes, types that no column enforces. All may be damaged."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tampering import File, write_evidence

from audit.fsck import fsck
from audit.log import Log


@pytest.fixture
def root(path: Path) -> bytes:
    """A closed log of 21 records at `path`, and the root that an outsider kept of it."""
    with Log.open(path, durability="memory") as log:
        write_evidence(log)
        return log.root()


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


def test_a_unique_key_taken_twice(path: Path, root: bytes) -> None:
    """The index that keeps keys unique has to be broken first."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA writable_schema=ON")
        database.execute("DELETE FROM sqlite_master WHERE name LIKE 'sqlite_autoindex_log_records%'")
        database.execute("UPDATE sqlite_master SET sql = replace(sql, 'UNIQUE (unique_key)', 'CHECK (1)')")
        database.commit()
    with File(path).hand() as hand:
        hand.put(replace(hand.stored(20), unique_key="key-4"))
    assert ("unique_key_repeated", 20) in [(item.code, item.index) for item in fsck(path).integrity.problems]


def test_an_attribute_there_twice(path: Path, root: bytes) -> None:
    """Which only a table without its key lets happen; one of the two is what a query would find."""
    with File(path).hand() as hand:
        rows = hand.run("SELECT * FROM log_attributes")
        hand.run("DROP TABLE log_attributes")
        hand.run('CREATE TABLE log_attributes ("index" INTEGER, name TEXT, value TEXT)')
        for row in [*rows, (13, "target", "gpu-9"), (13, "target", "gpu-13")]:
            hand.run("INSERT INTO log_attributes VALUES (?, ?, ?)", *row)
    problem = fsck(path).first_problem
    assert problem is not None and (problem.code, problem.index) == ("attributes_differs", 13)


ANYTHING = (
    "NULL", "''", "'x'", "char(0)", "CAST(x'ff' AS TEXT)", "'\u00e9'", "x''", "x'ff'", "zeroblob(32)", "randomblob(32)",
    "-1", "1.5", "1e300", "4611686018427387904", "9223372036854775807",
)  # fmt: skip
CELLS = {
    "records": (("index", "kind", "at", "actor", "unique_key", "body", "leaf"), '"index" = 12'),
    "attributes": (("index", "name", "value"), "\"index\" = 12 AND name = 'incident'"),
    "nodes": (("level", "index", "hash"), 'level = 1 AND "index" = 6'),
    "parts": (("index", "place", "salt", "text", "word"), "\"index\" = 12 AND place LIKE '/attributes/%'"),
    "schema": (("version",), "1"),
}


@pytest.mark.parametrize(("table", "column"), [(table, column) for table in CELLS for column in CELLS[table][0]])
def test_a_cell_that_holds_anything(path: Path, root: bytes, table: str, column: str) -> None:
    """SQLite keeps any value in nearly any column: each is a finding, and none stops the check."""
    raw, tried = path.read_bytes(), 0
    for value in ANYTHING:
        path.write_bytes(raw)
        try:
            with File(path).hand() as hand:
                hand.run(f'UPDATE log_{table} SET "{column}" = {value} WHERE {CELLS[table][1]}')
        except sqlite3.Error:
            continue  # this column does enforce its type
        tried += 1
        verdict = fsck(path)
        assert not verdict.ok, value
        assert verdict.as_json()["ok"] is False and list(verdict.lines())
    assert tried, "nothing was tried"


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
    assert {problem.code for problem in fsck(path, deep=True).integrity.problems} == {"database_damaged"}
