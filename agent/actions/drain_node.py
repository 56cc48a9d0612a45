"""Empties a node without breaking a gang: first no new pods, then its gangs requeued whole, then the rest evicted.

A cordoned node keeps the requeued gangs away by itself. Pods that nothing would start again are for their owner, and a
disruption budget that says no is waited for by the executor.
"""

from datetime import datetime

from agent.actions.base import NoParameters, Occasion, Plain, Repairs, Success, refused, unknown_target as unknown
from agent.actions.cordon_node import CordonNode
from agent.actions.evict_pod import eviction
from agent.actions.requeue_gang import RequeueGang, RequeueParameters
from agent.actions.rights import CORE, EVICTING, LEVERS, patching
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef, Pod
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step
from agent.evidence.lingering import lingering
from agent.evidence.lookup import active_pods, find_gang, find_node, in_order, pods_of, tenant_pods_on

_CORDON, _REQUEUE, _AS_IT_WAS = CordonNode(), RequeueGang(), RequeueParameters()


class DrainNode(Plain[NoParameters]):
    name = "drain_node"
    parameters = NoParameters
    rights = (*patching(CORE, "Node"), *LEVERS, *EVICTING)
    verify_within_s = 1800  # a gang waits for the checkpoint of its slowest pod, and there may be several gangs

    def refuse(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> Refusal | None:
        node = find_node(view, target)
        if node is None:
            return unknown(target)
        leaving = _leaving(target, view)
        if node.unschedulable and not leaving:
            return refused("precondition.already_drained", f"{target} is cordoned and empty", "nothing to do")
        plain = [str(pod.ref) for pod in leaving if pod.owner is None and pod.gang is None]
        if plain:
            return refused("precondition.plain_pods", f"nothing would start {', '.join(plain)} again", "ask the owner")
        refusals = (_REQUEUE.refuse(gang.ref, _AS_IT_WAS, view) for gang in _gangs(leaving, view))
        return next((refusal for refusal in refusals if refusal is not None), None)

    def steps(self, target: ObjectRef, params: NoParameters, view: ClusterView, occasion: Occasion) -> tuple[Step, ...]:
        leaving = _leaving(target, view)
        cordon = () if view.nodes[target.name].unschedulable else _CORDON.steps(target, params, view, occasion)
        gangs = [
            step for gang in _gangs(leaving, view) for step in _REQUEUE.steps(gang.ref, _AS_IT_WAS, view, occasion)
        ]
        return (*cordon, *gangs, *(eviction(pod) for pod in leaving if pod.gang is None))

    def blast_radius(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> BlastRadius:
        leaving = _leaving(target, view)
        gangs = _gangs(leaving, view)
        single = [pod for pod in leaving if pod.gang is None]
        stopped = [*single, *(pod for gang in gangs for pod in active_pods(pods_of(view, gang.ref)))]
        return BlastRadius(
            nodes=(target.name,),
            gangs=tuple(str(gang.ref) for gang in gangs),
            workloads=tuple(sorted({str(pod.owner or pod.ref) for pod in single})),
            pods=len(stopped),
            gpus=sum(pod.gpus for pod in stopped),
        )

    def rests_on(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> dict[str, object]:
        node = find_node(view, target)
        if node is None:
            return {"uid": None}
        gangs = _gangs(_leaving(target, view), view)
        requeues = {str(gang.ref): _REQUEUE.rests_on(gang.ref, _AS_IT_WAS, view) for gang in gangs}
        return {"uid": node.uid, "unschedulable": node.unschedulable, "gangs": requeues}

    def destructive(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> bool:
        return bool(_leaving(target, view))

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        node = find_node(view, proposal.target)
        if node is None:
            return Success(True, f"{proposal.target} has left the cluster")
        left = active_pods(tenant_pods_on(view, node.name))  # who is leaving may still write a checkpoint
        if left or not node.unschedulable:
            return Success(None, f"{len(left)} pods are still on {node.name}{lingering(left, view)}")
        for gang in (g for g in in_order(view.gangs) if str(g.ref) in proposal.blast_radius.gangs):
            if gang.state in (GangState.STUCK, GangState.SUSPENDED):
                return Success(None, f"{node.name} is empty, and {gang.ref} is {gang.state}")
        return Success(True, f"{node.name} is empty")

    def inverse(
        self, target: ObjectRef, params: NoParameters, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | None:
        """What was moved stays where it is; the node takes pods again."""
        return _CORDON.inverse(target, params, view, undoes)


def _leaving(target: ObjectRef, view: ClusterView) -> tuple[Pod, ...]:
    """Who must go and has not been told to."""
    return tuple(pod for pod in tenant_pods_on(view, target.name) if not pod.terminating)


def _gangs(pods: tuple[Pod, ...], view: ClusterView) -> list[Gang]:
    refs = sorted({pod.gang for pod in pods if pod.gang is not None}, key=str)
    return [gang for gang in (find_gang(view, ref) for ref in refs) if gang is not None]
