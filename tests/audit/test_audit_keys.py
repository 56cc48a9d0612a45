"""Keys that anybody could sign for, encodings that can be read two ways, and whose word counts for which log."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from audit import ed25519
from audit.checkpoints import Checkpoint, open_checkpoint
from audit.ed25519 import SignatureRefused
from audit.kept import Kept, Refused, believed
from audit.notes import KeyRefused, Note, NoteRefused, SignatureType, VerifierKey, read_key, read_note
from audit.signing import Signer, new_key

ORIGIN, OTHER = "example.com/gpu-cluster", "example.com/other"

SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
"""Of order 1, 2, 4, 4 and 8: all that there are in canonical form."""


@pytest.mark.parametrize("public", SMALL_ORDER)
def test_a_key_that_anybody_can_sign_for_is_none(public: str) -> None:
    point = bytes.fromhex(public)
    with pytest.raises(KeyRefused, match="small order"):
        read_key(str(VerifierKey(ORIGIN, SignatureType.ED25519, point)))
    with pytest.raises(SignatureRefused, match="small order"):
        ed25519.verify(point, b"anything", bytes.fromhex(SMALL_ORDER[0]) + bytes(32))


@pytest.mark.parametrize("public", ["02" + "00" * 31, "f0" + "ff" * 30 + "7f"])
def test_a_key_that_is_no_point_is_told_before_it_is_used(public: str) -> None:
    with pytest.raises(KeyRefused):
        read_key(str(VerifierKey(ORIGIN, SignatureType.ED25519, bytes.fromhex(public))))


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key(ORIGIN, SignatureType.ED25519, tmp_path / "log.key")


@pytest.fixture
def other(tmp_path: Path) -> Signer:
    return new_key(OTHER, SignatureType.ED25519, tmp_path / "other.key")


@pytest.fixture
def witness(tmp_path: Path) -> Signer:
    return new_key("witness.example/w1", SignatureType.COSIGNATURE, tmp_path / "witness.key")


def of(origin: str) -> Checkpoint:
    return Checkpoint(origin, 3, bytes(range(32)))


def test_a_key_speaks_for_the_log_of_its_name_alone(signer: Signer, other: Signer) -> None:
    borrowed = str(other.sign(of(ORIGIN))).encode()
    with pytest.raises(NoteRefused, match="no known key is that log's"):
        open_checkpoint(borrowed, [other.key])
    with pytest.raises(NoteRefused, match="another log's key has signed"):
        open_checkpoint(borrowed, [signer.key, other.key])
    assert isinstance(believed("there", [borrowed], [signer.key, other.key])[0], Refused)


def test_a_witness_speaks_for_the_logs_whose_keys_are_known(signer: Signer, other: Signer, witness: Signer) -> None:
    note = other.sign(of(OTHER))
    cosigned = str(Note(note.text, (*note.signatures, witness.cosign(note.text, 7)))).encode()
    assert isinstance(believed("there", [cosigned], [signer.key, witness.key])[0], Refused)
    assert isinstance(believed("there", [cosigned], [other.key, witness.key])[0], Kept)
    assert isinstance(believed("there", [cosigned], [witness.key])[0], Kept)  # whoever names no log asks for any


def test_base64_with_bits_that_mean_nothing_is_refused(signer: Signer) -> None:
    note = str(signer.sign(of(ORIGIN)))
    root = base64.b64encode(bytes(range(32))).decode()
    loose = root[:-2] + chr(ord(root[-2]) + 1) + "="
    assert base64.b64decode(loose) == base64.b64decode(root)
    with pytest.raises(NoteRefused):
        open_checkpoint(str(signer.sign(of(ORIGIN))).replace(root, loose).encode(), [signer.key])
    name, value = note.rstrip("\n").rsplit(" ", 1)
    odd = value + "A" * (-len(value) % 4)
    last = odd.rstrip("=")
    with pytest.raises(NoteRefused, match="not base64"):
        read_note(f"{name} {last[:-1]}{chr(ord(last[-1]) + 1)}{'=' * (len(odd) - len(last))}\n\n".encode()[:-1])
    with pytest.raises(NoteRefused, match="not base64"):
        read_note("x\n\n\N{EM DASH} name \u00e9\n".encode())
