"""The tamper matrix on an exported bundle, checked by its own verifier with nothing installed but Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tampering import SIZE, write_evidence

from audit.checkpoints import Checkpoint
from audit.export import export
from audit.log import Log
from audit.notes import SignatureType
from audit.record import leaf_hash
from audit.signing import Signer, new_key

ORIGIN = "example.com/gpu-cluster"
ROW, SEALED = 13, 12
Lines = list[dict[str, Any]]
BUNDLE: dict[str, tuple[Callable[[Lines], Any], str]] = {}
"""By the tamper's name: what it does to the lines, and what the verifier says."""


def swap(lines: Lines, one: int, other: int) -> None:
    lines[one], lines[other] = lines[other], lines[one]


def change(old: str, new: str, line: int = ROW) -> Callable[[Lines], None]:
    def do(lines: Lines) -> None:
        assert old in lines[line]["record"], "the tamper does something"
        lines[line]["record"] = lines[line]["record"].replace(old, new)

    return do


def opened(member: str, value: Any, place: str = "/payload/reason") -> Callable[[Lines], None]:
    return lambda lines: lines[SEALED]["opened"][place].__setitem__(member, value)


ROOT = "do not make the checkpoint's root"
LEAF = "first bad record: 13"


def with_leaf(lines: Lines) -> None:
    change("number 013", "number 017")(lines)
    lines[ROW]["leaf"] = leaf_hash(lines[ROW]["record"].encode()).hex()


BUNDLE |= {
    "payload_byte_flipped": (change("number 013", "number 017"), LEAF),
    "time_changed": (change("12:00:13", "12:00:14"), LEAF),
    "actor_changed": (change('"actor":"agent"', '"actor":"agenT"'), LEAF),
    "kind_changed": (change('"kind":"intent"', '"kind":"outcome"'), LEAF),
    "unique_key_changed": (change("key-13", "key-99"), LEAF),
    "index_changed": (change('"index":13', '"index":12'), "record 12: comes after record 12"),
    "number_written_differently": (change('"gpus":1', '"gpus":1.0'), "line 14 is no record"),
    "key_there_twice": (change('"gpus":1', '"gpus":1,"gpus":1'), "line 14 is no record"),
    "unicode_equal_but_other_bytes": (change("caf\u00e9", "cafe\u0301"), LEAF),
    "schema_of_a_record_that_nobody_wrote": (change('"schema":1', '"schema":9'), "line 14 is no record"),
    "nesting_bomb": (change('"gpus":1', '"gpus":' + "[" * 100_000), "line 14 is no record"),
    "lone_surrogate": (change("caf\u00e9", "caf\ud800"), "line 14 is no record"),
    "record_deleted": (lambda lines: lines.pop(ROW), "20 records where the checkpoint has 21"),
    "segment_dropped": (lambda lines: lines.__delitem__(slice(5, 9)), "17 records where the checkpoint has 21"),
    "tail_truncated": (lambda lines: lines.__delitem__(slice(18, None)), "18 records where the checkpoint has 21"),
    "two_records_swapped": (lambda lines: swap(lines, 4, 9), "record 5: comes after record 9"),
    "record_duplicated": (lambda lines: lines.insert(ROW, lines[ROW]), "record 13: comes after record 13"),
    "record_replaced_by_another": (lambda lines: lines.__setitem__(ROW, lines[ROW + 1]), "record 14: comes after"),
    "sealed_text_changed": (opened("text", "because 13"), "record 12: a text that came with it is not the record's"),
    "salt_changed": (opened("salt", "00" * 32), "record 12: a text that came with it is not the record's"),
    "part_of_another_place": (
        lambda lines: lines[SEALED]["opened"].update({"/payload/rack": lines[SEALED]["opened"]["/payload/reason"]}),
        "record 12: a text that came with it is not the record's",
    ),
    "part_at_a_place_that_cannot_be_shown": (
        lambda lines: lines[SEALED]["opened"].update({"/payload/\ud800": lines[SEALED]["opened"]["/payload/reason"]}),
        "record 12: a text that came with it is not the record's",
    ),
    "stub_of_retention_forged": (lambda lines: lines.__setitem__(0, {"leaf": "00" * 32}), ROOT),
    "stub_in_the_middle": (lambda lines: lines.__setitem__(ROW, {"leaf": "00" * 32}), "come first"),
    "line_that_is_no_json": (lambda lines: lines.__setitem__(ROW, ["["]), "line 14 cannot be read"),
    "record_and_its_leaf_changed": (with_leaf, ROOT),
    "leaf_changed": (lambda lines: lines[ROW].update(leaf="00" * 32), LEAF),
    "leaf_too_short": (lambda lines: lines[ROW].update(leaf="00"), LEAF),
    "leaf_in_capitals": (lambda lines: lines[ROW].update(leaf=lines[ROW]["leaf"].upper()), LEAF),
    "member_that_nobody_attests": (lambda lines: lines[ROW].update(summary="alice approved this"), LEAF),
    "member_of_a_part_that_nobody_attests": (opened("note", "x"), "first bad record: 12"),
    "record_called_damaged": (lambda lines: (lines[ROW].pop("record"), lines[ROW].update(damaged=True)), LEAF),
}


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key(ORIGIN, SignatureType.ED25519, tmp_path / "log.key")


@pytest.fixture
def bundle(log: Log, signer: Signer, tmp_path: Path) -> Path:
    write_evidence(log)
    export(tmp_path / "made", log, signer, SIZE)
    return Path(shutil.move(tmp_path / "made", tmp_path / "elsewhere"))


def verify(bundle: Path, key: str) -> tuple[int, str]:
    command = [sys.executable, "-I", "-S", str(bundle / "verify.py"), "--key", key]
    done = subprocess.run(command, cwd=bundle, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_an_honest_bundle_is_intact(bundle: Path, signer: Signer) -> None:
    assert verify(bundle, str(signer.key))[0] == 0


@pytest.mark.parametrize("name", BUNDLE)
def test_tamper(bundle: Path, signer: Signer, name: str) -> None:
    file = bundle / "records.ndjson"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    do, said = BUNDLE[name]
    do(lines)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    status, words = verify(bundle, str(signer.key))
    assert (status, said in words) == (1, True), words


FIRST_BAD = {
    "record_deleted": 13,
    "segment_dropped": 5,
    "tail_truncated": 18,
    "two_records_swapped": 4,
    "record_duplicated": 13,
    "record_replaced_by_another": 13,
    "nesting_bomb": 13,
    "schema_of_a_record_that_nobody_wrote": 13,
    "line_that_is_no_json": 13,
    "stub_in_the_middle": 13,
    "sealed_text_changed": 12,
}


@pytest.mark.parametrize("name", FIRST_BAD)
def test_the_first_bad_record_of_a_whole_log_is_named(bundle: Path, signer: Signer, name: str) -> None:
    file = bundle / "records.ndjson"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    BUNDLE[name][0](lines)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert f"first bad record: {FIRST_BAD[name]}\n" in verify(bundle, str(signer.key))[1]


def test_a_member_that_stands_twice(bundle: Path, signer: Signer) -> None:
    file = bundle / "records.ndjson"
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[ROW] = '{"record":"{}",' + lines[ROW][1:]
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    status, words = verify(bundle, str(signer.key))
    assert status == 1 and LEAF in words


def test_bytes_that_are_no_utf_8(bundle: Path, signer: Signer) -> None:
    file = bundle / "records.ndjson"
    file.write_bytes(file.read_bytes().replace("caf\u00e9".encode(), b"caf\xe9", 1))
    status, words = verify(bundle, str(signer.key))
    assert status == 1 and "line 1 is no record" in words


def test_checkpoint_of_another_log(bundle: Path, signer: Signer, tmp_path: Path) -> None:
    """Signed by the right key, for records that are not these."""
    with Log.open(tmp_path / "other.db", durability="memory") as other:
        write_evidence(other, actor="another agent")
        (bundle / "checkpoint").write_bytes(str(signer.sign(Checkpoint(ORIGIN, SIZE, other.root()))).encode())
    status, words = verify(bundle, str(signer.key))
    assert status == 1 and ROOT in words


def test_checkpoint_signed_by_another_key(bundle: Path, log: Log, signer: Signer, tmp_path: Path) -> None:
    stranger = new_key(ORIGIN, SignatureType.ED25519, tmp_path / "stranger.key")
    (bundle / "checkpoint").write_bytes(str(stranger.sign(Checkpoint(ORIGIN, SIZE, log.root()))).encode())
    status, words = verify(bundle, str(signer.key))
    assert status == 2 and "signed by no known key" in words


def test_whole_log_rebuilt_without_the_key(bundle: Path, signer: Signer) -> None:
    """All records and the checkpoint's text are new; the signature is the old one."""
    checkpoint = (bundle / "checkpoint").read_bytes()
    forged = checkpoint.replace(checkpoint.split(b"\n")[2], b"A" * 43 + b"=")
    assert forged != checkpoint
    (bundle / "checkpoint").write_bytes(forged)
    assert verify(bundle, str(signer.key))[0] == 2
