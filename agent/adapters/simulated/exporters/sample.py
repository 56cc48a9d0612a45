"""What a series shows from now on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """`value` None: a counter, which goes on from where it is, at this rate."""

    value: float | None
    per_second: float = 0.0
