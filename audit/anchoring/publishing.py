"""Signs the log as it is and has it kept, with the care that this takes: what does not extend what was signed before
is never signed, at no place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from audit.anchoring.anchor import Anchor, AnchorUnavailable
from audit.checkpoints import Checkpoint, SignedCheckpoint, open_checkpoint
from audit.errors import LogError
from audit.log import Log
from audit.notes import Note, VerifierKey
from audit.proofs import ProofRefused, verify_consistency
from audit.signing import Signer


class NotAnExtension(LogError):
    """The log does not begin as an earlier checkpoint says: it was cut off, rolled back or rewritten. Never signed."""


@dataclass(frozen=True, slots=True)
class Published:
    """The checkpoint, the places that could not keep it now, with why, and what they say was taken from them before:
    they keep what is new all the same, but a person has to hear of it."""

    note: Note
    size: int
    away: tuple[tuple[str, AnchorUnavailable], ...] = ()
    lost: tuple[str, ...] = ()


def checkpoint(
    log: Log,
    signer: Signer,
    anchors: Sequence[Anchor] = (),
    earlier_keys: Sequence[VerifierKey] = (),
    cosigned: Callable[[Note], Note] = lambda note: note,
) -> Published:
    """Signs the log as it is now and has it kept, if the log still begins as every place says that can be asked.

    A place that is away is told and stops nothing: the next checkpoint covers what this one would have. `cosigned` adds
    what witnesses say. Raises NotAnExtension, the log's own faults, and `notes.NoteRefused` for a kept checkpoint that
    neither the signer's key nor one of `earlier_keys` has signed.
    """
    size = log.size()
    now = Checkpoint(signer.key.name, size, log.root(size))
    away: list[tuple[str, AnchorUnavailable]] = []
    lost: list[str] = []
    behind: list[Anchor] = []
    standing: SignedCheckpoint | None = None
    for anchor in anchors:
        try:
            kept = anchor.newest()
            lost += _taken_away(anchor)
        except AnchorUnavailable as fault:
            away.append((anchor.name, fault))
            continue
        before = None if kept is None else open_checkpoint(kept, [signer.key, *earlier_keys], signer.key.name)
        if before is not None and before.checkpoint == now:
            standing = before
            continue
        if before is not None:
            _must_extend(before.checkpoint, now, log, anchor.name)
        behind.append(anchor)
    if standing is not None and not behind:
        return Published(standing.note, size, tuple(away), tuple(lost))
    note = cosigned(signer.sign(now))
    for anchor in behind:
        try:
            anchor.keep(size, str(note).encode())
        except AnchorUnavailable as fault:
            away.append((anchor.name, fault))
    return Published(note, size, tuple(away), tuple(lost))


def _taken_away(anchor: Anchor) -> list[str]:
    gone = anchor.gone()
    return [f"{anchor.name}: kept checkpoints were deleted there: {len(gone)}, the first {gone[0]}"] if gone else []


def _must_extend(old: Checkpoint, now: Checkpoint, log: Log, place: str) -> None:
    if old.size > now.size:
        raise NotAnExtension(f"the log has {now.size} records, and had {old.size} when {place} kept a checkpoint")
    try:
        if old.size:
            proof = log.consistency_proof(old.size, now.size)
            verify_consistency(old.size, old.root, now.size, now.root, proof)
    except ProofRefused as refusal:
        kept = f"the first {old.size} records are not those of the checkpoint that {place} keeps"
        raise NotAnExtension(f"{kept}: {refusal}") from refusal
    if old.size == now.size and old.root != now.root:
        raise NotAnExtension(f"the {old.size} records are not those of the checkpoint that {place} keeps")
