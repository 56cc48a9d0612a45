"""Where checkpoints are kept that the log's operator cannot quietly change, and the care with which one is signed.

An anchor is worth as much as the place is out of reach of whoever could rewrite the log. A folder is the simplest: a
mounted write-once share, or one that another system copies away.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from audit.checkpoints import Checkpoint, SignedCheckpoint, open_checkpoint
from audit.errors import LogError
from audit.log import Log
from audit.notes import Note, VerifierKey
from audit.proofs import ProofRefused, verify_consistency
from audit.signing import Signer

SUFFIX = ".checkpoint"
DIGITS = 19
"""Of the largest size: names sort as sizes do."""


class AnchorUnavailable(LogError):
    """The place could not be read or written. Nothing was kept."""


class NotAnExtension(LogError):
    """The log does not begin as an earlier checkpoint says: it was cut off, rolled back or rewritten. Never signed."""


class Anchor(Protocol):
    """Keeps signed checkpoints, the newest at hand. Both raise AnchorUnavailable."""

    def newest(self) -> bytes | None: ...

    def keep(self, size: int, note: bytes) -> None:
        """Durable on return. Keeping the same twice is harmless; another note of the same size is refused."""
        ...


class FolderAnchor:
    """One file for each size, never written over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self) -> bytes | None:
        try:
            found = sorted(self._folder.glob(f"*{SUFFIX}"))
            return found[-1].read_bytes() if found else None
        except OSError as error:
            raise AnchorUnavailable(f"{self._folder}: {error}") from error

    def keep(self, size: int, note: bytes) -> None:
        file = self._folder / f"{size:0{DIGITS}d}{SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(file, note)
        except OSError as error:
            raise AnchorUnavailable(f"{file}: {error}") from error

    def _write(self, file: Path, note: bytes) -> None:
        """Whole or not at all, and only where there is none: a link does not replace what is there."""
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        with draft.open("wb") as opened:
            opened.write(note)
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            if file.read_bytes() != note:
                raise
        finally:
            draft.unlink()
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def checkpoint(log: Log, signer: Signer, anchor: Anchor, earlier_keys: Sequence[VerifierKey] = ()) -> Note:
    """Signs the log as it is now and keeps the checkpoint, if the log still begins as the newest kept one says.

    Raises NotAnExtension, AnchorUnavailable, the log's own faults, and `notes.NoteRefused` for a kept checkpoint that
    neither the signer's key nor one of `earlier_keys` has signed.
    """
    kept = anchor.newest()
    size = log.size()
    now = Checkpoint(signer.key.name, size, log.root(size))
    if kept is not None:
        before = open_checkpoint(kept, [signer.key, *earlier_keys], signer.key.name)
        if before.checkpoint == now:
            return before.note
        _must_extend(before, now, log)
    note = signer.sign(now)
    anchor.keep(size, str(note).encode())
    return note


def _must_extend(before: SignedCheckpoint, now: Checkpoint, log: Log) -> None:
    old = before.checkpoint
    if old.size > now.size:
        raise NotAnExtension(f"the log has {now.size} records, and had {old.size} when a checkpoint was signed")
    try:
        if old.size:
            proof = log.consistency_proof(old.size, now.size)
            verify_consistency(old.size, old.root, now.size, now.root, proof)
    except ProofRefused as refusal:
        raise NotAnExtension(f"the first {old.size} records are not those of the checkpoint: {refusal}") from refusal
