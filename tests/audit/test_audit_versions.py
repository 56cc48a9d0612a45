"""Records that were written by earlier versions stay readable, findable and provable.

`version_1` has a log as the first version wrote it: the statements that make its file, and its records' bytes.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import rfc9162
from log_contract import answer

from audit.fsck import fsck
from audit.log import Log
from audit.proofs import verify_consistency
from audit.record import canonical_bytes, leaf_hash, parse

VERSION_1 = Path(__file__).parent / "version_1"
ROOT = "0461b37ba96430dd5b6a163615c40a9f9d9b7230035c77ad7f390c7c1c4c12ed"
SIZE = 22


@pytest.fixture
def bodies() -> list[bytes]:
    return (VERSION_1 / "records.ndjson").read_bytes().splitlines()


@pytest.fixture
def old(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.executescript((VERSION_1 / "log.sql").read_text(encoding="utf-8"))
    return path


def test_bytes_of_version_1_are_records_and_make_the_root_they_made(bodies: list[bytes]) -> None:
    records = [parse(body) for body in bodies]
    assert rfc9162.mth(bodies).hex() == ROOT and {record.schema for record in records} == {1}
    assert [canonical_bytes(record) for record in records] == bodies
    assert records[21].payload["by"] == "alice" and records[21].actor == "агент"


def test_the_check_reads_a_file_of_version_1_and_changes_nothing_in_it(old: Path) -> None:
    before = old.read_bytes()
    verdict = fsck(old, expect_root=bytes.fromhex(ROOT), expect_size=SIZE, deep=True)
    assert verdict.ok and not verdict.warnings.problems, verdict.first_problem
    assert old.read_bytes() == before


def test_a_file_of_version_1_is_brought_up_to_date_and_goes_on(old: Path, bodies: list[bytes]) -> None:
    with Log.open(old) as log:
        assert log.root().hex() == ROOT and [canonical_bytes(record) for record in log.query()] == bodies
        assert [record.index for record in log.query(approver="alice")] == [21]
        index = answer(log)
        assert {record.schema for record in log.query(approver="alice")} == {1, 2} and index == SIZE
        verify_consistency(SIZE, bytes.fromhex(ROOT), SIZE + 1, log.root(), log.consistency_proof(SIZE))
        assert log.leaf(3) == leaf_hash(bodies[3])
    verdict = fsck(old, expect_root=bytes.fromhex(ROOT), expect_size=SIZE, deep=True)
    assert verdict.ok and not verdict.warnings.problems, verdict.first_problem
    with Log.open(old) as again:
        assert again.size() == SIZE + 1


def test_a_guard_that_was_gone_before_is_there_again(old: Path) -> None:
    with closing(sqlite3.connect(old)) as database:
        database.execute("DROP TRIGGER log_records_delete")
        database.execute("DROP TRIGGER log_schema_update")
    assert len(fsck(old).warnings.problems) == 2
    Log.open(old).close()
    assert not fsck(old).warnings.problems
