"""Facts about a workload that fails: how, where, since which rollout, and what may be done about it."""

from collections.abc import Sequence
from typing import Any

from agent.domain.cluster import Gang, Node, Pod
from agent.evidence.failing import Crash, crashes, same_everywhere, suspect_node
from agent.evidence.failing_rollout import Rollout, broken_rollout
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import find_gang, pods_of, raw_object
from agent.evidence.nodes import cordoned_by_us, others_at_work

SHOWN = 4  # crashes that a message lists


def failing_facts(scene: Scene) -> Findings:
    subject = scene.incident.subject
    pods = _pods(scene)
    if not pods and not raw_object(scene.view, subject):
        return Findings({}, (seen_object(scene, f"{subject} is not in the cluster"),))
    mine = crashes(pods, scene.view)
    gang = find_gang(scene.view, subject) or next((find_gang(scene.view, p.gang) for p in pods if p.gang), None)
    suspect = suspect_node(subject, mine, pods, scene.view) or _cordoned_before(scene)
    node = scene.view.nodes.get(suspect or "")
    restarts_min = scene.thresholds.rollout_restarts_min
    rollout = broken_rollout(subject, mine, pods, scene.view, restarts_min) if suspect is None else None
    values: dict[str, Any] = {
        "failing": {
            "ref": subject.json_object(),
            "name": str(subject),
            "kind": subject.kind,
            "pods": sum(p.phase in ("Pending", "Running") or p.ref.name in {c.pod for c in mine} for p in pods),
            "ready": sum(p.ready for p in pods),
            "crashing": len(mine),
            "shown": _shown(mine),
            "why": sorted({c.why for c in mine}),
            "attempts": _attempts(scene, mine),
            "ended": _ended(scene),
            "scope": _scope(mine, suspect),
            "gpus": sum(p.gpus for p in pods if p.holds_gpus),
            "gang": _gang(gang, suspect, pods) if gang else None,
            "rollback": _rollback(rollout),
            "move": [p.ref.json_object() for p in _movable(mine, pods, suspect)],
        },
        "node": _node(node, scene) if node else None,
        "conflicts": list(others_at_work(node)) if node else [],
    }
    said = _shown(mine) or "no pod of it fails now"
    return Findings(values, (seen_object(scene, f"{subject}: {said}"),))


def _pods(scene: Scene) -> tuple[Pod, ...]:
    """Those of the subject; a pod that nobody owns is its own subject."""
    subject = scene.incident.subject
    if subject.kind == "Pod":
        return tuple(p for p in scene.view.pods.values() if p.ref == subject)
    gang = find_gang(scene.view, subject)
    return pods_of(scene.view, subject) or (pods_of(scene.view, gang.ref) if gang else ())


def _shown(mine: Sequence[Crash]) -> str:
    more = f" and {len(mine) - SHOWN} more" if len(mine) > SHOWN else ""
    return "; ".join(str(crash) for crash in mine[:SHOWN]) + more


def _scope(mine: Sequence[Crash], suspect: str | None) -> str:
    if suspect is not None:
        return "node"
    if not mine:
        return "none"
    return "application" if same_everywhere(mine) else "unclear"


def _attempts(scene: Scene, mine: Sequence[Crash]) -> int:
    """How often it has been tried: restarts of its most restless pod, or the pods that its Job counts as failed."""
    status: Any = raw_object(scene.view, scene.incident.subject).get("status") or {}
    return max([c.restarts for c in mine] + [int(status.get("failed") or 0)], default=0)


def _ended(scene: Scene) -> str:
    """Why it was given up, where its own status says so."""
    status: Any = raw_object(scene.view, scene.incident.subject).get("status") or {}
    failed = (c for c in status.get("conditions") or () if c.get("type") == "Failed" and c.get("status") == "True")
    return next((str(c.get("reason") or "Failed") for c in failed), "")


def _gang(gang: Gang, suspect: str | None, pods: Sequence[Pod]) -> dict[str, Any]:
    there = sum(p.node == suspect and p.phase in ("Pending", "Running") for p in pods) if suspect else 0
    return {"ref": gang.ref.json_object(), "name": str(gang.ref), "state": gang.state.value, "pods_on_node": there}


def _rollback(rollout: Rollout | None) -> dict[str, int] | None:
    return {"revision": rollout.revision, "to_revision": rollout.back_to} if rollout else None


def _movable(mine: Sequence[Crash], pods: Sequence[Pod], suspect: str | None) -> list[Pod]:
    """Pods of no gang that fail on the suspect, and that their owner would start again elsewhere."""
    names = {crash.pod for crash in mine}
    return [
        p
        for p in pods
        if p.ref.name in names and p.node == suspect is not None and p.gang is None and p.owner and p.phase != "Failed"
    ]


def _cordoned_before(scene: Scene) -> str | None:
    """The node that was cordoned for this incident: what failed there has moved on since."""
    ours = (p for p in scene.history if p.action == "cordon_node" and p.incident == scene.incident.id)
    return next((p.target.name for p in ours if p.outcome == "succeeded" and not p.undo), None)


def _node(node: Node, scene: Scene) -> dict[str, Any]:
    asked = any(
        p.action == "request_node_repair" and p.incident == scene.incident.id and p.target.name == node.name
        for p in scene.history
    )
    return {
        "name": node.name,
        "ref": node.ref.json_object(),
        "unschedulable": node.unschedulable,
        "cordoned_by_us": cordoned_by_us(node),
        "diagnosis_asked": asked,
    }
