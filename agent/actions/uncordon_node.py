"""Gives a node back. Only what the agent cordoned itself: another's cordon is another's decision."""

from datetime import datetime

from agent.actions.base import (
    ACTOR,
    NoParameters,
    Occasion,
    Plain,
    Repairs,
    Success,
    refused,
    unknown_target as unknown,
)
from agent.actions.cordon_node import CORDON_REASON, uncordon_body
from agent.actions.rights import CORE, patching
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.lookup import find_node
from agent.evidence.nodes import CORDON_INCIDENT, CORDONED_BY


class UncordonNode(Plain[NoParameters]):
    name = "uncordon_node"
    parameters = NoParameters
    rights = patching(CORE, "Node")
    verify_within_s = 120

    def refuse(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> Refusal | None:
        node = find_node(view, target)
        if node is None:
            return unknown(target)
        if not node.unschedulable:
            return refused("precondition.not_cordoned", f"{target} is not cordoned", "nothing to do")
        if node.annotations.get(CORDONED_BY) != ACTOR:
            return refused(
                "precondition.cordoned_by_other", f"{target} was cordoned by somebody else", "ask who cordoned it"
            )
        if not node.ready:
            return refused("precondition.node_not_ready", f"{target} is not ready", "repair it first")
        return None

    def steps(self, target: ObjectRef, params: NoParameters, view: ClusterView, occasion: Occasion) -> tuple[Step, ...]:
        node = view.nodes[target.name]
        marks = {key: node.annotations.get(key) for key in (CORDONED_BY, CORDON_INCIDENT, CORDON_REASON)}
        undo: dict[str, object] = {"metadata": {"annotations": marks}, "spec": {"unschedulable": True}}
        return (Step(verb=Verb.PATCH, target=target, body=uncordon_body(), uid=node.uid or None, undo=undo),)

    def blast_radius(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> BlastRadius:
        return BlastRadius(nodes=(target.name,))

    def rests_on(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> dict[str, object]:
        node = find_node(view, target)
        if node is None:
            return {"uid": None}
        return {
            "uid": node.uid,
            "unschedulable": node.unschedulable,
            "cordoned_by": node.annotations.get(CORDONED_BY),
        }

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        node = find_node(view, proposal.target)
        if node is not None and not node.unschedulable:
            return Success(True, f"{node.name} takes pods again")
        return Success(None, f"{proposal.target.name} is still cordoned")
