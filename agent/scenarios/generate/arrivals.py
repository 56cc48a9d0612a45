"""When troubles come: one in each slot of the day, at a moment within it that follows the pattern of a public trace.

A trace is a CSV with a column `creation_time` in seconds. Only how unevenly it spreads its arrivals over an hour is
taken from it; without one, arrivals are even.
"""

import csv
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

BINS = 12
HOUR_S = 3600
JITTER_PERCENT = 10  # of a slot: two troubles stay almost a whole slot apart


@dataclass(frozen=True, slots=True)
class Pattern:
    """How often arrivals fall into each twelfth of an hour."""

    weights: tuple[int, ...]


def pattern_of(trace: Path) -> Pattern:
    """Raises ValueError that names the file."""
    weights = [0] * BINS
    try:
        with trace.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                weights[int(float(row["creation_time"])) % HOUR_S * BINS // HOUR_S] += 1
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{trace}: no trace with a column creation_time in seconds: {error!r}") from error
    if not any(weights):
        raise ValueError(f"{trace}: no arrivals")
    return Pattern(tuple(weights))


def offsets(rng: Random, count: int, slot: timedelta, pattern: Pattern | None = None) -> list[timedelta]:
    """A moment in each slot, in the order of the day, in whole seconds and never at its very beginning."""
    weights = pattern.weights if pattern else (1,) * BINS
    found = []
    for number in range(count):
        part = (rng.choices(range(BINS), weights)[0] + rng.random()) / BINS
        jitter = slot * part * JITTER_PERCENT / 100
        found.append(slot * number + timedelta(minutes=5, seconds=int(jitter.total_seconds())))
    return found
