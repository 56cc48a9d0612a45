"""The timeline of a scenario file, as data: what happens to the cluster, its telemetry, its people and its outside.

When an entry happens is said here; what it does is done by runner.py and its helpers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from agent.domain.base import Noun
from agent.domain.cluster import ObjectRef
from agent.domain.duration import Offset, Positive, Span
from agent.scenarios.manifest import MOST_REPEATS, Manifest, with_index
from agent.scenarios.matchers import Matcher

FaultTarget = Literal["apiserver", "policy", "log", "prometheus", "llm", "approvals", "repair", "kubelet"]
FaultKind = Literal["down", "error", "latency", "conflict"]
Boundary = Literal["intent", "effect", "outcome", "approval"]


class LogLine(Noun):
    """A line of a node's kernel log or of a container's log."""

    line: str
    node: str | None = None
    pod: str | None = None
    namespace: str | None = None
    container: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.node is None) == (self.pod is None):
            raise ValueError("exactly one of node and pod is needed")
        return self


class AnswerEntry(Noun):
    """What a person does with the first pending request that matches, now or within a while."""

    by: str = Field(min_length=1)
    reason: str = ""
    match: Matcher = Matcher()
    within: Span = timedelta(0)
    digest: Literal["stale"] | None = None


class FaultEntry(Noun):
    target: FaultTarget
    kind: FaultKind
    for_: Positive = Field(alias="for")


class Crash(Noun):
    """The agent's process is killed at once, or at the next boundary of a kind."""

    after: Boundary | None = None


KEYS: Final = (
    "metrics",
    "drop",
    "event",
    "alert",
    "cloudevent",
    "log",
    "apply",
    "delete",
    "approve",
    "reject",
    "fault",
    "crash",
)


class TimelineEntry(Noun):
    """`at` and exactly one of KEYS."""

    model_config = {"json_schema_extra": {"oneOf": [{"required": [key]} for key in KEYS]}}

    at: Offset
    repeat: int | None = Field(default=None, ge=1, le=MOST_REPEATS)
    every: Positive | None = None
    metrics: str | None = None
    rate_per_second: float | None = Field(default=None, alias="ratePerSecond", allow_inf_nan=False)
    drop: tuple[str, ...] | None = None
    event: dict[str, Any] | None = None
    alert: dict[str, Any] | None = None
    cloudevent: dict[str, Any] | None = None
    log: LogLine | None = None
    apply: Manifest | None = None
    delete: ObjectRef | None = None
    approve: AnswerEntry | None = None
    reject: AnswerEntry | None = None
    fault: FaultEntry | None = None
    crash: Crash | None = None

    @field_validator("crash", mode="before")
    @classmethod
    def _bare_crash(cls, value: object) -> object:
        return {} if value is None else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [key for key in KEYS if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of {', '.join(KEYS)} is needed; found {' and '.join(given) or 'none'}")
        if (self.repeat is None) != (self.every is None):
            raise ValueError("repeat and every go together")
        if self.rate_per_second is not None and self.metrics is None:
            raise ValueError("ratePerSecond goes with metrics")
        return self

    @property
    def key(self) -> str:
        return next(key for key in KEYS if getattr(self, key) is not None)


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happens: `order` is the place of its entry in the file."""

    at: timedelta
    order: int
    entry: TimelineEntry

    @property
    def place(self) -> str:
        return f"spec.timeline[{self.order}].{self.entry.key}"


def moments(timeline: Sequence[TimelineEntry]) -> list[Moment]:
    """Everything that happens, in order of time; what happens together keeps the order of the file."""
    return sorted(_all(timeline), key=lambda moment: (moment.at, moment.order))


def _all(timeline: Sequence[TimelineEntry]) -> Iterator[Moment]:
    for order, entry in enumerate(timeline):
        if entry.repeat is None or entry.every is None:
            yield Moment(entry.at, order, entry)
            continue
        single = entry.model_copy(update={"repeat": None, "every": None})
        for i in range(entry.repeat):
            yield Moment(entry.at + i * entry.every, order, _numbered(single, i))


def _numbered(entry: TimelineEntry, i: int) -> TimelineEntry:
    """`{i}` counts from 0 in an entry that repeats."""
    written = entry.model_dump(by_alias=True, exclude_unset=True)
    numbered = with_index(written, i)
    return entry if numbered == written else TimelineEntry.model_validate(numbered)
