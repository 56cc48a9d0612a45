"""Checkpoints: what a signed one proves, who may have signed it, and what is refused. The formats are C2SP's."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, strategies as st

from audit import ed25519
from audit.checkpoints import Checkpoint, open_checkpoint, read_text
from audit.log import Log
from audit.notes import KeyRefused, Note, NoteRefused, SignatureType, VerifierKey, read_key, read_note, verified
from audit.signing import Signer, load_key, new_key

ROOT = Path(__file__).parents[2]
ORIGIN = "example.com/gpu-cluster"

# Published with golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

# RFC 8032 section 7.1: secret key, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key(ORIGIN, SignatureType.ED25519, tmp_path / "log.key")


@pytest.fixture
def witness(tmp_path: Path) -> Signer:
    return new_key("witness.example/w1", SignatureType.COSIGNATURE, tmp_path / "witness.key")


def checkpoint(size: int = 3, origin: str = ORIGIN) -> Checkpoint:
    return Checkpoint(origin, size, bytes(range(32)))


def note_bytes(note: Note) -> bytes:
    return str(note).encode()


# --- Ed25519, with nothing but Python -------------------------------------------------------------------------------


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032_verify(secret: str, public: str, message: str, signature: str) -> None:
    ed25519.verify(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))
    made = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).sign(bytes.fromhex(message))
    assert made.hex() == signature


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.data())
def test_it_says_what_the_library_says(seed: bytes, message: bytes, data: st.DataObject) -> None:
    """Good signatures, and signatures, keys and messages with one bit flipped."""
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    parts = {"public": public, "message": message, "signature": signature}
    part = data.draw(st.sampled_from(["none", *(name for name, value in parts.items() if value)]))
    if part != "none":
        parts[part] = _flipped(parts[part], data.draw(st.integers(0, len(parts[part]) * 8 - 1)))
    try:
        Ed25519PublicKey.from_public_bytes(parts["public"]).verify(parts["signature"], parts["message"])
        good = True
    except InvalidSignature:
        good = False
    if good:
        ed25519.verify(**{"public_key": parts["public"], "message": message, "signature": parts["signature"]})
    else:
        with pytest.raises(ed25519.SignatureRefused):
            ed25519.verify(parts["public"], parts["message"], parts["signature"])


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_a_signature_that_is_moved_by_the_groups_order_is_refused() -> None:
    """Else everybody could make a second good signature of a first (RFC 8032 section 5.1.7)."""
    _, public, message, signature = (bytes.fromhex(part) for part in RFC_8032[1])
    moved = int.from_bytes(signature[32:], "little") + ed25519.L
    with pytest.raises(ed25519.SignatureRefused, match="order"):
        ed25519.verify(public, message, signature[:32] + moved.to_bytes(32, "little"))


# --- notes ----------------------------------------------------------------------------------------------------------


def test_a_note_of_the_go_tools_verifies() -> None:
    (vouched,) = verified(read_note(GO_NOTE.encode()), [read_key(GO_KEY)])
    assert str(vouched.key) == GO_KEY


def test_one_changed_letter_is_refused() -> None:
    with pytest.raises(NoteRefused, match="PeterNeumann is bad"):
        verified(read_note(GO_NOTE.replace("cryptography", "Cryptography").encode()), [read_key(GO_KEY)])


def test_signatures_of_strangers_are_ignored_and_do_not_count(signer: Signer, witness: Signer) -> None:
    note = signer.sign(checkpoint())
    both = Note(note.text, (witness.cosign(note.text, 1_700_000_000), *note.signatures))
    assert [vouched.key for vouched in verified(both, [signer.key])] == [signer.key]
    with pytest.raises(NoteRefused, match="no known key"):
        verified(both, [read_key(GO_KEY)])


def test_a_bad_signature_of_a_known_key_spoils_the_note(signer: Signer, witness: Signer) -> None:
    """A good one beside it does not make it better."""
    note, other = signer.sign(checkpoint()), signer.sign(checkpoint(4))
    forged = Note(note.text, (*other.signatures, witness.cosign(note.text, 0)))
    with pytest.raises(NoteRefused, match="is bad"):
        verified(forged, [signer.key, witness.key])


def test_a_witness_says_when_and_the_time_is_signed(signer: Signer, witness: Signer) -> None:
    note = signer.sign(checkpoint())
    line = witness.cosign(note.text, 1_700_000_000)
    (_, by_witness) = verified(Note(note.text, (*note.signatures, line)), [signer.key, witness.key])
    assert by_witness.time_s == 1_700_000_000
    later = type(line)(line.name, line.key_id, (1_700_000_001).to_bytes(8, "big") + line.value[8:])
    with pytest.raises(NoteRefused, match=r"witness\.example/w1 is bad"):
        verified(Note(note.text, (*note.signatures, later)), [signer.key, witness.key])


def test_a_key_of_one_kind_is_no_key_of_the_other(signer: Signer) -> None:
    """Its id contains the kind, so a cosigning key never verifies a log's signature."""
    posing = VerifierKey(signer.key.name, SignatureType.COSIGNATURE, signer.key.public)
    with pytest.raises(NoteRefused, match="no known key"):
        verified(signer.sign(checkpoint()), [posing])


def test_after_a_rotation_old_checkpoints_verify_by_the_old_key_and_new_ones_by_the_new(tmp_path: Path) -> None:
    old = new_key(ORIGIN, SignatureType.ED25519, tmp_path / "old.key")
    new = new_key(ORIGIN, SignatureType.ED25519, tmp_path / "new.key")
    keys = [old.key, new.key]
    assert open_checkpoint(note_bytes(old.sign(checkpoint(3))), keys).by[0].key == old.key
    assert open_checkpoint(note_bytes(new.sign(checkpoint(9))), keys).by[0].key == new.key
    with pytest.raises(NoteRefused, match="no known key"):
        open_checkpoint(note_bytes(old.sign(checkpoint(9))), [new.key])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no signatures"),
        (b"text\n", "no signatures"),
        (b"text\n\n", "no signatures"),
        (b"text\n\nnot a signature\n", "not a signature line"),
        ("text\n\n— name !!!!\n".encode(), "not base64"),
        ("text\n\n— name AAAA\n".encode(), "too short"),
        ("text\n\n— a+b AAAAAAAA\n".encode(), "not a signature line"),
        ("te\txt\n\n— name AAAAAAAA\n".encode(), "control character"),
        (b"\xff\n\n", "not UTF-8"),
        (b"x" * 70_000, "at most 65536 bytes"),
        (("text\n\n" + "— name AAAAAAAA\n" * 65).encode(), "more than 64 signatures"),
    ],
)
def test_what_is_no_note(data: bytes, why: str) -> None:
    with pytest.raises(NoteRefused, match=why):
        read_note(data)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        note = read_note(data)
    except NoteRefused:
        return
    assert str(note).encode() == data or note.signatures


# --- checkpoints ----------------------------------------------------------------------------------------------------


def test_a_checkpoint_reads_as_the_specification_writes_it() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    read = read_text(text)
    assert (read.origin, read.size, read.text) == ("example.com/behind-the-sofa", 20852163, text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("log\n3\n", "three lines"),
        ("log\n\n3\nAAAA\n", "three lines"),
        ("log\n03\n" + "A" * 43 + "=\n", "no decimal number"),
        ("log\n-1\n" + "A" * 43 + "=\n", "no decimal number"),
        ("log\n9999999999999999999\n" + "A" * 43 + "=\n", "no decimal number"),
        ("log\n3\nAAAA\n", "32 bytes"),
        ("log\n3\n" + "A" * 42 + "B=\n", "not base64"),
        ("log\n3\n????\n", "not base64"),
    ],
)
def test_what_is_no_checkpoint(text: str, why: str) -> None:
    with pytest.raises(NoteRefused, match=why):
        read_text(text)


def test_a_checkpoint_of_another_log_is_refused(signer: Signer) -> None:
    with pytest.raises(NoteRefused, match=r"of 'example.com/gpu-cluster', not of 'example.com/other'"):
        open_checkpoint(note_bytes(signer.sign(checkpoint())), [signer.key], "example.com/other")


def test_a_signed_checkpoint_of_a_log_is_what_the_log_says(signer: Signer, log: Log) -> None:
    for number in range(5):
        log.append("incident", actor="agent", payload={"number": number})
    note = signer.sign(Checkpoint(ORIGIN, log.size(), log.root()))
    opened = open_checkpoint(note_bytes(note), [signer.key], ORIGIN).checkpoint
    assert (opened.size, opened.root) == (5, log.root(5))


def test_an_auditor_with_nothing_but_python_holds_a_log_against_a_checkpoint(
    signer: Signer, log: Log, path: Path, tmp_path: Path
) -> None:
    """The log may grow after it; a log with another beginning, or a shorter one, is found."""
    log.append("incident", actor="agent", payload={"number": 1})
    kept = tmp_path / "checkpoint"
    kept.write_bytes(note_bytes(signer.sign(Checkpoint(ORIGIN, log.size(), log.root()))))
    log.append("incident", actor="agent", payload={"number": 2})
    assert _audit(path, kept, signer.key).returncode == 0
    with Log.open(tmp_path / "rewritten.db") as rewritten:
        rewritten.append("incident", actor="agent", payload={"number": 7})
        found = _audit(tmp_path / "rewritten.db", kept, signer.key)
        assert found.returncode == 1
        assert "root_differs" in found.stdout
    Log.open(tmp_path / "empty.db").close()
    found = _audit(tmp_path / "empty.db", kept, signer.key)
    assert found.returncode == 1
    assert "keeps a checkpoint of 1" in found.stdout


def test_a_checkpoint_that_a_stranger_signed_anchors_nothing(
    signer: Signer, log: Log, path: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "checkpoint"
    kept.write_bytes(note_bytes(signer.sign(Checkpoint(ORIGIN, log.size(), log.root()))))
    found = _audit(path, kept, read_key(GO_KEY))
    assert found.returncode == 1
    assert "signed by no known key [checkpoint_refused]" in found.stdout


def _audit(log: Path, checkpoint: Path, key: VerifierKey) -> subprocess.CompletedProcess[str]:
    """Without site packages: an auditor has only Python and this folder."""
    command = [
        sys.executable,
        "-S",
        "-E",
        "-m",
        "audit.fsck",
        str(log),
        "--checkpoint",
        str(checkpoint),
        "--key",
        str(key),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


# --- keys -----------------------------------------------------------------------------------------------------------


def test_a_key_file_is_its_owners_alone_and_is_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "log.key"
    made = new_key(ORIGIN, SignatureType.ED25519, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_key(file).key == made.key
    with pytest.raises(FileExistsError):
        new_key(ORIGIN, SignatureType.ED25519, file)
    file.chmod(0o640)
    with pytest.raises(KeyRefused, match="read by others"):
        load_key(file)


def test_no_secret_is_told(tmp_path: Path) -> None:
    file = tmp_path / "log.key"
    signer = new_key(ORIGIN, SignatureType.ED25519, file)
    secret = file.read_text(encoding="utf-8").strip().split("+", 4)[4]  # base64 has pluses of its own
    assert secret not in repr(signer)
    file.write_text(f"PRIVATE+KEY+{ORIGIN}+00000000+{secret}\n", encoding="utf-8")
    with pytest.raises(KeyRefused, match="does not belong") as refused:
        load_key(file)
    assert secret not in str(refused.value)
    file.write_text(f"{secret[1:]}\n", encoding="utf-8")
    with pytest.raises(KeyRefused, match="no private key") as refused:
        load_key(file)
    assert secret[1:] not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "a", "a+b", "a+00000000+AA==", f"{GO_KEY[:-4]}AAAA", GO_KEY.replace("c74f20a3", "c74f20a4"), "+1+AQ=="]
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(KeyRefused):
        read_key(text)


def test_a_name_must_be_one_word_without_a_plus(tmp_path: Path) -> None:
    for name in ("", "two words", "a+b", "tab\there"):
        with pytest.raises(KeyRefused, match="no name of a key"):
            new_key(name, SignatureType.ED25519, tmp_path / "log.key")
