"""A text can be erased and the log says so; every proof stays, and whoever erases otherwise is found out."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from log_contract import SEALED, answer, fill

from audit.errors import LogDamaged, LogUnavailable, NoSuchRecord
from audit.export import export
from audit.fsck import fsck
from audit.log import Log
from audit.notes import SignatureType
from audit.proofs import verify_consistency, verify_inclusion
from audit.record import canonical_bytes, leaf_hash
from audit.redaction import NothingToRedact, redact
from audit.sealing import closed_places, filled
from audit.signing import Signer, new_key
from audit.verdict import Verdict

WHY = "asked for by the person, ticket 4711"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key("example.com/lab", SignatureType.ED25519, tmp_path / "log.key")


def sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def codes(verdict: Verdict) -> list[tuple[str, int | None]]:
    problems = [*verdict.integrity.problems, *verdict.completeness.problems]
    return [(problem.code, problem.index) for problem in problems]


def test_what_is_redacted_is_gone_and_the_record_says_by_whom_and_why(log: Log, path: Path) -> None:
    fill(log, 5)
    index = answer(log)
    said = redact(log, index, actor="cli/carol", reason=WHY)
    record = log.get(index)
    assert (record.actor, record.attributes) == ("(sealed)", {"incident": "i-7"})
    assert record.payload["reason"] is None and closed_places(record) == tuple(sorted(SEALED))
    assert filled(record, "(redacted)").payload["said"][0]["text"] == "(redacted)"
    assert list(log.query(approver="alice")) == list(log.query(words=["tenant agreed"])) == []
    assert (said.kind, said.actor, said.payload["reason"]) == ("redaction", "cli/carol", WHY)
    assert [each.index for each in log.query(incident="i-7")] == [index, said.index]
    for file in (path, Path(f"{path}-wal")):
        assert not file.exists() or b"tenant agreed" not in file.read_bytes()


def test_every_proof_stays_valid(log: Log) -> None:
    fill(log, 5)
    index = answer(log)
    fill_more = [log.append("intent", actor="agent").index for _ in range(4)]
    size, root = log.size(), log.root()
    leaf, proof = leaf_hash(canonical_bytes(log.get(index))), log.inclusion_proof(index)
    redact(log, index, actor="carol", reason=WHY)
    assert leaf_hash(canonical_bytes(log.get(index))) == leaf and fill_more
    assert log.inclusion_proof(index, size) == proof and log.root(size) == root
    verify_inclusion(index, size, leaf, proof, root)
    verify_consistency(size, root, log.size(), log.root(), log.consistency_proof(size))
    assert log.find(f"approval/{index}") is not None, "its key stays taken"


def test_fsck_tells_redacted_from_missing(log: Log, path: Path) -> None:
    first, second = answer(log), answer(log)
    said = redact(log, first, actor="cli/carol", reason=WHY, places=["/payload/reason"])
    verdict = fsck(path, expect_root=log.root(), deep=True)
    assert verdict.ok and [(each.index, each.record) for each in verdict.redacted] == [(first, said.index)]
    told = f"redacted: record {first}: /payload/reason redacted at {said.at} by cli/carol (record {said.index}): {WHY}"
    assert told in list(verdict.lines())
    sql(path, "DROP TRIGGER log_parts_delete", f"DELETE FROM log_parts WHERE \"index\" = {second} AND place = '/actor'")
    verdict = fsck(path)
    assert codes(verdict) == [("part_missing", second)] and len(verdict.redacted) == 1
    assert "/actor missing: no record says that it was redacted" in "\n".join(verdict.lines())


def test_the_database_lets_nothing_go_that_no_record_lets_go(log: Log, path: Path) -> None:
    index = answer(log)
    for statement in (
        "DELETE FROM log_parts",
        "UPDATE log_parts SET text = X'41'",
        f"INSERT INTO log_parts VALUES ({index}, '/payload/by', X'00', X'41', NULL)",
        "INSERT OR REPLACE INTO log_parts SELECT \"index\", place, salt, X'41', word FROM log_parts",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            sql(path, statement)
    assert fsck(path).ok


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        ("UPDATE log_parts SET text = X'41' WHERE place = '/payload/reason'", "part_differs"),
        ("UPDATE log_parts SET salt = X'41' WHERE place = '/payload/reason'", "part_differs"),
        ("UPDATE log_parts SET text = X'FF' WHERE place = '/payload/reason'", "part_differs"),
        ("UPDATE log_parts SET word = 'bob' WHERE place = '/attributes/approver'", "word_differs"),
        ("UPDATE log_parts SET place = '/payload/by' WHERE place = '/payload/reason'", "part_unknown"),
        ('UPDATE log_parts SET "index" = 9', "record_missing"),
    ],
)
def test_a_text_that_was_changed_is_found(log: Log, path: Path, tamper: str, code: str) -> None:
    answer(log)
    sql(path, "DROP TRIGGER log_parts_update", tamper)
    assert code in {found for found, _ in codes(fsck(path))}


def test_a_text_that_was_changed_is_not_read_either(log: Log, path: Path) -> None:
    index = answer(log)
    sql(path, "DROP TRIGGER log_parts_update", "UPDATE log_parts SET text = X'41' WHERE place = '/payload/reason'")
    with pytest.raises(LogDamaged, match="not what the record commits to"):
        log.get(index)


def test_what_is_said_to_be_erased_and_is_there_is_told_and_mended(
    log: Log, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the record and the erasure: the log works on, the check says so, and doing it again mends it."""
    index = answer(log)

    def killed(*_: object) -> None:
        raise LogUnavailable("store", "killed")

    with monkeypatch.context() as patched, pytest.raises(LogUnavailable):
        patched.setattr("audit.storage.transaction.Transaction.erase", killed)
        redact(log, index, actor="carol", reason=WHY)
    verdict = fsck(path)
    assert verdict.ok and [problem.code for problem in verdict.warnings.problems] == ["not_erased"]
    redact(log, index, actor="carol", reason=WHY)
    assert not fsck(path).warnings.problems and log.size() == 3


def test_what_cannot_be_redacted_is_refused_and_nothing_is_recorded(log: Log) -> None:
    fill(log, 1)
    index = answer(log)
    for asked, places, why in (
        (0, None, "nothing in it can be erased"),
        (index, ["/payload/by"], "/payload/by is no text that can be erased; there are /actor,"),
    ):
        with pytest.raises(NothingToRedact, match=why):
            redact(log, asked, actor="carol", reason=WHY, places=places)
    with pytest.raises(NoSuchRecord):
        redact(log, 9, actor="carol", reason=WHY)
    redact(log, index, actor="carol", reason=WHY)
    with pytest.raises(NothingToRedact):
        redact(log, index, actor="carol", reason=WHY)
    assert log.size() == 3


# --- in an export -----------------------------------------------------------------------------------------------------


def exported(log: Log, signer: Signer, folder: Path, *, withhold: bool = False, **conditions: str) -> Path:
    asked = {"asked": "a part"} if conditions else {}
    records = log.query(**conditions) if conditions else None  # type: ignore[arg-type]
    export(folder, log, signer, log.size(), records, withhold=withhold, **asked)
    return folder


def verify(folder: Path, signer: Signer) -> tuple[int, str]:
    command = [sys.executable, "-I", "-S", str(folder / "verify.py"), "--key", str(signer.key)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("conditions", [{}, {"incident": "i-7"}], ids=["whole", "part"])
def test_an_export_opens_what_is_there_and_says_what_was_redacted(
    log: Log, signer: Signer, tmp_path: Path, conditions: dict[str, str]
) -> None:
    fill(log, 3)
    gone, kept = answer(log), answer(log)
    said = redact(log, gone, actor="cli/carol", reason=WHY)
    status, told = verify(exported(log, signer, tmp_path / "made", **conditions), signer)
    assert status == 0, told
    assert "4 sealed texts are here and are what the records commit to" in told
    assert f"by cli/carol (record {said.index}): {WHY}" in told and "not here" not in told and kept > gone


def test_an_export_can_withhold_all_that_is_sealed(log: Log, signer: Signer, tmp_path: Path) -> None:
    answer(log)
    folder = exported(log, signer, tmp_path / "made", withhold=True)
    assert "alice" not in (folder / "records.ndjson").read_text(encoding="utf-8")
    status, told = verify(folder, signer)
    assert status == 0 and "4 sealed texts are not here" in told


def test_a_text_changed_in_the_export_is_found(log: Log, signer: Signer, tmp_path: Path) -> None:
    answer(log)
    folder = exported(log, signer, tmp_path / "made")
    line = json.loads((folder / "records.ndjson").read_text(encoding="utf-8"))
    line["opened"]["/payload/reason"]["text"] = "nobody agreed"
    (folder / "records.ndjson").write_text(json.dumps(line) + "\n", encoding="utf-8")
    status, told = verify(folder, signer)
    assert status == 1 and "record 0: a text that came with it is not the record's" in told


def test_salts_are_an_argument_so_a_simulation_repeats(tmp_path: Path, clock: Callable[[], object]) -> None:
    def root(name: str) -> bytes:
        salts = iter(range(100))
        at = "2026-01-31T12:00:00Z"
        with Log.open(tmp_path / name, durability="memory", salt=lambda: bytes([next(salts)]) * 32) as made:
            made.append("notice", actor="agent", at=at, payload={"message": "hot"}, sealed=["/payload/message"])
            return made.root()

    assert root("one.db") == root("two.db")
