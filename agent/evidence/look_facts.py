"""What one look hands to the judges of each symptom, and what they hand back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from agent.domain.cluster import ClusterView
from agent.domain.diagnosis import Evidence
from agent.domain.incident import Incident
from agent.domain.outcome import PastAction
from agent.domain.thresholds import USUAL, Thresholds
from agent.ports import Forecaster, Metrics


@dataclass(frozen=True, slots=True)
class Others:
    """What is known from other incidents about this one's subject."""

    under_repair: tuple[str, ...] = ()  # repairs that another incident asked for and that still run
    before: tuple[Incident, ...] = ()  # those of the same symptom and subject that were closed of late


NO_OTHERS = Others()


@dataclass(frozen=True, slots=True)
class Scene:
    """`metrics` is None when telemetry cannot be read: then nothing may be concluded from it."""

    incident: Incident
    view: ClusterView
    metrics: Metrics | None
    forecaster: Forecaster
    now: datetime
    history: tuple[PastAction, ...]
    idle_minimum_s: Mapping[str, int]
    others: Others = NO_OTHERS
    thresholds: Thresholds = USUAL

    def without_metrics(self) -> "Scene":
        return replace(self, metrics=None)


@dataclass(frozen=True, slots=True)
class Findings:
    values: dict[str, Any] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


def seen_object(scene: Scene, statement: str) -> Evidence:
    return Evidence(kind="object", statement=statement, source="apiserver", observed_at=scene.view.taken_at)
