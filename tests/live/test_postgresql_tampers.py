"""The tamper matrix on a real PostgreSQL, done by its superuser, whom neither roles nor triggers stop."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import postgresql_log
import psycopg
import pytest
from postgresql import READER, WRITER, Postgresql
from postgresql_log import *  # noqa: F403
from sqlalchemy.engine import make_url
from tamper_matrix import *  # noqa: F403
from tampering import MATRIX, SIZE, TABLES, Hand, write_evidence
from typer.testing import CliRunner

from agent.cli.main import app
from audit.log import Log
from audit.storage.recheck import fsck_postgresql
from audit.verdict import Verdict


@dataclass
class Tables:
    on: Postgresql

    def open(self) -> Log:
        return Log.open(self.on.url(WRITER))

    @contextmanager
    def hand(self) -> Iterator[Hand]:
        """A superuser with the triggers of the session off, who leaves no trace in the schema."""
        with psycopg.connect(self.on.url("postgres")) as connection:
            connection.execute("SET session_replication_role = replica")

            def execute(statement: str, values: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
                done = connection.execute(statement.replace("?", "%s"), values or None)
                return done.fetchall() if done.description else ()

            yield Hand(execute)

    def check(self, **anchor: Any) -> Verdict:
        return fsck_postgresql(make_url(self.on.url(READER)), **anchor)

    def fresh(self) -> None:
        postgresql_log.empty_log(self.on)


@pytest.fixture
def place(server: Postgresql) -> Tables:
    """Emptied where the tables are what they should be, which is quicker than making them."""
    tables = Tables(server)
    try:
        with tables.hand() as hand:
            for each in TABLES:
                hand.run(f"TRUNCATE log_{each}")
            hand.run("INSERT INTO log_schema VALUES (2)")
        assert tables.check().ok
    except (psycopg.Error, AssertionError):
        tables.fresh()
    return tables


@pytest.mark.parametrize("name", ["payload_byte_flipped", "segment_dropped", "schema_version_unknown"])
def test_the_command_exits_1(place: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with place.open() as log:
        write_evidence(log)
    (tmp_path / "watchkeeper.yaml").write_text(f"log: {place.on.url(WRITER)}\n", encoding="utf-8")
    fsck = ["audit", "fsck", "--json"]
    assert CliRunner().invoke(app, fsck).exit_code == 0
    with place.hand() as hand:
        MATRIX[name].do(hand)
    done = CliRunner().invoke(app, fsck)
    assert done.exit_code == 1
    assert json.loads(done.stdout)["first_bad_index"] == MATRIX[name].index


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO log_nodes SELECT 1, 9223372036854775807, leaf FROM log_records WHERE index = 0",
        "ALTER TABLE log_records DROP COLUMN leaf",
        "ALTER TABLE log_records ALTER COLUMN body TYPE text USING encode(body, 'escape')",
        "ALTER TABLE log_attributes ALTER COLUMN index TYPE text USING index::text",
        "ALTER TABLE log_nodes ALTER COLUMN level TYPE text USING level::text",
    ],
)
def test_tables_of_another_shape_are_a_finding(database: Postgresql, statement: str) -> None:
    place = Tables(database)
    with place.open() as log:
        write_evidence(log)
    with place.hand() as hand:
        hand.run(statement)
    assert not place.check().ok


def test_a_unique_key_taken_twice(database: Postgresql) -> None:
    place = Tables(database)
    with place.open() as log:
        write_evidence(log)
    with place.hand() as hand:
        hand.run("ALTER TABLE log_records DROP CONSTRAINT log_records_unique_key_key")
        hand.run("UPDATE log_records SET unique_key = 'key-4' WHERE index = 20")
    assert ("unique_key_repeated", SIZE - 1) in [(each.code, each.index) for each in place.check().integrity.problems]
