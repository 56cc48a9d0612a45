"""RFC 8785 JSON: what may go into a record, and whether stored bytes are in the one form that a value has.

The log writes with the `rfc8785` library. An auditor has nothing but Python's standard library, so the form is written
here once more, for reading; every record passes both before it is stored, and the tests hold them together.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from audit.errors import RecordRefused

JsonValue = Any
"""What `json.loads` gives. Checked when written, not by the type checker: readers know the shape of their payloads."""

MAX_DEPTH = 32
"""Levels of nesting. Evidence is shallow; deep nesting is an attack on recursive readers."""

MAX_SAFE_INTEGER = 2**53 - 1
"""RFC 8785 numbers are IEEE doubles: larger integers would silently change in other readers. Write them as strings."""


def plain(value: object, place: str, depth: int = 1) -> JsonValue:
    """A copy of `value` in dicts, lists and scalars, or `RecordRefused` with the first place that is none."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value, place)
    if isinstance(value, int | float):
        return _number(value, place)
    if depth > MAX_DEPTH:
        raise RecordRefused(place, f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return {text(k, place): plain(v, _below(place, k), depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{place}/{position}", depth + 1) for position, item in enumerate(value)]
    raise RecordRefused(place, f"{type(value).__name__} is not JSON")


def plain_and_written(value: object) -> tuple[JsonValue, bytes] | None:
    """The copy that `plain` makes, with what Python's own encoder writes of it, which is the canonical form of nearly
    all that is given to a log: in C, a tenth of the time. None where something in it may be no plain JSON."""
    try:
        form = STRICT.encode(value)
        copy, end = _ORDINARY.raw_decode(form)
        if end == len(form) and copy == value and _nests_within(copy, MAX_DEPTH):
            return copy, form.encode()
    except (_NotOrdinary, TypeError, ValueError, RecursionError):
        return None
    return None


def _nests_within(value: JsonValue, levels: int) -> bool:
    kind = type(value)
    if kind is not dict and kind is not list:
        return True
    if not levels:
        return False
    for each in value.values() if kind is dict else value:
        inner = type(each)
        if (inner is dict or inner is list) and not _nests_within(each, levels - 1):
            return False
    return True


def text(value: object, place: str) -> str:
    """A string that has a UTF-8 form: Python's strings may hold lone surrogates, which have none."""
    if not isinstance(value, str):
        raise RecordRefused(place, f"{type(value).__name__} where a string belongs")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RecordRefused(place, f"lone surrogate at character {error.start}") from error
    return str.__str__(value)


def _number(value: int | float, place: str) -> int | float:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise RecordRefused(place, f"{value} has no JSON form")
        return float(value)
    if abs(value) > MAX_SAFE_INTEGER:
        raise RecordRefused(place, "integer beyond 2^53-1 is not exact in JSON; write it as a string")
    return int(value)


def _below(place: str, key: object) -> str:
    return f"{place}/{str(key).replace('~', '~0').replace('/', '~1')}"


def write(value: JsonValue) -> bytes:
    """The canonical form of a value that has passed `plain`."""
    return encode(value).encode()


def read(body: bytes) -> JsonValue:
    """The value of canonical bytes; anything else, even other bytes of the same value, is `RecordRefused`."""
    try:
        form = body.decode()
        try:
            value, canonical_form = _read_ordinary(form)
        except _NotOrdinary:
            value = _EXACT.decode(form)
            canonical_form = encode(value)
    except (ValueError, RecursionError) as error:
        raise RecordRefused("", f"not canonical JSON: {error}") from error
    if form != canonical_form:
        raise RecordRefused("", "not canonical JSON: the same value has another form")
    return value


class _NotOrdinary(Exception):
    """RFC 8785's form may differ from that of Python's own, much faster encoder."""


def _read_ordinary(form: str) -> tuple[JsonValue, str]:
    """They agree but for numbers that need care and for the order of keys outside the Basic Multilingual Plane."""
    if not form.isascii():
        raise _NotOrdinary
    value, end = _ORDINARY.raw_decode(form)  # which lets no white space pass, so that nothing need be stripped
    if end != len(form):
        raise ValueError(f"extra data at character {end}")
    return value, _PYTHON.encode(value)


def _ordinary_int(token: str) -> int:
    if len(token) > 15:
        raise _NotOrdinary
    return int(token)


def _ordinary_float(token: str) -> float:
    value = float(token)
    if repr(value) != token or "e" in token or token.endswith(".0"):
        raise _NotOrdinary
    return value


def _exact_int(token: str) -> int | float:
    value = int(token)
    return value if abs(value) <= MAX_SAFE_INTEGER else float(token)


def _refuse_constant(token: str) -> NoReturn:
    raise ValueError(f"{token} is not JSON")


_ORDINARY = json.JSONDecoder(parse_int=_ordinary_int, parse_float=_ordinary_float, parse_constant=_refuse_constant)
_EXACT = json.JSONDecoder(parse_int=_exact_int, parse_constant=_refuse_constant)
_PYTHON = json.JSONEncoder(sort_keys=True, ensure_ascii=False, check_circular=False, separators=(",", ":"))
STRICT = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
)


def encode(value: JsonValue) -> str:
    """RFC 8785 by the standard library alone."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{encode(key)}:{encode(item)}" for key, item in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(encode, value)) + "]"
    if isinstance(value, float):
        return _ecmascript_number(value)
    return json.dumps(value, ensure_ascii=False)


def _ecmascript_number(value: float) -> str:
    """ECMA-262 Number::toString: Python finds the same shortest digits and only places the point elsewhere."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)  # digits before the decimal point
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"
