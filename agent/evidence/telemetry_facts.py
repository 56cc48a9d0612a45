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
    exporter_of,
    silent_nodes,
    stuck_counter,
    suspects_of_lying,
    working_nodes,
)
from agent.ports import Metrics

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
    silent, heard = silent_nodes(metrics, scene.view, scene.now)
    if subject.kind == "DaemonSet":
        most = silent and _most(silent, heard)
        return ("silent", f"{len(silent)} nodes are silent, {heard} are heard") if most else ("none", "")
    if subject.name in silent:
        return (
            "silent",
            f"no GPU metric of {subject.name} for 15 minutes, while its pods run and {heard} nodes are heard",
        )
    liars = stuck_counter(metrics, scene.view, subject.name, scene.now)
    if liars:
        return "stuck", f"the engine counter of {', '.join(liars)} stays at 0 while utilisation and power show work"
    return "none", ""


def find_exporters(sight: Sight) -> list[Condition]:
    """One condition for each node, or one for the DaemonSet when most nodes are concerned."""
    exporter = exporter_of(sight.view)
    since = rfc3339(sight.now)[:10]
    silent, heard = silent_nodes(sight.metrics, sight.view, sight.now)
    if silent and _most(silent, heard):
        return (
            [Condition(Symptom.TELEMETRY_FAULT, exporter.ref, since, {"silent": str(len(silent))})] if exporter else []
        )
    nodes = {node.name: node for node in working_nodes(sight.view)}
    found = [_condition(nodes[name], since, "silent") for name in silent]
    for name in suspects_of_lying(sight.metrics, sight.view, sight.now):
        if exporter and name in exporter.pods and stuck_counter(sight.metrics, sight.view, name, sight.now):
            found.append(_condition(nodes[name], since, "stuck"))
    return found


def _most(silent: list[str], heard: int) -> bool:
    return (len(silent) > 1 and len(silent) > MOST * (len(silent) + heard)) or not heard


def _condition(node: Node, since: str, fault: str) -> Condition:
    return Condition(Symptom.TELEMETRY_FAULT, node.ref, f"{fault} on {since}", {"fault": fault})
