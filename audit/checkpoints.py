"""Checkpoints as of C2SP's tlog-checkpoint: the log's size and root in a signed note, to be kept where the log is not.

Whoever holds an old one can have it proved that the log of today still begins with the log of then. Reading and
checking need only Python's standard library.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from audit.merkle import HASH_BYTES
from audit.notes import Note, NoteRefused, SignatureType, VerifierKey, Vouched, decode64, read_note, verified
from audit.proofs import MAX_TREE_SIZE

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
LINES = 3  # origin, size, root; more are extensions, which we neither write nor trust


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`origin` names the log, whoever holds it; `root` is the RFC 9162 tree hash of its first `size` records."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """What a trusted note says, and who of the known keys has signed it."""

    checkpoint: Checkpoint
    note: Note
    by: tuple[Vouched, ...]


def open_checkpoint(data: bytes, keys: Sequence[VerifierKey], origin: str | None = None) -> SignedCheckpoint:
    """Reads a checkpoint that one of `keys` has signed, of the log `origin` if given. Raises `NoteRefused`.

    A log's key speaks for the log of its own name alone. A witness speaks for many: its word counts for those logs
    whose keys are known, and for any where none is.
    """
    note = read_note(data)
    by = verified(note, keys)
    checkpoint = read_text(note.text)
    if origin is not None and checkpoint.origin != origin:
        raise NoteRefused(f"a checkpoint of {checkpoint.origin!r}, not of {origin!r}")
    logs = {key.name for key in keys if key.type is SignatureType.ED25519}
    witnessed = any(each.key.type is SignatureType.COSIGNATURE for each in by)
    if checkpoint.origin not in logs and (logs or not witnessed):
        raise NoteRefused(f"a checkpoint of {checkpoint.origin!r}, and no known key is that log's")
    if not witnessed and checkpoint.origin not in {each.key.name for each in by}:
        raise NoteRefused(f"a checkpoint of {checkpoint.origin!r} that another log's key has signed")
    return SignedCheckpoint(checkpoint, note, by)


def read_text(text: str) -> Checkpoint:
    """The first three lines of a note's text. Raises `NoteRefused`."""
    lines = text.split("\n")[:-1]
    if len(lines) < LINES or not all(lines):
        raise NoteRefused("a checkpoint has three lines and no empty one: origin, size, root")
    if not _SIZE.fullmatch(lines[1]) or int(lines[1]) > MAX_TREE_SIZE:
        raise NoteRefused(f"the size {lines[1][:40]!r} is no decimal number of at most {MAX_TREE_SIZE}")
    try:
        root = decode64(lines[2])
    except ValueError as error:
        raise NoteRefused("the root is not base64") from error
    if len(root) != HASH_BYTES:
        raise NoteRefused(f"the root is not {HASH_BYTES} bytes in base64")
    return Checkpoint(lines[0], int(lines[1]), root)
