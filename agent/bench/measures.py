"""What a benchmark says: its own numbers with the wish they are held against, and the peers' with their conditions.

A peer's figure stands beside ours for scale, never as a race won: what was measured, and on what, is part of it.
"""

import os
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

T = TypeVar("T")
MS_PER_S = 1000
CPU_INFO = Path("/proc/cpuinfo")
GIT_TIMEOUT_S = 10  # it reads a few files


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
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "commit": _commit(),
        "clock": "CPU seconds of this process",
    }


def _cpu() -> str:
    """Its name as the system tells it."""
    try:
        told = CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        told = ""
    names = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _commit() -> str:
    """Of the source that ran, where it is a checkout; `+` where files differ from it."""
    here = Path(__file__).parent
    try:
        head = _git(here, "rev-parse", "--short", "HEAD")
        return head + ("+" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(where: Path, *words: str) -> str:
    command = ["git", "-C", str(where), *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=GIT_TIMEOUT_S)  # noqa: S603 -- fixed words
    return ran.stdout.strip()


def cpu_s(action: Callable[[], T]) -> tuple[float, T]:
    begun = time.process_time()
    result = action()
    return time.process_time() - begun, result


def median_cpu_s(action: Callable[[int], object], times: int) -> float:
    """Of so many runs, each told its number so that it can ask something new."""
    return median(cpu_s(lambda number=number: action(number))[0] for number in range(times))  # type: ignore[misc]
