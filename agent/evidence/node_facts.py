"""Facts about a node that is said to be sick: the fault, who runs on it, what was done, who else is at work."""

from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, Gang, GangState, Node, ObjectRef, Pod
from agent.domain.diagnosis import Evidence
from agent.evidence.contradiction import contradiction
from agent.evidence.faults import NodeFault, node_fault, sightings_in
from agent.evidence.former import of_now, seen_of_now
from agent.evidence.gpus import Gpus
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import find_node, in_order, pods_of, tenant_pods_on
from agent.evidence.nodes import bad_conditions, cordoned_by_us, healthy, others_at_work
from agent.evidence.reading import read_current_xids, read_gpus, read_xids
from agent.evidence.repair_facts import repair_facts
from agent.evidence.repairs import REPAIRS, Asked, asked_about
from agent.evidence.settling import settling
from agent.evidence.xid import REPEATS, Sighting, catalogue, meaning, occurrences


def node_facts(scene: Scene) -> Findings:
    node = find_node(scene.view, scene.incident.subject)
    if node is None:
        return Findings({}, (seen_object(scene, f"{scene.incident.subject} is not in the cluster"),))
    scene = of_now(scene, node)
    asked = asked_about(node, scene.incident.id, scene.history, scene.now)
    changes = seen_of_now(read_xids(scene.metrics, node.name, scene.now) if scene.metrics else [], node)
    current = read_current_xids(scene.metrics, node.name, scene.now) if scene.metrics else None
    gpus = read_gpus(scene.metrics, node.name, scene.now) if scene.metrics else Gpus()
    fault = node_fault(scene.incident, changes, current, asked.repaired_at, gpus, asked.mended)
    against = contradiction(scene, node, fault, gpus, current)
    gangs = [g for g in in_order(_gangs_on(node, scene.view)) if _hit(g, node, scene)]
    pods = tenant_pods_on(scene.view, node.name)
    values = {
        "node": _node(node, fault, asked) | {"empty": not pods, "contradicted": bool(against)},
        "xid": _xid(fault, [*changes, *_told(scene, gpus)], scene) | {"against": list(against)} if fault else None,
        "gangs": [_gang(g, node, scene) for g in gangs],
        "left": _left([p for p in pods if p.gang is None]),
        "repair": repair_facts(scene, node, fault, gangs, asked, gpus),
        "conflicts": [*others_at_work(node), *scene.others.under_repair],
        **settling(scene, node, fault, contradicted=bool(against)),
    }
    return Findings(values, _evidence(scene, node, fault))


def _node(node: Node, fault: NodeFault | None, asked: Asked) -> dict[str, Any]:
    bad = bad_conditions(node)
    return {
        "name": node.name,
        "ref": node.ref.json_object(),
        "ready": node.ready,
        "healthy": healthy(node),
        "bad_conditions": list(bad),
        "unschedulable": node.unschedulable,
        "cordoned_by_us": cordoned_by_us(node),
        "gpus": node.gpus,
        "fault_active": bool(bad) or (fault is not None and fault.active),
        "fault_shows": bool(bad) or bool(fault and fault.sick_gpus),
        "fault_told_at": rfc3339(fault.last_seen) if fault else None,
        "repair_asked": any(operation in REPAIRS for operation in asked.operations),  # in this incident
        "asked": list(asked.operations),
        "repairs_7d": len(asked.week),
    }


def _xid(fault: NodeFault, sightings: list[Sighting], scene: Scene) -> dict[str, Any]:
    counts = occurrences(sightings, fault.code, scene.now)
    return {
        "code": fault.code,
        "codes": list(fault.codes),
        "first_action": fault.action.value,
        "disputed": fault.disputed,
        "sick_gpus": list(fault.sick_gpus),
        "meaning": meaning(fault.code),
        "gpu": fault.gpu,
        "gpu_uuid": fault.gpu_uuid,
        "repeated": max(counts.values(), default=0) >= REPEATS,
        "catalogue": catalogue().version,
    }


def _told(scene: Scene, gpus: Gpus) -> list[Sighting]:
    """In this incident and those before it: an application's fault is closed at once, and a gauge of the last code
    does not show the same code twice."""
    before = [seen for incident in scene.others.before for seen in sightings_in(incident, gpus)]
    return [*before, *sightings_in(scene.incident, gpus)]


def _gangs_on(node: Node, view: ClusterView) -> dict[ObjectRef, Gang]:
    """Those with any pod there, whatever has become of it."""
    refs = {ref for pod in view.index.by_node.get(node.name, ()) for ref in (pod.gang, pod.owner) if ref is not None}
    return {ref: view.gangs[ref] for ref in refs if ref in view.gangs}


def _hit(gang: Gang, node: Node, scene: Scene) -> bool:
    """It runs there, or has lost a pod there and is below its minimum for it."""
    if gang.state not in (GangState.RUNNING, GangState.STUCK):
        return False
    there = [p for p in pods_of(scene.view, gang.ref) if p.node == node.name and p.phase != "Succeeded"]
    alive = any(p.phase in ("Pending", "Running") and not p.terminating for p in there)
    return alive or (bool(there) and gang.state is GangState.STUCK)


def _gang(gang: Gang, node: Node, scene: Scene) -> dict[str, Any]:
    return {
        "ref": gang.ref.json_object(),
        "name": str(gang.ref),
        "state": gang.state.value,
        "minimum": gang.minimum,
        "running": len(gang.running),
        "priority": gang.priority,
        "pods_on_node": sum(p.node == node.name for p in pods_of(scene.view, gang.ref)),
        "lost": _lost(gang, node, scene),
    }


def _lost(gang: Gang, node: Node, scene: Scene) -> bool:
    """Does it lack what it has there? Containers may well run on under a kubelet that does not answer."""
    there = [p for p in pods_of(scene.view, gang.ref) if p.node == node.name and p.phase != "Succeeded"]
    gone = [p for p in there if p.terminating or not p.ready or p.phase != "Running"]
    return bool(there) and (gang.state is GangState.STUCK or bool(gone))


def _left(pods: list[Pod]) -> dict[str, Any]:
    """Pods of no gang that a reboot would take along."""
    owners = sorted({str(p.owner or p.ref) for p in pods})
    return {"pods": len(pods), "owners": owners, "gpus": sum(p.gpus for p in pods)}


def _evidence(scene: Scene, node: Node, fault: NodeFault | None) -> tuple[Evidence, ...]:
    state = "cordoned" if node.unschedulable else "schedulable"
    bad = ", ".join(bad_conditions(node)) or "none bad"
    seen = [seen_object(scene, f"{node.name} is {state}; conditions: {bad}")]
    if fault is not None:
        code = f"XID {fault.code} ({meaning(fault.code)})"
        where = f" on GPU {fault.gpu}" if fault.gpu else ""
        seen.append(
            Evidence(
                kind="signal",
                statement=f"{node.name}: {code}{where}{'' if fault.active else ', cleared since'}",
                source=scene.incident.signals[0].source if scene.incident.signals else "metrics",
                observed_at=fault.last_seen,
                data={"xid": fault.code},
            )
        )
    return tuple(seen)
