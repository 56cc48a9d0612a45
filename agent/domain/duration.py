"""Durations as people write them: `-2h`, `1h10m`, `26h20s`, `250ms`, `3d`, or a bare number of seconds."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

LONGEST_D = 3650  # ten years either way: more is a typing error, and datetime would overflow later and elsewhere

_N = r"\d+(?:\.\d+)?"
_UNITS_S = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = re.compile(rf"-?{_N}")
_FORM = re.compile(rf"-?(?=\d)({_N}d)?({_N}h)?({_N}m(?!s))?({_N}s)?({_N}ms)?")
_PART = re.compile(rf"({_N})(ms|[dhms])")


def parse_duration(value: object) -> timedelta:
    """Raises ValueError for anything else than a duration."""
    if isinstance(value, timedelta):
        return value
    seconds = _seconds(value)
    if abs(seconds) > LONGEST_D * _UNITS_S["d"]:
        raise ValueError(f"{value!r} is longer than {LONGEST_D} days")
    return timedelta(seconds=seconds)


def _seconds(value: object) -> float:
    text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if _NUMBER.fullmatch(text):
        return float(text)
    if not _FORM.fullmatch(text):
        raise ValueError(f"{value!r} is no duration; write for example -2h, 1h10m, 26h20s or 15s")
    total = sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))
    return -total if text.startswith("-") else total


def in_words(seconds: int) -> str:
    """As a person would say it: half an hour, 20 minutes, 2 hours."""
    usual = {600: "ten minutes", 1800: "half an hour", 3600: "an hour", 86400: "a day"}
    if seconds in usual:
        return usual[seconds]
    for unit_s, name in ((3600, "hours"), (60, "minutes")):
        if seconds % unit_s == 0 and seconds > unit_s:
            return f"{seconds // unit_s} {name}"
    return f"{seconds} s"


def _not_negative(value: object) -> timedelta:
    duration = parse_duration(value)
    if duration < timedelta(0):
        raise ValueError(f"{value!r} is negative")
    return duration


def _positive(value: object) -> timedelta:
    duration = parse_duration(value)
    if duration <= timedelta(0):
        raise ValueError(f"{value!r} is not longer than nothing")
    return duration


_SCHEMA = WithJsonSchema({"type": ["string", "number"], "pattern": f"^({_NUMBER.pattern}|{_FORM.pattern})$"})

Offset = Annotated[timedelta, BeforeValidator(parse_duration), _SCHEMA]  # may be negative: before the start
Span = Annotated[timedelta, BeforeValidator(_not_negative), _SCHEMA]
Positive = Annotated[timedelta, BeforeValidator(_positive), _SCHEMA]
