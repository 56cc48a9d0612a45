"""What every persisted noun shares: frozen, strict about unknown keys, and one canonical JSON form.

The canonical form is RFC 8785, because digests must not depend on the order of keys or the spelling of numbers.
"""

import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import rfc8785
from pydantic import BaseModel, ConfigDict

EXACT_DIGITS = 15  # of a number that is the same as a whole number and as a double
Json = Any  # a JSON value: dict, list, str, int, float, bool or None


class Noun(BaseModel):
    """A frozen value object; unknown keys are refused, so a typing error in a file or a model's answer is seen."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def json_object(self) -> dict[str, Any]:
        """The noun as plain JSON, by its public names (as it is recorded and shown)."""
        return self.model_dump(mode="json", by_alias=True)


def digest_of(value: Json) -> str:
    """SHA-256 (hex) of the RFC 8785 form of `value`; raises rfc8785.CanonicalizationError for what JSON cannot say."""
    return hashlib.sha256(canonical(value)).hexdigest()


def canonical(value: Json) -> bytes:
    """The RFC 8785 form. Python's own encoder, written in C, has it for most values: those of which nothing was made
    into something else, whose numbers need no care and whose keys sort alike in UTF-16. The library has it for all."""
    with suppress(_NotOrdinary, TypeError, ValueError, RecursionError):
        form = _ENCODER.encode(value)
        if _in_basic_plane(form) and _DECODER.decode(form) == value:
            return form.encode()
    return rfc8785.dumps(value)


class _NotOrdinary(Exception):
    """The two forms may differ."""


def _ordinary_int(token: str) -> int:
    if len(token) > EXACT_DIGITS:
        raise _NotOrdinary
    return int(token)


def _ordinary_float(token: str) -> float:
    if "e" in token or token.endswith(".0"):
        raise _NotOrdinary
    return float(token)


def _in_basic_plane(form: str) -> bool:
    """Raises UnicodeEncodeError, a ValueError, for halves of characters."""
    return form.isascii() or len(form.encode("utf-16-le")) == 2 * len(form)


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_int=_ordinary_int, parse_float=_ordinary_float)


def rfc3339(moment: datetime) -> str:
    """UTC, whole milliseconds only where there are any: '2026-11-02T09:00:00Z' or '…00.250Z'."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S") + (f".{utc.microsecond // 1000:03d}Z" if utc.microsecond >= 1000 else "Z")


def parse_rfc3339(text: str) -> datetime:
    """The moment that `text` names. Raises ValueError for a time without a zone: a local time is no evidence."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)
