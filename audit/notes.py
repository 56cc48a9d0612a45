"""Signed notes as of C2SP's signed-note: a text, and under it who vouches for it.

Reading and checking need only Python's standard library. A note is untrusted until `verified` has found the signature
of a key that the reader knew before; signatures of unknown keys are ignored, as the specification asks, which is what
makes rotation of keys and cosigning by witnesses possible.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from audit import ed25519

MAX_NOTE_BYTES = 64 * 1024
"""A checkpoint has about 200 bytes and 100 for each signature; more is no note of ours."""

MAX_SIGNATURES = 64
"""The specification asks for at least 16."""

KEY_ID_BYTES = 4
DASH = "\N{EM DASH} "


class NoteRefused(Exception):
    """These bytes are no note, or nobody known has signed it."""


class KeyRefused(ValueError):
    """This is no verifier key of a kind that we know."""


class SignatureType(IntEnum):
    """C2SP's identifier of the algorithm, inside the key's id: a key of one type never verifies as another."""

    ED25519 = 0x01
    COSIGNATURE = 0x04  # Ed25519 with a time, as witnesses sign (C2SP tlog-cosignature)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name, as `name+id+base64`, the form that the ecosystem calls a vkey."""

    name: str
    type: SignatureType
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.type]) + self.public).decode()}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One line under a note. `value` is without the key's id."""

    name: str
    key_id: bytes
    value: bytes

    def __str__(self) -> str:
        return f"{DASH}{self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """`text` ends with a newline."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(map(str, self.signatures))


@dataclass(frozen=True, slots=True)
class Vouched:
    """A key whose signature was found good; a cosignature says when it was made, in seconds since the epoch."""

    key: VerifierKey
    time_s: int | None = None


def read_key(text: str) -> VerifierKey:
    """Reads a vkey, or raises `KeyRefused`."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or not good_name(parts[0]):
        raise KeyRefused(f"not of the form name+id+base64: {text[:80]!r}")
    try:
        data = decode64(parts[2])
        key = VerifierKey(parts[0], SignatureType(data[0]), data[1:])
    except (IndexError, ValueError) as error:
        raise KeyRefused(f"the key of {parts[0]} cannot be read: {error}") from error
    if len(key.public) != ed25519.PUBLIC_KEY_BYTES:
        raise KeyRefused(f"the key of {key.name} has {len(key.public)} bytes, not {ed25519.PUBLIC_KEY_BYTES}")
    if key.id.hex() != parts[1].lower():
        raise KeyRefused(f"the key of {key.name} has the id {key.id.hex()}, not {parts[1]}")
    try:
        ed25519.check_key(key.public)
    except ed25519.SignatureRefused as refusal:
        raise KeyRefused(f"the key of {key.name} is none: {refusal}") from refusal
    return key


def decode64(text: str) -> bytes:
    """Only what encoding would give: `b64decode` lets bits stand at the end that mean nothing. Raises ValueError."""
    value = base64.b64decode(text, validate=True)
    if base64.b64encode(value).decode() != text:
        raise ValueError("bits at the end that mean nothing")
    return value


def good_name(name: str) -> bool:
    """Names are one word without a plus."""
    return bool(name) and "+" not in name and not any(char.isspace() or char < " " for char in name)


def read_note(data: bytes) -> Note:
    """Splits text from signatures and checks nothing but the form. Raises `NoteRefused`."""
    if len(data) > MAX_NOTE_BYTES:
        raise NoteRefused(f"a note has at most {MAX_NOTE_BYTES} bytes, not {len(data)}")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteRefused(f"not UTF-8: {error.reason}") from error
    if any(char < " " and char != "\n" for char in whole):
        raise NoteRefused("a control character")
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise NoteRefused("no signatures under a blank line")
    signatures = tuple(_signature(line) for line in lines[:-1].split("\n"))
    if len(signatures) > MAX_SIGNATURES:
        raise NoteRefused(f"more than {MAX_SIGNATURES} signatures")
    return Note(text + "\n", signatures)


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(DASH).partition(" ")
    if not line.startswith(DASH) or not space or not good_name(name):
        raise NoteRefused(f"not a signature line: {line[:80]!r}")
    try:
        value = decode64(encoded)
    except ValueError as error:
        raise NoteRefused(f"the signature of {name} is not base64") from error
    if len(value) <= KEY_ID_BYTES:
        raise NoteRefused(f"the signature of {name} is too short")
    return Signature(name, value[:KEY_ID_BYTES], value[KEY_ID_BYTES:])


def verified(note: Note, keys: Sequence[VerifierKey]) -> tuple[Vouched, ...]:
    """Who of `keys` has signed, in the order of the note.

    Raises `NoteRefused` if a signature under a known key's name and id is bad, or if none of them has signed.
    """
    known = {(key.name, key.id): key for key in keys}
    found: list[Vouched] = []
    for signature in note.signatures:
        key = known.pop((signature.name, signature.key_id), None)
        if key is not None:
            found.append(_vouched(note, signature, key))
    if not found:
        raise NoteRefused("signed by no known key")
    return tuple(found)


def _vouched(note: Note, signature: Signature, key: VerifierKey) -> Vouched:
    try:
        if key.type is SignatureType.ED25519:
            ed25519.verify(key.public, note.text.encode(), signature.value)
            return Vouched(key)
        time_s = int.from_bytes(signature.value[:TIME_BYTES], "big")
        ed25519.verify(key.public, cosigned(note.text, time_s), signature.value[TIME_BYTES:])
    except ed25519.SignatureRefused as refusal:
        raise NoteRefused(f"the signature of {key.name} is bad: {refusal}") from refusal
    return Vouched(key, time_s)


TIME_BYTES = 8


def cosigned(text: str, time_s: int) -> bytes:
    """What a witness signs: when, and the note's whole text (C2SP tlog-cosignature)."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()
