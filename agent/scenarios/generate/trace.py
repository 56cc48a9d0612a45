"""How work arrives, as numbers: sizes, run times and the gaps between arrivals, from a public trace or built in.

A trace is a CSV of pods with the columns `num_gpu`, `creation_time` and `deletion_time` in seconds (the openb trace's
own names; `deletion_time` may be empty). Only statistics are taken from it, at the time of the run: how many GPUs a pod
asks for, how unlike each other run times and gaps are, and how arrivals spread over an hour.
"""

import csv
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

COLUMNS = ("num_gpu", "creation_time", "deletion_time")
BINS = 12  # twelfths of an hour
HOUR_S = 3600
QUANTILES = 20  # so many equal shares describe a distribution; the longest share counts with its shortest
GPUS_MAX = 64  # of one pod; more is no number of GPUs


class NoTrace(ValueError):
    """Which line tells nothing, and why."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """`runs` and `gaps` are quantiles in units of their own mean: the day says how long the mean is."""

    gpus: tuple[tuple[int, int], ...]  # (GPUs of a pod, how many such pods)
    runs: tuple[float, ...]
    gaps: tuple[float, ...]
    within_hour: tuple[int, ...]

    @property
    def mean_gpus(self) -> float:
        return sum(gpus * count for gpus, count in self.gpus) / sum(count for _, count in self.gpus)

    def draw_gpus(self, rng: Random) -> int:
        return rng.choices([gpus for gpus, _ in self.gpus], [count for _, count in self.gpus])[0]


BUILT_IN = Statistics(
    gpus=((1, 60), (2, 15), (4, 10), (8, 15)),
    runs=(0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.1, 1.5, 2.0, 2.95),
    gaps=(0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.5, 2.2, 3.4),
    within_hour=(1,) * BINS,
)


def statistics_of(trace: Path) -> Statistics:
    """Raises ValueError that names the file."""
    try:
        with trace.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            rows = [_row(row, reader.line_num) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error, NoTrace) as error:
        why = error.strerror if isinstance(error, OSError) else error
        wanted = "num_gpu, creation_time and deletion_time (seconds)"
        raise ValueError(f"{trace}: no trace with the columns {wanted}: {why}") from error
    rows = [row for row in rows if 0 < row[0] <= GPUS_MAX]
    created = sorted(at for _, at, _ in rows)
    runs = [run for _, _, run in rows if run is not None and run > 0]
    gaps = [later - earlier for earlier, later in pairwise(created)]
    if not runs or not any(gaps):
        raise ValueError(f"{trace}: too few pods with GPUs to tell how they arrive and how long they run")
    return Statistics(
        gpus=tuple(sorted(Counter(gpus for gpus, _, _ in rows).items())),
        runs=_quantiles(runs),
        gaps=_quantiles(gaps),
        within_hour=tuple(Counter(int(at) % HOUR_S * BINS // HOUR_S for at in created)[n] for n in range(BINS)),
    )


def draw(rng: Random, quantiles: Sequence[float]) -> float:
    """A value between two neighbouring quantiles, each pair as likely as any other."""
    place = rng.random() * (len(quantiles) - 1)
    low, share = int(place), place - int(place)
    return quantiles[low] * (1 - share) + quantiles[low + 1] * share


def _row(row: dict[str, str | None], line: int) -> tuple[int, float, float | None]:
    """The pod of one line; a line that ends early has None in what it lacks. Raises NoTrace."""
    gpus, created, deleted = (_number(row, column, line) for column in COLUMNS)
    if gpus is None or created is None or gpus != int(gpus):
        raise NoTrace(f"line {line} tells no number of GPUs or no time of creation")
    return int(gpus), created, None if deleted is None else deleted - created


def _number(row: dict[str, str | None], column: str, line: int) -> float | None:
    if column not in row:
        raise NoTrace(f"there is no column {column}")
    text = row[column]
    try:
        value = float(text) if text else None
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise NoTrace(f"line {line}: {column} is no number")
    return value


def _quantiles(values: Sequence[float]) -> tuple[float, ...]:
    """In units of their mean; all 1 where most values are 0."""
    ordered = sorted(values)
    found = [ordered[len(ordered) * number // QUANTILES] for number in range(QUANTILES)]
    mean = sum(found) / len(found)
    return tuple(round(value / mean, 4) for value in found) if mean else (1.0,) * QUANTILES
