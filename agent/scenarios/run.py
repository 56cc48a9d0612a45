"""What happened in one run, as plain data: the input of the judgement and of the report.

The runner reads it from the log's records and from the simulated API server; nothing here looks at either.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agent.domain.cluster import ObjectRef

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IncidentRun:
    id: str
    playbook: str | None
    state: str


@dataclass(frozen=True, slots=True)
class ActionRun:
    """One proposal and what became of it. `at` is the time of its first intent: None when it was never executed."""

    action: str
    target: Mapping[str, str]
    parameters: Mapping[str, Any]
    proposed_at: timedelta
    incident: str = ""
    decision: str | None = None
    reasons: tuple[str, ...] = ()
    approvals: tuple[Mapping[str, Any], ...] = ()
    outcome: str | None = None
    at: timedelta | None = None

    @property
    def executed(self) -> bool:
        return self.at is not None


@dataclass(frozen=True, slots=True)
class VerdictRun:
    action: str
    target: Mapping[str, str]
    parameters: Mapping[str, Any]
    decision: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GangRun:
    """A gang at the end."""

    ref: ObjectRef
    minimum: int
    running: int

    @property
    def whole(self) -> bool:
        return self.running == 0 or self.running >= self.minimum


@dataclass(frozen=True, slots=True)
class LogRun:
    records: int
    root: str
    intact: bool
    without_intent: tuple[str, ...] = ()  # executed actions that the log holds no earlier intent for


@dataclass(frozen=True, slots=True)
class Run:
    """`final` looks an object up on the simulated API server at the end."""

    start: datetime
    final: Callable[[ObjectRef], Json | None]
    log: LogRun
    incidents: tuple[IncidentRun, ...] = ()
    actions: tuple[ActionRun, ...] = ()
    verdicts: tuple[VerdictRun, ...] = ()
    escalations: tuple[tuple[str, str], ...] = ()  # (incident, action) each time that a person was called
    unexplained: tuple[str, ...] = ()  # effects on the cluster that no recorded action explains
    gangs: tuple[GangRun, ...] = ()
    predictions: Mapping[str, int] = field(default_factory=dict)  # kept, missed and unknown effects
    timings_ms: Mapping[str, float] = field(default_factory=dict)


def offset(at: timedelta | None) -> str | None:
    """`12m30s`, as the file writes it."""
    if at is None:
        return None
    total = round(abs(at.total_seconds()), 3)
    minutes, seconds = divmod(total, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "") + (f"{seconds:g}s" if seconds else "")
    return ("-" if at < timedelta(0) else "") + (parts or "0s")
