"""Lets nobody new into a queue, and with `drain` sends everybody in it back: whole gangs, by the queue itself."""

from datetime import datetime

from agent.actions.base import ACTOR, Occasion, Plain, Repairs, Success, refused, unknown_target as unknown, wrong_kind
from agent.actions.levers import if_heeded
from agent.actions.queue_switch import (
    HELD_BY,
    HOLD_INCIDENT,
    HOLD_REASON,
    OPEN,
    UNHELD,
    is_queue,
    pods_in,
    running_in,
    stop_policy,
)
from agent.actions.rights import KUEUE, QUEUES, patching
from agent.actions.written import annotations_of, spec_of, uid_of
from agent.domain.base import Noun
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.lookup import raw_object


class HoldParameters(Noun):
    drain: bool = False


class HoldQueue(Plain[HoldParameters]):
    name = "hold_queue"
    parameters = HoldParameters
    rights = (*QUEUES, *patching(KUEUE, "LocalQueue"))
    verify_within_s = 900  # a drained gang may write a checkpoint when told to stop; large ones take minutes

    def refuse(self, target: ObjectRef, params: HoldParameters, view: ClusterView) -> Refusal | None:
        if not is_queue(target):
            return wrong_kind(self.name, target, "ClusterQueue, LocalQueue and Queue")
        manifest = raw_object(view, target)
        if not manifest:
            return unknown(target)
        if stop_policy(manifest) == OPEN:
            return None
        by = annotations_of(manifest).get(HELD_BY, "somebody else")
        return refused("precondition.already_held", f"{target} is held already, by {by}", "nothing to do")

    def steps(
        self, target: ObjectRef, params: HoldParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        manifest = raw_object(view, target)
        marks = {HELD_BY: ACTOR, HOLD_INCIDENT: occasion.incident, HOLD_REASON: occasion.cause}
        body = {"metadata": {"annotations": marks}, "spec": {"stopPolicy": held(params)}}
        before = spec_of(manifest).get("stopPolicy")
        undo = {"metadata": {"annotations": UNHELD}, "spec": {"stopPolicy": before}}
        return (Step(verb=Verb.PATCH, target=target, body=body, uid=uid_of(manifest), undo=undo),)

    def blast_radius(self, target: ObjectRef, params: HoldParameters, view: ClusterView) -> BlastRadius:
        if not params.drain:
            return BlastRadius()
        pods = pods_in(view, target)
        return BlastRadius(gangs=running_in(view, target), pods=len(pods), gpus=sum(pod.gpus for pod in pods))

    def rests_on(self, target: ObjectRef, params: HoldParameters, view: ClusterView) -> dict[str, object]:
        manifest = raw_object(view, target)
        drained = {"gangs": list(running_in(view, target))} if params.drain else {}
        return {"uid": uid_of(manifest), "stop_policy": stop_policy(manifest), **drained}

    def destructive(self, target: ObjectRef, params: HoldParameters, view: ClusterView) -> bool:
        return params.drain and bool(running_in(view, target))

    def protective(self, params: HoldParameters) -> bool:
        return not params.drain

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        policy = stop_policy(raw_object(view, proposal.target))
        if proposal.undoes is not None:
            opened = Success(policy == OPEN or None, f"the stop policy of {proposal.target} is {policy}")
            return if_heeded(opened, proposal.target, view)
        params = HoldParameters.model_validate(proposal.parameters)
        running = running_in(view, proposal.target) if params.drain else ()
        done = policy == held(params) and not running
        said = f"the stop policy of {proposal.target} is {policy}; {len(running)} gangs to stop"
        return if_heeded(Success(done or None, said), proposal.target, view)

    def inverse(
        self, target: ObjectRef, params: HoldParameters, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | None:
        manifest = raw_object(view, target)
        if annotations_of(manifest).get(HELD_BY) != ACTOR or stop_policy(manifest) == OPEN:
            return None
        return (Step(verb=Verb.PATCH, target=target, body=release_body(), uid=uid_of(manifest)),)


def held(params: HoldParameters) -> str:
    return "HoldAndDrain" if params.drain else "Hold"


def release_body() -> dict[str, object]:
    return {"metadata": {"annotations": UNHELD}, "spec": {"stopPolicy": OPEN}}
