"""How a played day ended, as plain data: for the closing page of the demo, its JSON, and the benchmark of many days.

What was done comes from the log's records, how the cluster stands from the simulated API server, and what was lost from
the meter, beside that of the same day without the agent.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from agent.scenarios.judging import judge_run
from agent.scenarios.losses import Tally
from agent.scenarios.performance import Performance
from agent.scenarios.report import Result, result_json
from agent.scenarios.runner import what_happened


@dataclass(frozen=True, slots=True)
class DayTold:
    """`result` is as `watchkeeper evaluate --json` tells it; `alone` is None where nothing could be compared."""

    description: str
    seed: int
    duration: timedelta
    result: dict[str, Any]
    partial_gangs: tuple[str, ...]
    lost: Tally
    alone: Tally | None
    database: Path
    seconds: float

    @classmethod
    def of(cls, performance: Performance, alone: Tally | None, seconds: float) -> DayTold:
        spec = performance.scenario.spec
        run = what_happened(performance, seconds * 1000)
        result = Result(performance.scenario.metadata.name, "", judge_run(spec.expect, run), run)
        lost = performance.meter.tally if performance.meter is not None else Tally()
        partial = tuple(f"{g.ref} runs {g.running} of {g.minimum}" for g in run.gangs if not g.whole)
        return cls(
            spec.description,
            performance.seed,
            spec.duration,
            result_json(result),
            partial,
            lost,
            alone,
            performance.database,
            seconds,
        )

    @property
    def states(self) -> Counter[str]:
        """How the incidents ended, and how many."""
        return Counter(incident["state"] for incident in self.result["incidents"])

    @property
    def won_back(self) -> float | None:
        """GPU-hours."""
        return None if self.alone is None else self.alone.total - self.lost.total

    @property
    def share(self) -> float | None:
        """Of what the day loses alone; None where that is nothing."""
        return (
            self.won_back / self.alone.total if self.won_back is not None and self.alone and self.alone.total else None
        )
