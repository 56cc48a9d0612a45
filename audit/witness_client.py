"""Asks a witness to cosign a checkpoint. What it answers counts only if its known key signed it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import httpx

from audit.checkpoints import read_text
from audit.errors import LogError, NoSuchRecord
from audit.log import Log
from audit.notes import Note, NoteRefused, Signature, VerifierKey, read_key, read_note, verified
from audit.witness import write_request

TIMEOUT_S = 10.0
"""A witness checks one proof and writes one row."""

_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n", re.ASCII)
OK, CONFLICT = 200, 409


class NotCosigned(LogError):
    """The witness was not reached, or would not. Nothing is lost: the checkpoint stands without it."""


def cosignature(client: httpx.Client, url: str, key: VerifierKey, log: Log, note: Note) -> Signature:
    """The witness's line for this checkpoint of this log. Raises NotCosigned.

    The witness says which size it saw last; the proof from there is made from the log as it is.
    """
    answer = _ask(client, url, log, note, 0)
    told = _SIZE.fullmatch(answer.text)
    if answer.status_code == CONFLICT and told and int(told[1]):
        answer = _ask(client, url, log, note, int(told[1]))
    if answer.status_code != OK:
        raise NotCosigned(f"{url} answered {answer.status_code}: {answer.text.strip()[:200]}")
    try:
        signed = read_note(note.text.encode() + b"\n" + answer.content)
        verified(signed, [key])
    except NoteRefused as refusal:
        raise NotCosigned(f"{url} answered with no cosignature of {key.name}: {refusal}") from refusal
    return next(line for line in signed.signatures if (line.name, line.key_id) == (key.name, key.id))


def all_cosigned(
    client: httpx.Client, witnesses: Sequence[tuple[str, VerifierKey]], log: Log, note: Note
) -> tuple[Note, list[NotCosigned]]:
    """The note with the lines of those who would, and why the others would not."""
    lines, refused = list(note.signatures), []
    for url, key in witnesses:
        try:
            lines.append(cosignature(client, url, key, log, note))
        except NotCosigned as fault:
            refused.append(fault)
    return Note(note.text, tuple(lines)), refused


def witness_of(text: str) -> tuple[str, VerifierKey]:
    """URL=VKEY. Raises KeyRefused."""
    url, _, key = text.partition("=")
    return url, read_key(key)


def _ask(client: httpx.Client, url: str, log: Log, note: Note, old_size: int) -> httpx.Response:
    size = read_text(note.text).size
    try:
        proof = log.consistency_proof(old_size, size) if old_size else []
    except NoSuchRecord as error:
        raise NotCosigned(f"{url} saw {old_size} records of this log, which has {size}") from error
    try:
        return client.post(f"{url.rstrip('/')}/add-checkpoint", content=write_request(old_size, proof, str(note)))
    except httpx.HTTPError as error:
        raise NotCosigned(f"{url}: {error}") from error
