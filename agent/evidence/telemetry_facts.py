"""Facts about an exporter of GPU metrics that is silent or lies, and the finder of such exporters."""

from datetime import datetime
from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, Node, ObjectRef
from agent.domain.diagnosis import Evidence
from agent.domain.duration import in_words
from agent.domain.incident import Symptom
from agent.evidence.condition import Condition, Sight
from agent.evidence.frozen import frozen_nodes
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.nodes import others_at_work
from agent.evidence.telemetry_faults import (
    Exporter,
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
    found = silence(metrics, scene.view, scene.now, scene.thresholds.exporter_silent_after_s)
    if subject == NOBODY_IS_HEARD:
        return ("blind", "no exporter of GPU metrics is heard any more, nor anything else") if found.blind else WELL
    if subject.kind == "DaemonSet":
        return _of_most(metrics, scene, found)
    if subject.name in found.silent:
        lasted = in_words(scene.thresholds.exporter_silent_after_s)
        why = f"no GPU metric of {subject.name} for {lasted} while its pods run; {found.heard} nodes are heard"
        return "silent", why
    frozen_s = scene.thresholds.exporter_frozen_after_s
    liars = stuck_counter(metrics, scene.view, subject.name, scene.now, frozen_s)
    if liars:
        return "stuck", f"the engine counter of {', '.join(liars)} stays at 0 while utilisation and power show work"
    same = _frozen(metrics, scene.view, scene.now, frozen_s).get(subject.name)
    return ("frozen", f"the exporter of {subject.name} repeats old values: the node {same}") if same else WELL


def _of_most(metrics: Metrics, scene: Scene, found: Silence) -> tuple[str, str]:
    """What is wrong with the exporters of most nodes at once."""
    if _most(len(found.silent), found.heard):
        return "silent", f"{len(found.silent)} nodes are silent, {found.heard} are heard"
    frozen = len(_frozen(metrics, scene.view, scene.now, scene.thresholds.exporter_frozen_after_s))
    live = found.heard - frozen
    return ("frozen", f"{frozen} nodes repeat old values, {live} do not") if _most(frozen, live) else WELL


def _frozen(metrics: Metrics, view: ClusterView, now: datetime, after_s: int) -> dict[str, str]:
    return frozen_nodes(metrics, {node.name for node in working_nodes(view)}, now, after_s)


def find_exporters(sight: Sight) -> list[Condition]:
    """One condition for each node, or one for the DaemonSet when most nodes are concerned, or one for all telemetry."""
    exporter = exporter_of(sight.view)
    since = rfc3339(sight.now)[:10]
    heard = silence(sight.metrics, sight.view, sight.now, sight.thresholds.exporter_silent_after_s)
    if heard.blind:
        return [Condition(Symptom.TELEMETRY_FAULT, NOBODY_IS_HEARD, since)]
    if _most(len(heard.silent), heard.heard):
        return _widely(exporter, since, {"silent": str(len(heard.silent))})
    frozen_s = sight.thresholds.exporter_frozen_after_s
    frozen = _frozen(sight.metrics, sight.view, sight.now, frozen_s)
    if _most(len(frozen), heard.heard - len(frozen)):
        return _widely(exporter, since, {"frozen": str(len(frozen))})
    nodes = {node.name: node for node in working_nodes(sight.view)}
    found = [_condition(nodes[name], since, "silent") for name in heard.silent]
    found += [_condition(nodes[name], since, "frozen") for name in sorted(frozen)]
    for name in suspects_of_lying(sight.metrics, sight.view, sight.now):
        ours = exporter is not None and name in exporter.pods
        if ours and stuck_counter(sight.metrics, sight.view, name, sight.now, frozen_s):
            found.append(_condition(nodes[name], since, "stuck"))
    return found


def _most(ill: int, well: int) -> bool:
    return ill > 1 and ill > MOST * (ill + well)


def _widely(exporter: Exporter | None, since: str, detail: dict[str, str]) -> list[Condition]:
    return [Condition(Symptom.TELEMETRY_FAULT, exporter.ref, since, detail)] if exporter else []


def _condition(node: Node, since: str, fault: str) -> Condition:
    return Condition(Symptom.TELEMETRY_FAULT, node.ref, f"{fault} on {since}", {"fault": fault})
