"""Asks one pod to leave its node, by the Eviction API: a disruption budget may say no, and then the executor waits.

Never a delete, never a member of a gang, and never a pod that nothing would start again.
"""

from datetime import datetime

from agent.actions.base import (
    NoParameters,
    Occasion,
    Plain,
    Repairs,
    Success,
    refused,
    unknown_target as unknown,
    wrong_kind,
)
from agent.actions.rights import EVICTING
from agent.domain.cluster import ClusterView, ObjectRef, Pod
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.lingering import lingering
from agent.evidence.lookup import active_pods, find_workload, pods_of


class EvictPod(Plain[NoParameters]):
    name = "evict_pod"
    parameters = NoParameters
    rights = EVICTING
    verify_within_s = 900  # its successor pulls its image and loads its weights

    def refuse(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> Refusal | None:
        if target.kind != "Pod":
            return wrong_kind(self.name, target, "Pod")
        pod = _find(target, view)
        if pod is None:
            return unknown(target)
        if pod.gang is not None:
            return refused("precondition.is_a_gang", f"{target} is part of {pod.gang}", f"requeue {pod.gang} whole")
        if pod.owner is None:
            return refused("precondition.plain_pods", f"nothing would start {target} again", "ask the owner")
        if pod.terminating or not active_pods((pod,)):
            return refused("precondition.not_running", f"{target} holds no node, or leaves it already", "nothing to do")
        return None

    def steps(self, target: ObjectRef, params: NoParameters, view: ClusterView, occasion: Occasion) -> tuple[Step, ...]:
        pod = _find(target, view)
        return (eviction(pod),) if pod else ()

    def blast_radius(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> BlastRadius:
        pod = _find(target, view)
        if pod is None:
            return BlastRadius()
        return BlastRadius(workloads=(str(pod.owner or pod.ref),), pods=1, gpus=pod.gpus)

    def rests_on(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> dict[str, object]:
        pod = _find(target, view)
        if pod is None:
            return {"uid": None}
        return {"uid": pod.uid, "node": pod.node, "owner": str(pod.owner), "gang": str(pod.gang) if pod.gang else None}

    def destructive(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> bool:
        return True

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        evicted = {step.uid for step in proposal.steps}
        staying = [pod for pod in view.pods.values() if pod.uid in evicted]
        if staying:
            return Success(None, f"{proposal.target} has not left yet{lingering(staying, view)}")
        owners = [w for name in proposal.blast_radius.workloads for w in view.workloads.values() if str(w.ref) == name]
        for owner in owners:
            if owner.ref.kind == "DaemonSet":
                return _again_on_its_node(proposal, owner.ref, view)
            ready = sum(pod.ready for pod in pods_of(view, owner.ref))
            workload = find_workload(view, owner.ref)
            if workload is not None and ready < (workload.replicas or 0):
                return Success(None, f"{ready} of {workload.replicas} pods of {owner.ref} are ready")
        return Success(True, f"{proposal.target} left, and its owner has what it wants")


def _again_on_its_node(proposal: Proposal, owner: ObjectRef, view: ClusterView) -> Success:
    """A DaemonSet wants one on each node, so it is this node's successor that counts."""
    node = proposal.rests_on.get("node")
    if node not in view.nodes:
        return Success(True, f"{proposal.target} left with its node {node}")
    back = any(pod.ready and pod.node == node and not pod.terminating for pod in pods_of(view, owner))
    return Success(back or None, f"{owner} {'runs again' if back else 'does not run yet'} on {node}")


def eviction(pod: Pod) -> Step:
    return Step(verb=Verb.EVICT, target=pod.ref, uid=pod.uid or None)


def _find(target: ObjectRef, view: ClusterView) -> Pod | None:
    return view.pods.get((target.namespace or "", target.name))
