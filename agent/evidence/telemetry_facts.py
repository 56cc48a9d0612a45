"""Facts about an exporter of GPU metrics that is silent or lies, and the finder of such exporters."""

from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import Node, ObjectRef
from agent.domain.diagnosis import Evidence
from agent.domain.incident import Symptom
from agent.evidence.condition import Condition, Sight
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.nodes import others_at_work
from agent.evidence.telemetry_faults import (
    Silence,
    exporter_of,
    silence,
    stuck_counter,
    suspects_of_lying,
    working_nodes,
)
from agent.ports import Metrics

WELL = ("none", "")
NOBODY_IS_HEARD = ObjectRef(api_version="monitoring.coreos.com/v1", kind="Prometheus", name="telemetry")
MOST = 0.5  # more than this share of the nodes that spoke: then it is not one pod that is ill


def exporter_facts(scene: Scene) -> Findings:
    exporter = exporter_of(scene.view)
    subject = scene.incident.subject
    if scene.metrics is None:
        return Findings({}, (seen_object(scene, "Prometheus does not answer: no exporter can be judged"),))
    fault, detail = _fault(scene.metrics, scene, subject)
    pod = exporter.pods.get(subject.name) if exporter and subject.kind == "Node" else None
    tried = [p for p in scene.history if p.incident == scene.incident.id and p.action in _STARTS_ANEW]
    node = scene.view.nodes.get(subject.name) if subject.kind == "Node" else None
    values: dict[str, Any] = {
        "name": str(subject),
        "subject": subject.json_object(),
        "fault": fault,
        "detail": detail,
        "widely": subject.kind == "DaemonSet",
        "pod": pod.ref.json_object() if pod else None,
        "started_anew": len(tried),
        "busy": list(others_at_work(node)) if node else [],
    }
    said = f"{subject}: {detail or 'its GPU metrics are as they should be'}"
    evidence = Evidence(kind="metric", statement=said, source="prometheus", observed_at=scene.now)
    return Findings({"exporter": values}, (evidence,))


_STARTS_ANEW = frozenset({"evict_pod", "restart_workload"})


def _fault(metrics: Metrics, scene: Scene, subject: ObjectRef) -> tuple[str, str]:
    found = silence(metrics, scene.view, scene.now)
    if subject == NOBODY_IS_HEARD:
        return ("blind", "no exporter of GPU metrics is heard any more, nor anything else") if found.blind else WELL
    if subject.kind == "DaemonSet":
        return ("silent", f"{len(found.silent)} nodes are silent, {found.heard} are heard") if _most(found) else WELL
    if subject.name in found.silent:
        why = f"no GPU metric of {subject.name} for ten minutes while its pods run; {found.heard} nodes are heard"
        return "silent", why
    liars = stuck_counter(metrics, scene.view, subject.name, scene.now)
    if liars:
        return "stuck", f"the engine counter of {', '.join(liars)} stays at 0 while utilisation and power show work"
    return WELL


def find_exporters(sight: Sight) -> list[Condition]:
    """One condition for each node, or one for the DaemonSet when most nodes are concerned, or one for all telemetry."""
    exporter = exporter_of(sight.view)
    since = rfc3339(sight.now)[:10]
    heard = silence(sight.metrics, sight.view, sight.now)
    if heard.blind:
        return [Condition(Symptom.TELEMETRY_FAULT, NOBODY_IS_HEARD, since)]
    if _most(heard):
        widely = {"silent": str(len(heard.silent))}
        return [Condition(Symptom.TELEMETRY_FAULT, exporter.ref, since, widely)] if exporter else []
    nodes = {node.name: node for node in working_nodes(sight.view)}
    found = [_condition(nodes[name], since, "silent") for name in heard.silent]
    for name in suspects_of_lying(sight.metrics, sight.view, sight.now):
        if exporter and name in exporter.pods and stuck_counter(sight.metrics, sight.view, name, sight.now):
            found.append(_condition(nodes[name], since, "stuck"))
    return found


def _most(found: Silence) -> bool:
    silent = len(found.silent)
    return silent > 1 and silent > MOST * (silent + found.heard)


def _condition(node: Node, since: str, fault: str) -> Condition:
    return Condition(Symptom.TELEMETRY_FAULT, node.ref, f"{fault} on {since}", {"fault": fault})
