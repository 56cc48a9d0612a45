"""What a benchmark says: its own numbers with the wish they are held against, and the peers' with their conditions.

A peer's figure stands beside ours for scale, never as a race won: what was measured, and on what, is part of it.
"""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, TypeVar

T = TypeVar("T")
MS_PER_S = 1000


@dataclass(frozen=True)
class Measure:
    name: str
    value: float
    unit: str
    conditions: str
    at_most: float | None = None  # the wish
    at_least: float | None = None

    @property
    def holds(self) -> bool | None:
        """None: nothing was wished."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return None if self.at_least is None else self.value >= self.at_least


@dataclass(frozen=True)
class Peer:
    who: str
    what: str
    figure: str
    conditions: str
    source: str


def told(benchmark: str, measures: list[Measure], peers: list[Peer], notes: list[str]) -> dict[str, Any]:
    return {
        "benchmark": benchmark,
        "machine": machine(),
        "measures": [{**asdict(each), "holds": each.holds} for each in measures],
        "peers": [asdict(each) for each in peers],
        "notes": notes,
    }


def machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "clock": "CPU seconds of this process",
    }


def cpu_s(action: Callable[[], T]) -> tuple[float, T]:
    begun = time.process_time()
    result = action()
    return time.process_time() - begun, result


def median_cpu_s(action: Callable[[int], object], times: int) -> float:
    """Of so many runs, each told its number so that it can ask something new."""
    return median(cpu_s(lambda number=number: action(number))[0] for number in range(times))  # type: ignore[misc]
