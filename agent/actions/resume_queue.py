"""Opens a queue again. Only what the agent held itself: another's hold is another's decision."""

from datetime import datetime

from agent.actions.base import ACTOR, Occasion, Plain, Repairs, Success, refused, unknown_target as unknown, wrong_kind
from agent.actions.hold_queue import release_body
from agent.actions.levers import if_heeded
from agent.actions.queue_switch import HELD_BY, OPEN, UNHELD, is_queue, stop_policy
from agent.actions.rights import KUEUE, QUEUES, patching
from agent.actions.written import annotations_of, uid_of
from agent.domain.base import Noun
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.lookup import raw_object


class ResumeParameters(Noun):
    drain: bool | None = None  # how it was held; it opens either way


class ResumeQueue(Plain[ResumeParameters]):
    name = "resume_queue"
    parameters = ResumeParameters
    rights = (*QUEUES, *patching(KUEUE, "LocalQueue"))
    verify_within_s = 120  # an API server that took the patch shows it at the next look

    def refuse(self, target: ObjectRef, params: ResumeParameters, view: ClusterView) -> Refusal | None:
        if not is_queue(target):
            return wrong_kind(self.name, target, "ClusterQueue, LocalQueue and Queue")
        manifest = raw_object(view, target)
        if not manifest:
            return unknown(target)
        if stop_policy(manifest) == OPEN:
            return refused("precondition.not_held", f"{target} is not held", "nothing to do")
        if annotations_of(manifest).get(HELD_BY) != ACTOR:
            return refused("precondition.held_by_other", f"{target} was held by somebody else", "ask who held it")
        return None

    def steps(
        self, target: ObjectRef, params: ResumeParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        manifest = raw_object(view, target)
        marks = {key: annotations_of(manifest).get(key) for key in UNHELD}
        undo = {"metadata": {"annotations": marks}, "spec": {"stopPolicy": stop_policy(manifest)}}
        return (Step(verb=Verb.PATCH, target=target, body=release_body(), uid=uid_of(manifest), undo=undo),)

    def blast_radius(self, target: ObjectRef, params: ResumeParameters, view: ClusterView) -> BlastRadius:
        return BlastRadius()

    def rests_on(self, target: ObjectRef, params: ResumeParameters, view: ClusterView) -> dict[str, object]:
        manifest = raw_object(view, target)
        held_by = annotations_of(manifest).get(HELD_BY)
        return {"uid": uid_of(manifest), "stop_policy": stop_policy(manifest), "held_by": held_by}

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        policy = stop_policy(raw_object(view, proposal.target))
        opened = Success(policy == OPEN or None, f"the stop policy of {proposal.target} is {policy}")
        return if_heeded(opened, proposal.target, view)
