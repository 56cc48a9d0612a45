"""Replaces all pods of a workload by new ones alike, a few at a time, as `kubectl rollout restart` does.

It writes kubectl's own annotation into the pod template. Its value is the proposal's name and not a time: a proposal
made twice from an unchanged world is the same proposal.
"""

from datetime import datetime

from agent.actions.base import NoParameters, Occasion, Plain, Repairs, Success, refused
from agent.actions.rollout import refuse_rollout, rolled, rollout_radius, template_of, wanted
from agent.actions.written import Body, annotations_of, uid_of
from agent.domain.base import digest_of
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.lookup import raw_object

RESTARTED = "kubectl.kubernetes.io/restartedAt"


class RestartWorkload(Plain[NoParameters]):
    name = "restart_workload"
    parameters = NoParameters
    verify_within_s = 1800  # pods go and come a few at a time, and each pulls its image and loads its weights

    def refuse(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> Refusal | None:
        why_not = refuse_rollout(self.name, target, view)
        if why_not is None and not rolled(target, view):
            return refused("precondition.nothing_runs", f"no pod of {target} holds a node", "nothing to do")
        return why_not

    def steps(self, target: ObjectRef, params: NoParameters, view: ClusterView, occasion: Occasion) -> tuple[Step, ...]:
        manifest = raw_object(view, target)
        before = annotations_of(template_of(manifest)).get(RESTARTED)
        body, undo = _stamped(occasion.proposal), _stamped(before)
        return (Step(verb=Verb.PATCH, target=target, body=body, uid=uid_of(manifest), undo=undo),)

    def blast_radius(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> BlastRadius:
        return rollout_radius(target, view)

    def rests_on(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> dict[str, object]:
        manifest = raw_object(view, target)
        return {"uid": uid_of(manifest), "template": digest_of(template_of(manifest)), "wanted": wanted(target, view)}

    def destructive(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> bool:
        return True

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        """New pods carry the template's annotation: how each controller counts its own need not be known."""
        stamp = annotations_of(template_of(proposal.steps[0].body)).get(RESTARTED)
        pods = [pod for pod in rolled(proposal.target, view) if not pod.terminating]
        new = [pod for pod in pods if pod.annotations.get(RESTARTED) == stamp and pod.ready]
        done = len(new) == len(pods) >= wanted(proposal.target, view) > 0
        return Success(done or None, f"{len(new)} of {len(pods)} pods of {proposal.target} are new and ready")

    def inverse(
        self, target: ObjectRef, params: NoParameters, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | None:
        """The template as it was, which replaces the pods once more."""
        manifest = raw_object(view, target)
        if annotations_of(template_of(manifest)).get(RESTARTED) != undoes:
            return None
        return (Step(verb=Verb.PATCH, target=target, body=_stamped(None), uid=uid_of(manifest)),)


def _stamped(stamp: str | None) -> Body:
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED: stamp}}}}}
