"""A witness cosigns a log that only grows, and nothing else. The protocol is C2SP's tlog-witness."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from starlette.testclient import TestClient

from audit.checkpoints import Checkpoint
from audit.log import Log
from audit.notes import SignatureType, read_note, verified
from audit.signing import Signer, new_key
from audit.storage.witnessed import WitnessFile
from audit.witness import SIZE_TYPE, Answer, Refused as WitnessRefused, Witness, read_request, write_request
from audit.witness_service import service

ORIGIN = "example.com/gpu-cluster"
NOW_S = 1_790_000_000


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key(ORIGIN, SignatureType.ED25519, tmp_path / "log.key")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[WitnessFile]:
    file = WitnessFile(tmp_path / "witness.db", lock_timeout_s=1)
    yield file
    file.close()


@pytest.fixture
def witness(tmp_path: Path, signer: Signer, memory: WitnessFile) -> Witness:
    own = new_key("witness.example/w1", SignatureType.COSIGNATURE, tmp_path / "witness.key")
    return Witness(own, [signer.key], memory.transaction)


def grow(log: Log, records: int, text: str = "as it was") -> None:
    for _ in range(records):
        log.append("incident", actor="agent", payload={"text": text})


def request(log: Log, signer: Signer, old_size: int) -> bytes:
    size = log.size()
    note = signer.sign(Checkpoint(ORIGIN, size, log.root(size)))
    return write_request(old_size, log.consistency_proof(old_size, size) if old_size else [], str(note))


def ask(witness: Witness, log: Log, signer: Signer, old_size: int) -> Answer:
    return witness.add_checkpoint(request(log, signer, old_size), NOW_S)


def test_a_log_that_grows_is_cosigned_each_time(witness: Witness, log: Log, signer: Signer) -> None:
    old_size = 0
    for records in (3, 1, 8, 0):
        grow(log, records)
        answer = ask(witness, log, signer, old_size)
        assert answer.status == 200
        note = signer.sign(Checkpoint(ORIGIN, log.size(), log.root()))
        both = read_note((str(note) + answer.body).encode())
        (by_log, by_witness) = verified(both, [signer.key, witness.key])
        assert (by_log.key, by_witness.key, by_witness.time_s) == (signer.key, witness.key, NOW_S)
        old_size = log.size()


def test_who_does_not_know_the_last_size_is_told(witness: Witness, log: Log, signer: Signer) -> None:
    grow(log, 4)
    ask(witness, log, signer, 0)
    grow(log, 2)
    assert ask(witness, log, signer, 0) == Answer(409, "4\n", SIZE_TYPE)
    assert ask(witness, log, signer, 3) == Answer(409, "4\n", SIZE_TYPE)
    assert ask(witness, log, signer, 4).status == 200


def test_a_log_with_two_faces_gets_one_of_them_cosigned(
    witness: Witness, log: Log, signer: Signer, tmp_path: Path
) -> None:
    grow(log, 4)
    ask(witness, log, signer, 0)
    with Log.open(tmp_path / "other.db", durability="memory") as other:
        grow(other, 4, "the other face")
        assert ask(witness, other, signer, 4).status == 409
        grow(other, 3)
        assert ask(witness, other, signer, 4).status == 422
    grow(log, 1)
    assert ask(witness, log, signer, 4).status == 200


def test_a_log_that_took_records_back_is_not_cosigned(
    witness: Witness, log: Log, signer: Signer, tmp_path: Path
) -> None:
    grow(log, 4)
    ask(witness, log, signer, 0)
    with Log.open(tmp_path / "older.db", durability="memory") as older:
        grow(older, 2)
        assert ask(witness, older, signer, 2) == Answer(409, "4\n", SIZE_TYPE)
        body = write_request(4, [], str(signer.sign(Checkpoint(ORIGIN, 2, older.root()))))
        assert witness.add_checkpoint(body, NOW_S).status == 400


def test_a_stranger_is_not_cosigned(witness: Witness, log: Log, tmp_path: Path, signer: Signer) -> None:
    grow(log, 1)
    posing = new_key(ORIGIN, SignatureType.ED25519, tmp_path / "stranger.key")
    assert ask(witness, log, posing, 0).status == 403
    note = signer.sign(Checkpoint("example.com/unknown", 1, log.root()))
    assert witness.add_checkpoint(write_request(0, [], str(note)), NOW_S).status == 404


def test_a_restarted_witness_remembers(witness: Witness, log: Log, signer: Signer, tmp_path: Path) -> None:
    grow(log, 4)
    ask(witness, log, signer, 0)
    again = WitnessFile(tmp_path / "witness.db", lock_timeout_s=5)
    own = new_key("witness.example/w1", SignatureType.COSIGNATURE, tmp_path / "again.key")
    assert ask(Witness(own, [signer.key], again.transaction), log, signer, 0).status == 409
    again.close()


def test_two_requests_at_once_never_roll_the_memory_back(
    witness: Witness, memory: WitnessFile, log: Log, signer: Signer
) -> None:
    bodies = []
    for _ in range(6):
        grow(log, 1)
        bodies.append(request(log, signer, 0))
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda body=body: answers.append(witness.add_checkpoint(body, NOW_S)))
        for body in bodies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409, 409]
    with memory.transaction() as seen:
        kept = seen.get(ORIGIN)
    assert {answer.body for answer in answers if answer.status == 409} == {f"{kept.size if kept else 0}\n"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"old 0\n", 400),
        (b"old -1\n\nx\n3\nAAAA\n\n", 400),
        (b"old 01\n\nx", 400),
        (b"old 0\nnot base64!\n\nx", 400),
        (b"old 0\nAAAA\n\nx", 400),
        (b"old 0\n" + b"AAAA\n" * 64 + b"\nx", 400),
        (b"old 0\n\nno checkpoint", 400),
        (b"old 0\n\n" + b"x" * 200_000, 413),
    ],
)
def test_what_is_no_request(witness: Witness, body: bytes, status: int) -> None:
    assert witness.add_checkpoint(body, NOW_S).status == status


def test_a_proof_where_there_is_nothing_to_prove_is_refused(witness: Witness, log: Log, signer: Signer) -> None:
    grow(log, 1)
    note = str(signer.sign(Checkpoint(ORIGIN, 1, log.root())))
    assert witness.add_checkpoint(write_request(0, [bytes(32)], note), NOW_S).status == 422


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    try:
        read_request(body)
    except WitnessRefused as refusal:
        assert refusal.answer.status in (400, 413)


def test_over_http(witness: Witness, log: Log, signer: Signer) -> None:
    grow(log, 2)
    client = TestClient(service(witness, lambda: NOW_S))
    answer = client.post("/add-checkpoint", content=request(log, signer, 0))
    assert answer.status_code == 200
    assert answer.text.startswith("— witness.example/w1 ")
    conflict = client.post("/add-checkpoint", content=request(log, signer, 0))
    assert (conflict.status_code, conflict.text, conflict.headers["content-type"]) == (409, "2\n", SIZE_TYPE)
    assert client.get("/add-checkpoint").status_code == 405
    assert client.post("/add-checkpoint", content=b"x" * 300_000).status_code == 413


def test_a_witness_that_cannot_remember_signs_nothing(
    witness: Witness, log: Log, signer: Signer, tmp_path: Path
) -> None:
    grow(log, 1)
    client = TestClient(service(witness, lambda: NOW_S))
    with closing(sqlite3.connect(tmp_path / "witness.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert client.post("/add-checkpoint", content=request(log, signer, 0)).status_code == 503
    assert client.post("/add-checkpoint", content=request(log, signer, 0)).status_code == 200


def test_an_empty_log_has_one_root(witness: Witness, signer: Signer) -> None:
    """Cosigned once with another, a log could never follow it, or would follow what never was."""
    other = write_request(0, [], str(signer.sign(Checkpoint(ORIGIN, 0, bytes(32)))))
    assert witness.add_checkpoint(other, NOW_S).status == 422
    right = write_request(0, [], str(signer.sign(Checkpoint(ORIGIN, 0, hashlib.sha256(b"").digest()))))
    assert witness.add_checkpoint(right, NOW_S).status == 200


def test_a_proof_with_loose_bits_is_refused(witness: Witness) -> None:
    body = b"old 1\n" + b"A" * 42 + b"B=\n\nnote"  # the last two bits of B belong to no byte
    assert witness.add_checkpoint(body, NOW_S).status == 400
