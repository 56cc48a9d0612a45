"""Old records go, and what is left still proves them, every checkpoint and itself; nothing goes unsaid."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import rfc9162
from log_contract import answer
from tampering import NOON
from test_audit_redaction import exported, sql, verify

from audit.errors import LogUnavailable, NoSuchRecord
from audit.fsck import fsck
from audit.log import Log
from audit.notes import SignatureType
from audit.proofs import verify_consistency, verify_inclusion
from audit.record import canonical_bytes, leaf_hash
from audit.retention import MINIMUM_DAYS, Dropped, RetentionRefused, retain
from audit.signing import Signer, new_key

NOW = NOON + timedelta(days=500)
OLD = 13


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key("example.com/lab", SignatureType.ED25519, tmp_path / "log.key")


@pytest.fixture
def aged(log: Log) -> Iterator[Log]:
    """Thirteen records of 500 days ago, eight of yesterday; something sealed among both."""
    for number in range(21):
        at = NOON if number < OLD else NOW - timedelta(days=1)
        log.append(
            "intent", actor="agent", at=at, attributes={"incident": f"i-{number % 3}"}, unique_key=f"key-{number}",
            payload={"reason": f"because {number}"}, sealed=["/payload/reason"],
        )  # fmt: skip
    yield log


def test_old_records_go_and_a_record_says_so(aged: Log, path: Path) -> None:
    dropped = retain(aged, 400, actor="cli/carol", now=NOW, reason="policy 7")
    assert dropped == Dropped(0, OLD, 21)
    said = aged.get(21)
    assert (said.kind, said.actor, said.attributes) == ("retention", "cli/carol", {"first_kept": "13"})
    assert said.payload == {
        "first_dropped": 0, "first_kept": 13, "days": 400, "reason": "policy 7",
        "before": "2026-05-11T12:00:00.000000Z",
    }  # fmt: skip
    assert [record.index for record in aged.query()] == list(range(OLD, 22)) and aged.first_kept() == OLD
    assert [record.index for record in aged.query(incident="i-0")] == [15, 18]
    with pytest.raises(NoSuchRecord, match="record 3 was dropped by retention in a log of 22"):
        aged.get(3)
    for file in (path, Path(f"{path}-wal")):
        assert not file.exists() or b"because 3" not in file.read_bytes()
    assert retain(aged, 400, actor="carol", now=NOW) is None and aged.size() == 22


def test_whoever_kept_a_record_or_a_checkpoint_can_still_have_it_proved(aged: Log) -> None:
    bodies = [canonical_bytes(record) for record in aged.query()]
    roots = [aged.root(size) for size in range(22)]
    retain(aged, 400, actor="carol", now=NOW)
    bodies.append(canonical_bytes(aged.get(21)))
    assert aged.root() == rfc9162.mth(bodies)
    for index, body in enumerate(bodies):
        verify_inclusion(index, 22, leaf_hash(body), aged.inclusion_proof(index), aged.root())
        assert aged.leaf(index) == leaf_hash(body)
    for size, root in enumerate(roots[1:], 1):
        assert aged.root(size) == root
        verify_consistency(size, root, 22, aged.root(), aged.consistency_proof(size))


def test_fsck_says_what_was_dropped_and_holds_the_rest_against_every_anchor(aged: Log, path: Path) -> None:
    roots = {size: aged.root(size) for size in (1, 8, 13, 20)}
    retain(aged, 400, actor="carol", now=NOW)
    for size, root in roots.items():
        verdict = fsck(path, expect_root=root, expect_size=size, deep=True)
        assert verdict.ok and (verdict.size, verdict.dropped) == (22, OLD), verdict.first_problem
        assert [each.code for each in verdict.warnings.problems] == ["retention_unproven"]  # nothing for 499 days
    assert "retention: records 0 to 12 were dropped as a record says" in "\n".join(verdict.lines())
    assert not fsck(path, expect_root=bytes(32), expect_size=8).ok


@pytest.mark.parametrize(
    ("tamper", "code", "index"),
    [
        ('UPDATE log_stubs SET leaf = zeroblob(32) WHERE "index" = 6', "node_differs", 6),
        ('DELETE FROM log_stubs WHERE "index" = 6', "stub_invalid", 6),
        ("DELETE FROM log_stubs", "record_missing", 0),
        ('INSERT INTO log_stubs SELECT "index", leaf FROM log_records WHERE "index" = 13', "index_invalid", 14),
        ('DELETE FROM log_records WHERE "index" = 13', "record_missing", 13),
    ],
)
def test_a_stub_that_was_tampered_with_is_found(aged: Log, path: Path, tamper: str, code: str, index: int) -> None:
    retain(aged, 400, actor="carol", now=NOW)
    guards = ("log_stubs_update", "log_stubs_delete", "log_stubs_insert", "log_records_delete")
    sql(path, *(f"DROP TRIGGER {guard}" for guard in guards), tamper)
    first = fsck(path).first_problem
    assert first is not None and (first.code, first.index) == (code, index), first


def test_what_goes_unsaid_is_found(aged: Log, path: Path) -> None:
    sql(
        path,
        "DROP TRIGGER log_stubs_insert",
        'INSERT INTO log_stubs SELECT "index", leaf FROM log_records WHERE "index" < 4',
        *(f'DELETE FROM log_{table} WHERE "index" < 4' for table in ("parts", "attributes", "records")),
    )
    first = fsck(path, expect_root=aged.root()).first_problem
    assert first is not None and (first.code, first.index) == ("dropped_unsaid", 0)
    assert first.reason == "records 0 to 3 were dropped, and no record says so"


def test_the_database_drops_nothing_that_no_record_drops(aged: Log, path: Path) -> None:
    retain(aged, 400, actor="carol", now=NOW)
    for statement in (
        'DELETE FROM log_records WHERE "index" = 14',
        'DELETE FROM log_attributes WHERE "index" = 14',
        'INSERT INTO log_stubs SELECT "index", leaf FROM log_records WHERE "index" = 14',
        "INSERT INTO log_stubs VALUES (3, X'00')",
        "DELETE FROM log_stubs",
        "UPDATE log_stubs SET leaf = X'00'",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            sql(path, statement)
    assert fsck(path).ok


def test_no_log_is_kept_for_less_than_six_months(aged: Log) -> None:
    assert MINIMUM_DAYS == 183
    with pytest.raises(RetentionRefused, match="182 days is less than the 183"):
        retain(aged, 182, actor="carol", now=NOW)
    assert aged.size() == 21
    assert retain(aged, 183, actor="carol", now=NOW) == Dropped(0, OLD, 21)


def test_killed_in_between_it_goes_on_when_called_again(aged: Log, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.retention.SLICE_RECORDS", 5)
    from audit.storage.transaction import Transaction

    drop, calls = Transaction.drop, []

    def dies(transaction: Transaction, first_kept: int) -> None:
        calls.append(first_kept)
        if len(calls) == 2:
            raise LogUnavailable("store", "killed")
        drop(transaction, first_kept)

    with monkeypatch.context() as patched, pytest.raises(LogUnavailable):
        patched.setattr(Transaction, "drop", dies)
        retain(aged, 400, actor="carol", now=NOW)
    verdict = fsck(path)
    assert verdict.ok and verdict.dropped == 5
    assert retain(aged, 400, actor="carol", now=NOW) == Dropped(5, OLD, 22)
    assert fsck(path).ok and aged.get(OLD).payload == {"reason": "because 13"}


def test_an_export_of_what_is_left_makes_the_same_root(aged: Log, signer: Signer, tmp_path: Path) -> None:
    retain(aged, 400, actor="carol", now=NOW)
    answer(aged)
    status, told = verify(exported(aged, signer, tmp_path / "whole"), signer)
    assert status == 0, told
    assert "10 records, the whole log" in told and "13 earlier records were dropped by retention" in told
    assert verify(exported(aged, signer, tmp_path / "part", incident="i-0"), signer)[0] == 0
    lines = (tmp_path / "whole" / "records.ndjson").read_text(encoding="utf-8").splitlines(keepends=True)
    lines[2] = lines[1]
    (tmp_path / "whole" / "records.ndjson").write_text("".join(lines), encoding="utf-8")
    assert verify(tmp_path / "whole", signer)[0] == 1


def test_the_log_goes_on_after_it(aged: Log, path: Path) -> None:
    retain(aged, 400, actor="carol", now=NOW)
    assert answer(aged) == 22
    with Log.open(path) as again:
        assert again.append("heartbeat", actor="agent").index == 23
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("SELECT count(*) FROM log_stubs").fetchone() == (OLD,)
    assert fsck(path).ok
