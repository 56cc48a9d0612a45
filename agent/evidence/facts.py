"""The facts about one incident: what playbooks may read, and the evidence behind it. One fresh look each time.

Every key is always there, with null where it does not apply, so that an expression can ask for it. What could not be
read is said (`telemetry.available`), and is never taken for idleness or for health.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView
from agent.domain.diagnosis import Evidence
from agent.domain.incident import Incident, Symptom
from agent.domain.outcome import PastAction
from agent.domain.signal import AlertBody, Body, ConditionBody, FindingBody, Signal
from agent.domain.thresholds import USUAL, Thresholds
from agent.evidence.absent import absent_facts
from agent.evidence.admission_loops import loop_facts
from agent.evidence.cascades import cascade_facts
from agent.evidence.failing_facts import failing_facts
from agent.evidence.gang_facts import gang_facts
from agent.evidence.hanging_facts import hang_facts
from agent.evidence.holders import IDLE_MINIMUM_S
from agent.evidence.holding import hold_facts
from agent.evidence.idle_facts import idle_facts, restore_facts
from agent.evidence.look_facts import NO_OTHERS, Findings, Others, Scene
from agent.evidence.node_facts import node_facts
from agent.evidence.node_names import ClusterNames
from agent.evidence.remaps import remap_facts
from agent.evidence.serving_facts import service_facts
from agent.evidence.spare_facts import spare_facts
from agent.evidence.starved import starved_facts
from agent.evidence.straggling_facts import straggling_facts
from agent.evidence.telemetry_facts import exporter_facts
from agent.evidence.unused_quota import unused_facts
from agent.evidence.waiting_plan import waiting_facts
from agent.ports import Forecaster, Metrics, MetricsUnavailable

KEYS = (
    "node",
    "xid",
    "absent",
    "left",
    "repair",
    "remap",
    "trouble",
    "settle_until",
    "stay_until",
    "holder",
    "idle",
    "restore",
    "gang",
    "plan",
    "service",
    "spare",
    "failing",
    "exporter",
    "hang",
    "straggler",
    "quota",
    "loop",
    "starved",
    "waiting",
    "cascade",
    "hold",
)  # null unless the symptom sets them


@dataclass(frozen=True, slots=True)
class Facts:
    """`values` is plain JSON."""

    values: dict[str, Any] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


def _nothing_more(scene: Scene) -> Findings:
    """For a symptom that nothing here knows more about than its signals say."""
    return Findings()


_BY_SYMPTOM: Mapping[Symptom, Callable[[Scene], Findings]] = {
    Symptom.ALERT: absent_facts,
    Symptom.GPU_FAULT: node_facts,
    Symptom.NODE_UNHEALTHY: node_facts,
    Symptom.IDLE_GPU: idle_facts,
    Symptom.RESTORE_NEEDED: restore_facts,
    Symptom.GANG_STUCK: gang_facts,
    Symptom.QUOTA_UNUSED: unused_facts,
    Symptom.ADMISSION_LOOP: loop_facts,
    Symptom.QUEUE_STARVED: starved_facts,
    Symptom.GANG_WAITING: waiting_facts,
    Symptom.PREEMPTION_CASCADE: cascade_facts,
    Symptom.HOLD_OVER: hold_facts,
    Symptom.REMAP_PENDING: remap_facts,
    Symptom.SERVICE_SATURATED: service_facts,
    Symptom.SERVICE_OVERSIZED: spare_facts,
    Symptom.WORKLOAD_FAILING: failing_facts,
    Symptom.TELEMETRY_FAULT: exporter_facts,
    Symptom.WORKLOAD_HANGS: hang_facts,
    Symptom.STRAGGLER: straggling_facts,
}


def gather(  # noqa: PLR0913 - one for each thing that is looked at
    incident: Incident,
    view: ClusterView,
    metrics: Metrics,
    forecaster: Forecaster,
    now: datetime,
    history: Sequence[PastAction],
    *,
    idle_minimum_s: Mapping[str, int] = IDLE_MINIMUM_S,
    others: Others = NO_OTHERS,
    thresholds: Thresholds = USUAL,
) -> Facts:
    """Everything that matters for this symptom, seen now."""
    named = ClusterNames(metrics, view.nodes)
    scene = Scene(incident, view, named, forecaster, now, tuple(history), idle_minimum_s, others, thresholds)
    look = _BY_SYMPTOM.get(incident.symptom, _nothing_more)
    unavailable = ""
    try:
        found = look(scene)
    except MetricsUnavailable as fault:
        unavailable = str(fault) or "no answer"
        found = look(scene.without_metrics())
    values = {
        **dict.fromkeys(KEYS),
        "incident": _incident(incident),
        "telemetry": {"available": not unavailable, "reason": unavailable},
        "gangs": [],
        "conflicts": [],
        **found.values,
    }
    return Facts(values, (*_signals(incident), *found.evidence))


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "symptom": incident.symptom.value,
        "subject": incident.subject.json_object(),
        "name": str(incident.subject),
        "opened_at": rfc3339(incident.opened_at),
        "signals": incident.signal_count,
        "recovered": incident.recovered_at is not None,
    }


def _signals(incident: Incident) -> tuple[Evidence, ...]:
    """What opened it, in the sender's name; the log has the rest."""
    first = incident.signals[:1]
    return tuple(
        Evidence(
            kind="signal",
            statement=f"{s.type} {s.subject}".strip(),
            source=s.source,
            observed_at=_told_at(s, incident),
            data={"links": links} if (links := _links(s.body)) else {},
        )
        for s in first
    )


def _told_at(signal: Signal, incident: Incident) -> datetime:
    """A line was so when it was written. A state names its beginning, and was so when somebody told of it."""
    is_state = isinstance(signal.body, AlertBody | ConditionBody | FindingBody)
    return max(signal.time, incident.opened_at) if is_state else signal.time


def _links(body: Body) -> list[str]:
    """Where an alert says that there is more to see, by the names that everybody uses for it."""
    if not isinstance(body, AlertBody):
        return []
    named = (body.annotations.get(name, "") for name in ("dashboard_url", "runbook_url"))
    return [link for link in named if link.startswith(("https://", "http://")) and not set(link) & set(" \t\r\n")]
