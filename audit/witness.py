"""A witness: signs that a log has only ever grown, as far as it has seen. C2SP's tlog-witness, without the HTTP.

It keeps one thing for each log: the size and root of the last checkpoint that it cosigned. A log that shows two faces,
or takes records back, cannot get both cosigned. Looking and remembering happen in one transaction, since two requests
at once could otherwise roll the memory back.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from audit.checkpoints import Checkpoint, open_checkpoint, read_text
from audit.merkle import HASH_BYTES, Frontier, root
from audit.notes import NoteRefused, VerifierKey, decode64, read_note
from audit.proofs import ProofRefused, verify_consistency
from audit.signing import Signer

MAX_PROOF_LINES = 63
"""C2SP: more would be a proof in a tree of more than 2^63 leaves."""

MAX_REQUEST_BYTES = 128 * 1024
"""Twice the largest note; the proof adds 3 KB."""

SIZE_TYPE = "text/x.tlog.size"
PLAIN = "text/plain; charset=utf-8"
NO_RECORDS = root(Frontier())
"""The root of an empty log. Nothing need be proved of it, so it is the one that has to be known."""

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the witness says, in HTTP's words."""

    status: int
    body: str
    content_type: str = PLAIN


class Refused(Exception):
    """Not cosigned; carries the answer."""

    def __init__(self, status: int, body: str, content_type: str = PLAIN) -> None:
        super().__init__(f"{status}: {body.strip()}")
        self.answer = Answer(status, body, content_type)


@dataclass(frozen=True, slots=True)
class Request:
    old_size: int
    proof: tuple[bytes, ...]
    note: bytes


class Seen(Protocol):
    """What is remembered of one log, inside one transaction."""

    def get(self, origin: str) -> Checkpoint | None: ...

    def put(self, checkpoint: Checkpoint) -> None: ...


Memory = Callable[[], AbstractContextManager[Seen]]
"""Opens the transaction: alone while it lasts, durable when it has been left without an exception."""


class Witness:
    """Knows some logs by their keys; each key's name is its log's origin."""

    def __init__(self, signer: Signer, logs: Sequence[VerifierKey], memory: Memory) -> None:
        self.key = signer.key
        self._signer = signer
        self._memory = memory
        self._logs: dict[str, list[VerifierKey]] = {}
        for key in logs:
            self._logs.setdefault(key.name, []).append(key)

    def add_checkpoint(self, body: bytes, now_s: int) -> Answer:
        """Answers one request of the protocol. `now_s` is the time that the cosignature says, since the epoch."""
        try:
            request = read_request(body)
            checkpoint = self._trusted(request.note)
            if request.old_size > checkpoint.size:
                raise Refused(400, f"old size {request.old_size} is above the checkpoint's {checkpoint.size}\n")
            if checkpoint.size == 0 and checkpoint.root != NO_RECORDS:
                raise Refused(422, "a tree of no records has one root, and it is another\n")
            with self._memory() as seen:
                _must_follow(seen.get(checkpoint.origin), request, checkpoint)
                seen.put(checkpoint)
        except Refused as refusal:
            return refusal.answer
        return Answer(200, str(self._signer.cosign(read_note(request.note).text, now_s)))

    def _trusted(self, data: bytes) -> Checkpoint:
        try:
            origin = read_text(read_note(data).text).origin
        except NoteRefused as refusal:
            raise Refused(400, f"{refusal}\n") from refusal
        if origin not in self._logs:
            raise Refused(404, "this log is not known here\n")
        try:
            return open_checkpoint(data, self._logs[origin]).checkpoint
        except NoteRefused as refusal:
            raise Refused(403, f"{refusal}\n") from refusal


def read_request(body: bytes) -> Request:
    """`old N`, proof lines, a blank line, the checkpoint. Raises Refused with 400."""
    if len(body) > MAX_REQUEST_BYTES:
        raise Refused(413, f"a request has at most {MAX_REQUEST_BYTES} bytes\n")
    head, blank, note = body.partition(b"\n\n")
    first, *lines = head.decode("utf-8", "replace").split("\n")
    old = _OLD.fullmatch(first)
    if not blank or old is None:
        raise Refused(400, "expected `old N`, the proof's lines, a blank line and a checkpoint\n")
    if len(lines) > MAX_PROOF_LINES:
        raise Refused(400, f"a proof has at most {MAX_PROOF_LINES} lines\n")
    return Request(int(old[1]), tuple(_hash(line) for line in lines), note)


def _hash(line: str) -> bytes:
    try:
        value = decode64(line)
    except ValueError as error:
        raise Refused(400, "a line of the proof is not base64\n") from error
    if len(value) != HASH_BYTES:
        raise Refused(400, f"a line of the proof is not {HASH_BYTES} bytes\n")
    return value


def write_request(old_size: int, proof: Sequence[bytes], note: str) -> bytes:
    """What a log sends: the other end of `read_request`."""
    lines = [f"old {old_size}", *(base64.b64encode(each).decode() for each in proof), "", note]
    return "\n".join(lines).encode()


def _must_follow(last: Checkpoint | None, request: Request, new: Checkpoint) -> None:
    size = last.size if last else 0
    if request.old_size != size:
        raise Refused(409, f"{size}\n", SIZE_TYPE)
    if last is not None and size == new.size and last.root != new.root:
        raise Refused(409, f"{size}\n", SIZE_TYPE)
    if last is None or size in (0, new.size):
        if request.proof:
            raise Refused(422, "there is nothing to prove, so the proof must be empty\n")
        return
    try:
        verify_consistency(size, last.root, new.size, new.root, request.proof)
    except ProofRefused as refusal:
        raise Refused(422, f"{refusal}\n") from refusal
