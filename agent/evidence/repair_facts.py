"""Facts about a repair: what is to be asked next, and who has to leave a sick GPU before.

Everybody who holds GPUs of the node leaves before one of them is reset, except those of whom telemetry shows that all
their GPUs are others: they are innocent, nobody moves them, and while they are there a person decides. A reboot takes
everybody along, so for one everybody has to leave (`moves`), and while somebody may not be moved (`stays`), a person
decides.
"""

from collections.abc import Sequence
from typing import Any

from agent.domain.cluster import Gang, Node, Pod
from agent.evidence.faults import NodeFault
from agent.evidence.gpus import Gpus
from agent.evidence.leaving import Staying, parted
from agent.evidence.look_facts import Scene
from agent.evidence.lookup import tenant_pods_on
from agent.evidence.repairs import Asked, next_operation
from agent.evidence.xid import FirstAction

SHOWN = 4  # of those who stay: a message has 2000 characters, and a pod's name with its namespace may have 300


def repair_facts(
    scene: Scene, node: Node, fault: NodeFault | None, gangs: Sequence[Gang], asked: Asked, gpus: Gpus
) -> dict[str, Any] | None:
    """Null without a code: what ails the node then, no repair is known for."""
    if fault is None:
        return None
    pods = tenant_pods_on(scene.view, node.name)
    others = [pod for pod in pods if pod.gpus and _elsewhere(pod, fault.gpu_uuid, gpus)]
    lone = [pod for pod in pods if pod.gpus and pod.gang is None and pod not in others]
    spared = {pod.gang for pod in others if pod.gang is not None}
    bound = {pod.gang for pod in pods if pod.gpus and pod not in others}
    leaving = [gang for gang in gangs if gang.ref in bound or gang.ref not in spared]
    known = {gang.ref for gang in gangs}
    gpu = gpus.find(fault.gpu_uuid or "")
    leave, stay = parted([pod for pod in pods if pod.gang is None or pod.gang not in known], node, scene.view)
    movable, bound_here = parted(lone, node, scene.view)
    operation = next_operation(fault.action, (fault.code,), asked, gpu=fault.gpu_uuid, empty=not pods)
    return {
        "operation": operation,
        "gpu_uuid": fault.gpu_uuid,
        "mig": gpu is not None and gpu.mig,
        "gangs": [{"ref": gang.ref.json_object(), "name": str(gang.ref)} for gang in leaving],
        "lone": [{"ref": pod.ref.json_object(), "name": str(pod.ref)} for pod in movable],
        "bound": _named(bound_here),  # those on the sick GPU who may not be moved
        "drains": bool(lone) and all(pod in movable for pod in pods),  # nobody but they would have to go
        "moves": [{"ref": pod.ref.json_object(), "name": str(pod.ref)} for pod in leave],
        "stays": _named(stay),
        "others": sorted({str(pod.gang or pod.owner or pod.ref) for pod in others}),
        "asked": list(asked.operations),
        "resets": fault.action is FirstAction.RESET_GPU,
    }


def _named(staying: Sequence[Staying]) -> list[str]:
    more = [f"and {len(staying) - SHOWN} more"] if len(staying) > SHOWN else []
    return [*(str(each) for each in staying[:SHOWN]), *more]


def _elsewhere(pod: Pod, sick: str | None, gpus: Gpus) -> bool:
    """Are all of the pod's GPUs seen by the exporter, and is none of them the sick one?"""
    name = (pod.ref.namespace or "", pod.ref.name)
    on = [gpu.uuid for gpu in gpus.known if name in gpu.pods]
    return sick is not None and sick not in on and len(on) >= pod.gpus
