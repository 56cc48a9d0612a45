"""Bad input, named: which kind of object, which one, which field, and why.

Every error the core raises is one of these; after any of them the snapshot is what it was before the call.
A pending gang is not an error: that is data (`explain.Explanation`, `placement.Refusal`).
"""

from collections.abc import Collection
from enum import StrEnum
from math import isfinite

INT32 = (-(2**31), 2**31 - 1)  # what Kubernetes has room for in a priority


class SchedulerError(ValueError):
    """The core was given something it cannot count with."""

    def __init__(self, kind: str, name: str, field: str, why: str) -> None:
        super().__init__(f"{kind} {name!r}: {field}: {why}")
        self.kind, self.name, self.field, self.why = kind, name, field, why


class Invalid(SchedulerError):
    """A value outside its range: a negative quantity, a minimum above its count."""


class Duplicate(SchedulerError):
    """A name that is taken."""


class Unknown(SchedulerError):
    """A reference to something that is not there."""


class Conflict(SchedulerError):
    """A change that the present state does not allow, such as a pod on a node without room."""


def require_name(kind: str, name: str) -> None:
    if not name:
        raise Invalid(kind, name, "name", "is empty")


def require_whole(kind: str, name: str, field: str, value: object, least: int = 0) -> None:
    """Quantities are integers: fractions of a GPU or CPU are given in milli-units."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(kind, name, field, f"{value!r} is not an integer")
    if value < least:
        raise Invalid(kind, name, field, f"{value} is below {least}")


def require_number(kind: str, name: str, field: str, value: object, least: float | None = 0) -> None:
    """Seconds: whole or not, and neither NaN nor without end, since everything is compared with them."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise Invalid(kind, name, field, f"{value!r} is not a number of seconds")
    if least is not None and value < least:
        raise Invalid(kind, name, field, f"{value} is negative" if least == 0 else f"{value} is below {least}")


def require_priority(kind: str, name: str, field: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(kind, name, field, f"{value!r} is not an integer")
    if not INT32[0] <= value <= INT32[1]:
        raise Invalid(kind, name, field, f"{value} has no room in 32 bits")


def require_member(kind: str, name: str, field: str, value: object, words: type[StrEnum]) -> None:
    """The value itself and no text that reads like it: members are compared by identity."""
    if not isinstance(value, words):
        raise Invalid(kind, name, field, f"{value!r} is none of {words.__name__}: {', '.join(words)}")


def require_word(kind: str, name: str, field: str, value: object, words: Collection[str]) -> None:
    if value not in words:
        raise Invalid(kind, name, field, f"{value!r} is none of {', '.join(words)}")
