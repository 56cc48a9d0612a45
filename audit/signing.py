"""Signs notes: the log its checkpoints, a witness what it has seen. The one file of this room that holds secrets.

A signer's key is one line, `PRIVATE+KEY+name+id+base64`, the form that the tools of Go's checksum database and of the
transparency logs use; it carries the key's name, so that a key cannot be used under another's. Checking signatures
needs none of this: see `audit.notes`.
"""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoints import Checkpoint
from audit.notes import (
    TIME_BYTES,
    KeyRefused,
    Note,
    Signature,
    SignatureType,
    VerifierKey,
    cosigned,
    decode64,
    good_name,
)

HEAD = "PRIVATE+KEY+"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
OWNER_ONLY = stat.S_IRUSR | stat.S_IWUSR


class Signer:
    """A private key with its name. Never prints itself."""

    def __init__(self, name: str, kind: SignatureType, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = VerifierKey(name, kind, private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"Signer({self.key})"

    def sign(self, checkpoint: Checkpoint) -> Note:
        """The checkpoint as a note with the log's own signature. A log signs under its own name: C2SP's origin."""
        if self.key.type is not SignatureType.ED25519:
            raise KeyRefused(f"{self.key.name} is a key for cosignatures")
        return self.sign_text(checkpoint.text)

    def sign_text(self, text: str) -> Note:
        """Any text of lines as a note, which nobody may be able to take for a checkpoint if it is none."""
        return Note(text, (Signature(self.key.name, self.key.id, self._private.sign(text.encode())),))

    def cosign(self, text: str, time_s: int) -> Signature:
        """A witness's line under a checkpoint that it has found consistent with all that it saw before."""
        if self.key.type is not SignatureType.COSIGNATURE:
            raise KeyRefused(f"{self.key.name} is no key for cosignatures")
        value = self._private.sign(cosigned(text, time_s))
        return Signature(self.key.name, self.key.id, time_s.to_bytes(TIME_BYTES, "big") + value)


def new_key(name: str, kind: SignatureType, file: Path) -> Signer:
    """Makes a key in a file that nobody else may read, and that was not there before. Raises KeyRefused, OSError."""
    if not good_name(name):
        raise KeyRefused(f"{name!r} is no name of a key: one word without a plus, such as example.com/gpu-cluster")
    signer = Signer(name, kind, Ed25519PrivateKey.generate())
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w", encoding="utf-8") as opened:
        opened.write(_line(signer) + "\n")
    return signer


def _line(signer: Signer) -> str:
    seed = signer._private.private_bytes_raw()
    encoded = base64.b64encode(bytes([signer.key.type]) + seed).decode()
    return f"{HEAD}{signer.key.name}+{signer.key.id.hex()}+{encoded}"


def load_key(file: Path) -> Signer:
    """Raises KeyRefused, which never repeats what the file says, and OSError."""
    if file.stat().st_mode & OTHERS:
        raise KeyRefused(f"{file} can be read by others; `chmod 600` it")
    parts = file.read_text(encoding="utf-8").strip().removeprefix(HEAD).split("+", 2)
    try:
        name, key_id, encoded = parts
        data = decode64(encoded)
        signer = Signer(name, SignatureType(data[0]), Ed25519PrivateKey.from_private_bytes(data[1:]))
    except (ValueError, IndexError) as error:
        raise KeyRefused(f"{file} holds no private key of the form {HEAD}name+id+base64") from error
    if signer.key.id.hex() != key_id:
        raise KeyRefused(f"{file}: the key's id does not belong to its name")
    return signer
