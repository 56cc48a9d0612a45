"""Asks the site's own repair system to see to a node. The agent never touches the hardware itself.

The request is made only for a node that takes no new pods and on which no gang runs any more: a reboot under a gang
would take a part of it, which is the one thing that never happens here.
"""

from datetime import datetime
from typing import Literal

from agent.actions.base import Occasion, Plain, Repairs, Success, refused, step_key, unknown_target as unknown
from agent.domain.base import Noun
from agent.domain.cluster import ClusterView, ObjectRef, Pod
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.lookup import find_node, tenant_pods_on
from agent.evidence.nodes import healthy

# These stop what runs on the node; a diagnosis or a ticket does not.
DISRUPTIVE = frozenset({"reset_gpu", "reboot", "replace"})


class RepairParameters(Noun):
    operation: Literal["diagnose", "reset_gpu", "reboot", "replace", "support"]
    gpu_uuid: str | None = None


class RequestNodeRepair(Plain[RepairParameters]):
    name = "request_node_repair"
    parameters = RepairParameters
    verify_within_s = 1800  # a bare-metal GPU node takes 10 to 15 minutes to boot; twice that means it hangs

    def refuse(self, target: ObjectRef, params: RepairParameters, view: ClusterView) -> Refusal | None:
        node = find_node(view, target)
        if node is None:
            return unknown(target)
        if params.operation == "reset_gpu" and params.gpu_uuid is None:
            return refused("precondition.gpu_unknown", f"which GPU of {target} to reset is not known", "diagnose first")
        if params.operation not in DISRUPTIVE:
            return None
        if not node.unschedulable:
            return refused("precondition.not_cordoned", f"{target} still takes new pods", "cordon it first")
        gangs = self.blast_radius(target, params, view).gangs
        if gangs:
            return refused(
                "precondition.gang_on_node", f"{', '.join(gangs)} still runs on {target}", "requeue it whole first"
            )
        return None

    def steps(
        self, target: ObjectRef, params: RepairParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        body: dict[str, object] = {"operation": params.operation}
        if params.gpu_uuid is not None:
            body["gpu_uuid"] = params.gpu_uuid
        uid = view.nodes[target.name].uid or None
        return (Step(verb=Verb.REQUEST_REPAIR, target=target, body=body, uid=uid),)

    def blast_radius(self, target: ObjectRef, params: RepairParameters, view: ClusterView) -> BlastRadius:
        node = find_node(view, target)
        if node is None or params.operation not in DISRUPTIVE:
            return BlastRadius(nodes=(target.name,))
        pods = _stopped(params, view, node.name)
        return BlastRadius(
            nodes=(node.name,),
            gangs=tuple(sorted({str(p.gang) for p in pods if p.gang is not None})),
            workloads=tuple(sorted({str(p.owner or p.ref) for p in pods if p.gang is None})),
            pods=len(pods),
            gpus=1 if params.operation == "reset_gpu" else node.gpus,
        )

    def rests_on(self, target: ObjectRef, params: RepairParameters, view: ClusterView) -> dict[str, object]:
        node = find_node(view, target)
        return {"uid": node.uid, "unschedulable": node.unschedulable} if node else {"uid": None}

    def destructive(self, target: ObjectRef, params: RepairParameters, view: ClusterView) -> bool:
        return params.operation in DISRUPTIVE and bool(_stopped(params, view, target.name))

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        operation = str(proposal.parameters.get("operation"))
        state = repairs(step_key(proposal, 0))
        if state == "failed":
            return Success(False, f"the repair system reports that {operation} failed")
        if operation == "support":
            return Success(True if state != "unknown" else None, "the support case is with the repair system")
        if state != "succeeded":
            return Success(None, f"{operation} is not finished")
        node = find_node(view, proposal.target)
        if operation == "diagnose" or (node is not None and healthy(node)):
            return Success(True, f"{operation} is finished")
        return Success(None, f"{operation} is finished and {proposal.target.name} is not healthy yet")

    def inverse(
        self, target: ObjectRef, params: RepairParameters, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | None:
        return (Step(verb=Verb.WITHDRAW_REPAIR, target=target, body={"key": f"{undoes}/0"}),)


def _stopped(params: RepairParameters, view: ClusterView, node: str) -> list[Pod]:
    """Whom the repair would stop. Which GPU a pod holds the API does not say: a reset counts all who hold any."""
    return [pod for pod in tenant_pods_on(view, node) if pod.gpus or params.operation != "reset_gpu"]
