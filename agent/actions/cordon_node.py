"""Keeps new pods off a node. Harms nobody that runs, and is taken back by `uncordon_node`."""

from datetime import datetime

from agent.actions.base import (
    ACTOR,
    ANNOTATION,
    NoParameters,
    Occasion,
    Plain,
    Repairs,
    Success,
    refused,
    unknown_target as unknown,
)
from agent.actions.rights import CORE, patching
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.lookup import find_node
from agent.evidence.nodes import CORDON_INCIDENT, CORDONED_BY

CORDON_REASON = ANNOTATION + "cordon-reason"


def uncordon_body() -> dict[str, object]:
    return {
        "metadata": {"annotations": {CORDONED_BY: None, CORDON_INCIDENT: None, CORDON_REASON: None}},
        "spec": {"unschedulable": False},
    }


class CordonNode(Plain[NoParameters]):
    name = "cordon_node"
    parameters = NoParameters
    rights = patching(CORE, "Node")
    verify_within_s = 120  # an API server that took the patch shows it at the next look

    def refuse(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> Refusal | None:
        node = find_node(view, target)
        if node is None:
            return unknown(target)
        if not node.unschedulable:
            return None
        by = node.annotations.get(CORDONED_BY, "somebody else")
        return refused("precondition.already_cordoned", f"{target} is cordoned already, by {by}", "nothing to do")

    def steps(self, target: ObjectRef, params: NoParameters, view: ClusterView, occasion: Occasion) -> tuple[Step, ...]:
        marks = {CORDONED_BY: ACTOR, CORDON_INCIDENT: occasion.incident, CORDON_REASON: occasion.cause}
        body: dict[str, object] = {"metadata": {"annotations": marks}, "spec": {"unschedulable": True}}
        uid = view.nodes[target.name].uid or None
        return (Step(verb=Verb.PATCH, target=target, body=body, uid=uid, undo=uncordon_body()),)

    def blast_radius(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> BlastRadius:
        return BlastRadius(nodes=(target.name,), gpus=view.nodes[target.name].gpus)

    def rests_on(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> dict[str, object]:
        node = find_node(view, target)
        return {"uid": node.uid, "unschedulable": node.unschedulable} if node else {"uid": None}

    def protective(self, params: NoParameters) -> bool:
        return True

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        node, meant = find_node(view, proposal.target), proposal.rests_on.get("uid")
        if node is None or (meant and node.uid not in (meant, "")):
            other = "" if node is None else ", and another machine bears its name"
            return Success(True, f"{proposal.target.name} has left the cluster{other}")
        if node.unschedulable:
            return Success(True, f"{node.name} takes no new pods")
        return Success(None, f"{node.name} still takes new pods")

    def inverse(
        self, target: ObjectRef, params: NoParameters, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | None:
        node = find_node(view, target)
        if node is None or node.annotations.get(CORDONED_BY) != ACTOR:
            return None
        return (Step(verb=Verb.PATCH, target=target, body=uncordon_body(), uid=node.uid or None),)
