"""One line of an export, read as strictly as it was written. Part of `audit.bundle`; standard library alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from audit.merkle import HASH_BYTES
from audit.sealing import SALT_BYTES, Part

_STUB, _DAMAGED, _WHOLE, _PROVED = {"leaf"}, {"leaf", "damaged"}, {"leaf", "record"}, {"proof", "record"}
_FORMS = (_STUB, _DAMAGED, _WHOLE, _WHOLE | {"opened"}, _PROVED, _PROVED | {"opened"})
"""The members that a line has."""


@dataclass
class Line:
    """One line as it stands, believed in nothing."""

    text: str | None = None
    leaf: bytes | None = None
    proof: list[bytes] | None = None
    parts: tuple[Part, ...] = ()
    damaged: bool = False


def read_line(line: str) -> Line | None:
    """None for a line that has not exactly the members of one of the forms, each once: a reader of the file would
    believe what we had not looked at."""
    try:
        value: Any = json.loads(line, object_pairs_hook=_once)
        if value.keys() not in _FORMS:
            return None
        leaf = _hash(value["leaf"]) if "leaf" in value else None
        if "record" not in value:
            return Line(leaf=leaf, damaged="damaged" in value) if value.get("damaged", True) is True else None
        proof = [_hash(each) for each in value["proof"]] if "proof" in value else None
        parts = tuple(_part(place, told) for place, told in value.get("opened", {}).items())
        return Line(_text(value["record"]), leaf, proof, parts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands there twice")
    return members


def _part(place: str, told: dict[str, Any]) -> Part:
    if told.keys() != {"salt", "text"}:
        raise ValueError("other members than salt and text")
    return Part(place, _hash(told["salt"], SALT_BYTES), _text(told["text"]))


def _hash(text: str, size: int = HASH_BYTES) -> bytes:
    """In the one form that is written: `fromhex` would take spaces and capitals, too."""
    value = bytes.fromhex(text)
    if len(value) != size or value.hex() != text:
        raise ValueError(f"not {size} bytes in hex")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
