"""Does what was called dead go on working? One line of a log or one alert against what the GPU and its gang do since.

A GPU that has left the bus has no series any more, or ones that repeat themselves for ever, and its gang makes no step.
So only these speak for it, all of them of later than the fault was told of: its own counters still move while it is at
work, or the steps of the training on it advance, and no gauge tells of a fault. Without telemetry nothing new is
concluded: what a person was called about stays with that person. Whom to tell is for the playbooks; while it is so, no
remedy that would stop anybody is asked for, whichever playbook wants it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from agent.domain.cluster import Node, Pod
from agent.evidence.faults import NodeFault
from agent.evidence.frozen import ENERGY, POWER
from agent.evidence.gpus import Gpus
from agent.evidence.hanging import PROGRESS
from agent.evidence.labels import pod_of
from agent.evidence.look_facts import Scene
from agent.evidence.lookup import pods_of, tenant_pods_on
from agent.evidence.pod_series import PodKey, key_of
from agent.evidence.reading import gpu_name, read_gpus
from agent.evidence.witnesses import METRICS, Saying
from agent.evidence.xid import HARMLESS_TO_THE_GPU
from agent.ports import Metrics, Series

SCRAPED_S = 60  # exporters are scraped every 15 to 60 s: what is read so long after the line is of after it
DECIDED_S = 120  # and by then two such reads differ, where anything moves
LATELY_S = 300  # who has done nothing for so long does not work any more; a step of a large model takes minutes
STEP = timedelta(seconds=30)
READS = 6  # the last of them: a GPU that has stopped meanwhile does not move in these
_STOPS_NOBODY = frozenset({"notify", "cordon_node", "uncordon_node"})
LIVELY = 3  # a power draw that is read to be so many different ones is measured and not repeated


def contradiction(
    scene: Scene, node: Node, fault: NodeFault | None, gpus: Gpus, current: Mapping[str, int] | None
) -> tuple[str, ...]:
    """What speaks against the fault, a sentence each; nothing where it has to be believed."""
    if fault is None or not fault.active or fault.action in HARMLESS_TO_THE_GPU:
        return ()
    if scene.metrics is None:
        return _told_before(scene, node)
    if scene.now < scene.incident.opened_at + timedelta(seconds=DECIDED_S) or _shown(fault, gpus, current or {}):
        return ()
    if _has_left(scene.metrics, node, fault, gpus):
        return ()
    settled = (scene.now - fault.last_seen).total_seconds() >= DECIDED_S
    told = fault.last_seen if settled else scene.incident.opened_at  # a line said again is given its own time
    since = max(told + timedelta(seconds=SCRAPED_S), scene.now - timedelta(seconds=LATELY_S))
    found = [*_gpu_works(scene.metrics, fault, since, scene.now), *_steps_advance(scene, node, fault, gpus, since)]
    if found and fault.gpu and not fault.confirmed:
        found.append(f"its own XID gauge does not read {fault.code}")
    return tuple(found)


def stops_nobody(action: str, parameters: Mapping[str, Any]) -> bool:
    """May it be done although the fault is contradicted?"""
    return action in _STOPS_NOBODY or (action == "request_node_repair" and parameters.get("operation") == "diagnose")


def goes_on(scene: Scene, node: Node, fault: NodeFault, since: datetime) -> bool:
    """Has a gang there made steps since, or has the GPU worked? Whatever is lost does neither for long, so the next
    scrapes tell more. However long ago it was told: what was done before of late says nothing about now."""
    since = max(since, scene.now - timedelta(seconds=LATELY_S))
    if scene.metrics is not None and _gpu_works(scene.metrics, fault, since, scene.now):
        return True
    gangs = {p.gang for p in scene.view.pods_on(node.name) if p.gang is not None and p.ready and not p.terminating}
    keys = {key_of(p) for gang in gangs for p in pods_of(scene.view, gang)}
    return scene.metrics is not None and any(_moved(scene.metrics, since, scene.now, keys).values())


def _told_before(scene: Scene, node: Node) -> tuple[str, ...]:
    """It was contradicted while there was telemetry: a person was called, and nothing else was ever done about it."""
    ours = [past.action for past in scene.history if past.incident == scene.incident.id and past.outcome == "succeeded"]
    return (f"it was so when {node.name} could still be seen",) if ours == ["notify"] else ()


def _shown(fault: NodeFault, gpus: Gpus, current: Mapping[str, int]) -> bool:
    """A gauge tells of a fault too: of this GPU, or of one that may be it; or of what goes along with it (63 of 48)."""
    if fault.confirmed and current.get(fault.gpu, 0):
        return True
    return bool(fault.sick_gpus) and (fault.gpu in fault.sick_gpus or gpus.find(fault.gpu) is None)


def _has_left(metrics: Metrics, node: Node, fault: NodeFault, gpus: Gpus) -> bool:
    """The GPU had series before the line and has none now; where nobody knows which one it is, any of the node's."""
    before = read_gpus(metrics, node.name, fault.last_seen - timedelta(seconds=SCRAPED_S))
    meant = gpus.find(fault.gpu) or before.find(fault.gpu)
    now = {gpu.uuid for gpu in gpus.known}
    return meant.uuid not in now if meant else any(gpu.uuid not in now for gpu in before.known)


def _gpu_works(metrics: Metrics, fault: NodeFault, since: datetime, now: datetime) -> list[str]:
    power = _of_gpu(metrics, POWER, fault.gpu, since, now) if fault.gpu else None
    if power is None or METRICS[POWER].says(power.points[-1][1], power.labels) is not Saying.BUSY:
        return []
    if _said(power) < LIVELY and _said(_of_gpu(metrics, ENERGY, fault.gpu, since, now)) < 2:
        return []
    return [f"GPU {fault.gpu} draws {power.points[-1][1]:.0f} W and goes on measuring it"]


def _said(series: Series | None) -> int:
    """How many different values of late."""
    return len({value for _, value in series.points[-READS:]}) if series is not None else 0


def _of_gpu(metrics: Metrics, name: str, gpu: str, since: datetime, now: datetime) -> Series | None:
    """The one series of this GPU; none where it has several (instances, or a pod that has just left)."""
    found = [s for s in metrics.range(name, since, now, STEP) if gpu_name(s.labels) == gpu and s.points]
    return found[0] if len(found) == 1 else None


def _steps_advance(scene: Scene, node: Node, fault: NodeFault, gpus: Gpus, since: datetime) -> list[str]:
    """Of the training that holds this GPU; of all who hold the node's GPUs together, where it is not known whose."""
    gpu = gpus.find(fault.gpu)
    holders = [p for p in tenant_pods_on(scene.view, node.name) if p.gpus and p.ready and not p.terminating]
    if gpu is not None and gpu.pods:
        holders = [p for p in holders if key_of(p) in gpu.pods]
    elif sum(p.gpus for p in holders) < node.gpus:
        return []
    if not holders or scene.metrics is None:
        return []
    every = {key_of(m) for p in holders for m in (pods_of(scene.view, p.gang) if p.gang else [p])}
    moved = _moved(scene.metrics, since, scene.now, every)
    if not all(_has_moved(scene, p, moved) for p in holders):
        return []
    names = sorted({str(p.gang or p.owner or p.ref) for p in holders})
    return [f"{', '.join(names)} on it has made steps since {since:%H:%M:%S}"]


def _has_moved(scene: Scene, pod: Pod, moved: Mapping[PodKey, bool]) -> bool:
    """The pod's own counter where it has one: others of its gang may go on without it."""
    if key_of(pod) in moved:
        return moved[key_of(pod)]
    return pod.gang is not None and any(moved.get(key_of(p), False) for p in pods_of(scene.view, pod.gang))


def _moved(metrics: Metrics, since: datetime, now: datetime, keys: set[PodKey]) -> dict[PodKey, bool]:
    """Of these pods, those with a counter of steps: has any of theirs gone forward?"""
    found: dict[PodKey, bool] = {}
    for name in PROGRESS if keys else ():
        for one in metrics.range(name, since, now, STEP):
            key = pod_of(one.labels)
            if key in keys and one.points:
                values = [value for _, value in one.points]
                found[key] = found.get(key, False) or any(a < b for a, b in pairwise(values))
    return found
