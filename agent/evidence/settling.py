"""Too early to say, or too often: trouble that may pass by itself is given time, and trouble that keeps coming back is
one trouble.

A kubelet that misses a few heartbeats is no sick node, a hot GPU slows down and cools. What has recovered is watched
for a while, so that a node that comes and goes is seen to do so instead of being news each time.
"""

from datetime import datetime, timedelta
from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import Node
from agent.domain.duration import in_words
from agent.domain.incident import Incident
from agent.domain.signal import AlertBody, ConditionBody, EventBody
from agent.domain.thresholds import Thresholds
from agent.evidence.contradiction import DECIDED_S, goes_on
from agent.evidence.faults import NodeFault
from agent.evidence.look_facts import Scene
from agent.evidence.nodes import bad_conditions
from agent.evidence.xid import HARMLESS_TO_THE_GPU, FirstAction

SECOND_WITNESS_S = 60  # an exporter reads its GPUs and is scraped every 15 or 30 s: by then it has spoken
GIVEN_UP_S = 3600  # how long a node that is sick for nobody knows what is watched after a person was told
HOT_ALERTS = frozenset({"GPUHighTemperature"})
_THERMAL = "GpuThermalMarginWatch"
_READY_ALERTS = frozenset({"KubeNodeNotReady"})


def settling(scene: Scene, node: Node, fault: NodeFault | None, *, contradicted: bool = False) -> dict[str, Any]:
    """`settle_until`: before that nothing is concluded. `stay_until`: so long the incident stays open although nothing
    is left to do, because what comes back then belongs to it."""
    incident, limits = scene.incident, scene.thresholds
    flaps = max(incident.relapses.values(), default=0)
    flapping = flaps >= limits.node_flaps_min
    told_ready = any(_about_ready(s.body) for s in incident.signals)
    sick_gpu = fault is not None and fault.action not in HARMLESS_TO_THE_GPU
    until = None if sick_gpu or flapping else _until(incident, node, limits, told_ready=told_ready)
    nameless = fault is not None and fault.action is FirstAction.RESET_GPU and fault.gpu_uuid is None
    if fault is not None and sick_gpu and (nameless or not fault.confirmed or _goes_on(scene, node, fault)):
        until = incident.opened_at + timedelta(seconds=_witnessed_s(scene, node, fault))
    stay = None if sick_gpu or not told_ready else _stay(incident, limits, flapping=flapping)
    if contradicted and fault is not None and scene.now - timedelta(seconds=GIVEN_UP_S) < fault.last_seen:
        stay = scene.now + timedelta(seconds=SECOND_WITNESS_S)  # looked at again and again: it may come true
    well_s = int((scene.now - incident.recovered_at).total_seconds()) if incident.recovered_at else 0
    return {
        "settle_until": rfc3339(until) if until else None,
        "stay_until": rfc3339(stay) if stay else None,
        "trouble": {
            "flaps": flaps,
            "flapping": flapping,
            "not_ready": "Ready" in bad_conditions(node),
            "well_s": well_s,
            "quiet_s": limits.node_quiet_s,
            "hot": _hot(incident, node),
            "hot_for": in_words(limits.gpu_hot_after_s),
            "hung": sum(_hung(s.body) for s in incident.signals),
        },
    }


def _until(incident: Incident, node: Node, limits: Thresholds, *, told_ready: bool) -> datetime | None:
    bad = set(bad_conditions(node))
    if told_ready and incident.recovered_at is not None:
        return incident.recovered_at + timedelta(seconds=limits.node_quiet_s)
    if told_ready and not bad and _came_back(incident):  # an alert about it is still on its way to being resolved
        return _newest_said(incident) + timedelta(seconds=limits.node_quiet_s)
    if bad == {"Ready"} or (told_ready and not bad):
        return _newest_said(incident) + timedelta(seconds=limits.node_not_ready_after_s)
    if _hot(incident, node) and bad <= {_THERMAL}:
        return incident.opened_at + timedelta(seconds=limits.gpu_hot_after_s)
    return None


def _goes_on(scene: Scene, node: Node, fault: NodeFault) -> bool:
    """A gang there has made steps since the fault was told of, or just before, when no scrape has come since: who has
    lost a GPU makes none for long, so the next scrapes tell whether this is true."""
    return goes_on(scene, node, fault, min(fault.last_seen, scene.now) - timedelta(seconds=SECOND_WITNESS_S))


def _witnessed_s(scene: Scene, node: Node, fault: NodeFault) -> int:
    """By then it is known whether it is contradicted: steps made in the minute after it are counted on for another."""
    told = min(fault.last_seen, scene.now) + timedelta(seconds=SECOND_WITNESS_S // 3)  # a scrape or two later
    late = scene.now >= scene.incident.opened_at + timedelta(seconds=SECOND_WITNESS_S)
    return DECIDED_S if late and goes_on(scene, node, fault, min(told, scene.now)) else SECOND_WITNESS_S


def _stay(incident: Incident, limits: Thresholds, *, flapping: bool) -> datetime:
    if flapping or incident.recovered_at is None:
        return max(_newest_said(incident), incident.recovered_at or incident.opened_at) + timedelta(seconds=GIVEN_UP_S)
    return incident.recovered_at + timedelta(seconds=limits.node_quiet_s)


def _newest_said(incident: Incident) -> datetime:
    """When something was last said about its readiness; the incident's beginning where that was before it."""
    return max([incident.opened_at, *(s.time for s in incident.signals if _about_ready(s.body))])


def _came_back(incident: Incident) -> bool:
    """Has the node itself said that it is ready again?"""
    bodies = [s.body for s in incident.signals]
    return any(isinstance(b, ConditionBody) and b.condition == "Ready" and b.healthy for b in bodies)


def _about_ready(body: object) -> bool:
    if isinstance(body, ConditionBody):
        return body.condition == "Ready"
    return isinstance(body, AlertBody) and body.alertname in _READY_ALERTS


def _hot(incident: Incident, node: Node) -> bool:
    told = any(isinstance(s.body, AlertBody) and s.body.alertname in HOT_ALERTS for s in incident.signals)
    return told or _THERMAL in bad_conditions(node)


def _hung(body: object) -> int:
    return body.count if isinstance(body, EventBody) and body.reason == "TaskHung" else 0
