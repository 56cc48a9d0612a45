"""Row remappings that wait for a reset (XID 63): found, and asked about, only where nobody is on the node.

A GPU with a pending remapping works, so nobody has to leave for its reset: it is done when the node is idle anyway, and
once, since a gauge that holds the last code says nothing about whether it was followed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, Node, node_ref
from agent.domain.incident import Symptom
from agent.domain.outcome import PastAction
from agent.domain.signal import FindingBody
from agent.evidence.condition import Condition, Sight
from agent.evidence.labels import node_of
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import find_node, tenant_pods_on
from agent.evidence.nodes import cordoned_by_us, cordoned_for, healthy, others_at_work
from agent.evidence.reading import XID_METRIC
from agent.evidence.repairs import asked_about
from agent.ports import Metrics

PENDING_METRIC = "DCGM_FI_DEV_ROW_REMAP_PENDING"  # off by default in dcgm-exporter
PENDING_XID = 63


def find_remaps(sight: Sight) -> list[Condition]:
    """Nodes that nobody is on and that take pods, with a GPU whose remapping waits. Raises MetricsUnavailable."""
    waiting = _waiting(sight.metrics, sight.now)
    idle = {name: gpus for name, gpus in waiting.items() if name in sight.view.nodes and _idle(sight.view, name)}
    return [
        Condition(Symptom.REMAP_PENDING, node_ref(name), f"{gpu} {sight.now.date()}", {"gpu_uuid": gpu})
        for name, gpus in sorted(idle.items())
        for gpu in [next((g for g in gpus if not _reset_before(sight.history, name, g)), None)]
        if gpu is not None and _ours_or_free(sight.view.nodes[name])
    ]


def remap_facts(scene: Scene) -> Findings:
    node = find_node(scene.view, scene.incident.subject)
    if node is None:
        return Findings({}, (seen_object(scene, f"{scene.incident.subject} is not in the cluster"),))
    asked = asked_about(node, scene.incident.id, scene.history, scene.now)
    waiting = _waiting(scene.metrics, scene.now).get(node.name, ()) if scene.metrics else ()
    told = [s.body.detail.get("gpu_uuid") for s in scene.incident.signals if isinstance(s.body, FindingBody)]
    gpu = next((gpu for gpu in told if gpu), None)
    idle = _idle(scene.view, node.name)
    values = {
        "node": {
            "name": node.name,
            "ref": node.ref.json_object(),
            "healthy": healthy(node),
            "unschedulable": node.unschedulable,
            "cordoned_by_us": cordoned_for(node, scene.incident.id),
            "asked": list(asked.operations),
            "helped": all(past.helped is not False for past in asked.here),
        },
        "remap": {"gpu_uuid": gpu, "pending": gpu in waiting, "idle": idle},
        "conflicts": [*others_at_work(node), *scene.others.under_repair],
        "settle_until": rfc3339(scene.incident.opened_at + timedelta(seconds=scene.thresholds.remap_idle_after_s)),
    }
    said = "nobody holds its GPUs" if idle else "somebody holds its GPUs"
    return Findings(values, (seen_object(scene, f"{node.name}: {said}"),))


def _waiting(metrics: Metrics, now: datetime) -> Mapping[str, tuple[str, ...]]:
    """The GPUs by node, by either gauge. A pending flag that is there and says 0 goes before a last code of 63."""
    by_code = {_gpu(s.labels): s.points[-1][1] == PENDING_XID for s in metrics.instant(XID_METRIC, now) if s.points}
    by_flag = {_gpu(s.labels): s.points[-1][1] == 1 for s in metrics.instant(PENDING_METRIC, now) if s.points}
    found: dict[str, list[str]] = {}
    for (node, gpu), pending in sorted({**by_code, **by_flag}.items()):
        if node and gpu and pending:
            found.setdefault(node, []).append(gpu)
    return {node: tuple(gpus) for node, gpus in found.items()}


def _gpu(labels: Mapping[str, str]) -> tuple[str, str]:
    """A GPU in MIG instances has no name here: whose they are is not known."""
    return node_of(labels), "" if labels.get("GPU_I_ID") else labels.get("UUID", "")


def _idle(view: ClusterView, node: str) -> bool:
    return not any(pod.gpus for pod in tenant_pods_on(view, node))


def _ours_or_free(node: Node) -> bool:
    return healthy(node) and (not node.unschedulable or cordoned_by_us(node)) and not others_at_work(node)


def _reset_before(history: Sequence[PastAction], node: str, gpu: str) -> bool:
    """And that was the end of it; one that failed is with a person."""
    return any(
        past.action == "request_node_repair"
        and past.target.name == node
        and past.parameters.get("gpu_uuid") == gpu
        and (past.helped or not past.proposal)
        for past in history
    )
