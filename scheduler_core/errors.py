"""Bad input, named: which kind of object, which one, which field, and why.

Every error the core raises is one of these; after any of them the snapshot is what it was before the call.
A pending gang is not an error: that is data (`explain.Explanation`, `placement.Refusal`).
"""


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
