"""Something that is so in the cluster, as the agent's own look finds it: a symptom, about whom, and since when."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.incident import Symptom
from agent.domain.outcome import PastAction
from agent.domain.thresholds import USUAL, Thresholds
from agent.ports import Metrics


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is so. `since` names its beginning; it need not be a time."""

    symptom: Symptom
    subject: ObjectRef
    since: str
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look has before it."""

    view: ClusterView
    metrics: Metrics
    now: datetime
    history: Sequence[PastAction] = ()
    thresholds: Thresholds = USUAL


Finder = Callable[[Sight], Sequence[Condition]]
"""Everything of one symptom that is so now. Pure but for its reads; raises MetricsUnavailable when it cannot know."""
