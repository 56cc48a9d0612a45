"""One first, and the rest once it is well again: what is the first of a proposal's objects, and is it well.

A gang is one object, however many of its pods are told to leave: acting on a part of it would stop it all. Pure; the
executor waits.
"""

from agent.domain.cluster import ClusterView, GangState, ObjectRef
from agent.domain.proposal import Proposal, Step, Verb
from agent.domain.thread import Canary
from agent.evidence.lookup import find_gang, find_workload, pods_of

GATE_S = 900  # a successor pulls its image and loads its weights; past this it is not well
_TOUCHES = (Verb.PATCH, Verb.SCALE, Verb.EVICT)


def canary_of(proposal: Proposal, view: ClusterView) -> Canary | None:
    """None where there are not two objects: then there is nothing to hold back. A node that is cordoned is no object
    of this kind, for nothing on it stops."""
    steps = [(i, step) for i, step in enumerate(proposal.steps) if step.verb in _TOUCHES and step.target.kind != "Node"]
    if not steps:
        return None
    first = _object(steps[0][1], view)
    gate = next((index for index, step in steps if _object(step, view) != first), None)
    if gate is None:
        return None
    stopped = tuple(step.uid for index, step in steps if index < gate and step.verb is Verb.EVICT and step.uid)
    return Canary(first=_whole(steps[0][1], view), stopped=stopped, gate=gate)


def not_well(canary: Canary, view: ClusterView) -> str:
    """Why the rest has to wait; "" once it need not."""
    if any(pod.uid in canary.stopped and pod.phase in ("Pending", "Running") for pod in view.pods.values()):
        return f"the first pod of {canary.first} has not stopped yet"
    gang = find_gang(view, canary.first)
    if gang is not None:
        well = gang.state in (GangState.RUNNING, GangState.QUEUED, GangState.FINISHED)
        return "" if well else f"{gang.ref} is {gang.state}"
    workload = find_workload(view, canary.first)
    if workload is None or workload.suspended:
        return ""
    ready = sum(pod.ready and not pod.terminating for pod in pods_of(view, canary.first))
    wanted = 1 if workload.replicas is None else workload.replicas
    return "" if ready >= wanted else f"{ready} of {wanted} pods of {canary.first} are ready"


def _object(step: Step, view: ClusterView) -> ObjectRef:
    """What the step stops: a pod of a gang stands for its gang."""
    pod = view.pods.get((step.target.namespace or "", step.target.name)) if step.target.kind == "Pod" else None
    return pod.gang if pod is not None and pod.gang is not None else step.target


def _whole(step: Step, view: ClusterView) -> ObjectRef:
    """What has to be whole again: the gang, or the owner of the pod."""
    pod = view.pods.get((step.target.namespace or "", step.target.name)) if step.target.kind == "Pod" else None
    return (pod.gang or pod.owner or step.target) if pod is not None else step.target
