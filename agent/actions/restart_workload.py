"""Replaces all pods of a workload by new ones alike, a few at a time, as `kubectl rollout restart` does.

It writes kubectl's own annotation into the pod template. Its value is the proposal's name and not a time: a proposal
made twice from an unchanged world is the same proposal. A restart keeps the revision: asked for with one, it is refused
where the workload has moved on from it.
"""

from datetime import datetime

from pydantic import Field

from agent.actions.base import Occasion, Plain, Repairs, Success, refused
from agent.actions.revisions import revision_now
from agent.actions.rights import APPS, patching
from agent.actions.rollout import KINDS, refuse_rollout, rolled, rollout_radius, template_of, wanted
from agent.actions.written import Body, annotations_of, uid_of
from agent.domain.base import Noun, digest_of
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.lookup import raw_object

RESTARTED = "kubectl.kubernetes.io/restartedAt"


class RestartParameters(Noun):
    to_revision: int | None = Field(default=None, ge=1)  # the one that it must still be at; None: whichever it is at


class RestartWorkload(Plain[RestartParameters]):
    name = "restart_workload"
    parameters = RestartParameters
    rights = patching(APPS, *KINDS)
    verify_within_s = 1800  # pods go and come a few at a time, and each pulls its image and loads its weights

    def refuse(self, target: ObjectRef, params: RestartParameters, view: ClusterView) -> Refusal | None:
        why_not = refuse_rollout(self.name, target, view)
        if why_not is None and not rolled(target, view):
            return refused("precondition.nothing_runs", f"no pod of {target} holds a node", "nothing to do")
        if why_not is None and params.to_revision not in (None, revision_now(target, view)):
            why = f"{target} is not at revision {params.to_revision}, and a restart does not take it there"
            return refused("precondition.revision", why, "rollback_workload takes it to another revision")
        return why_not

    def steps(
        self, target: ObjectRef, params: RestartParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        manifest = raw_object(view, target)
        before = annotations_of(template_of(manifest)).get(RESTARTED)
        body, undo = _stamped(occasion.proposal), _stamped(before)
        return (Step(verb=Verb.PATCH, target=target, body=body, uid=uid_of(manifest), undo=undo),)

    def blast_radius(self, target: ObjectRef, params: RestartParameters, view: ClusterView) -> BlastRadius:
        return rollout_radius(target, view)

    def rests_on(self, target: ObjectRef, params: RestartParameters, view: ClusterView) -> dict[str, object]:
        manifest = raw_object(view, target)
        return {"uid": uid_of(manifest), "template": digest_of(template_of(manifest)), "wanted": wanted(target, view)}

    def destructive(self, target: ObjectRef, params: RestartParameters, view: ClusterView) -> bool:
        return True

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        """New pods carry the template's annotation: how each controller counts its own need not be known."""
        stamp = annotations_of(template_of(proposal.steps[0].body)).get(RESTARTED)
        pods = [pod for pod in rolled(proposal.target, view) if not pod.terminating]
        new = [pod for pod in pods if pod.annotations.get(RESTARTED) == stamp and pod.ready]
        done = len(new) == len(pods) >= wanted(proposal.target, view) > 0
        return Success(done or None, f"{len(new)} of {len(pods)} pods of {proposal.target} are new and ready")

    def inverse(
        self, target: ObjectRef, params: RestartParameters, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | None:
        """The template as it was, which replaces the pods once more."""
        manifest = raw_object(view, target)
        if annotations_of(template_of(manifest)).get(RESTARTED) != undoes:
            return None
        return (Step(verb=Verb.PATCH, target=target, body=_stamped(None), uid=uid_of(manifest)),)


def _stamped(stamp: str | None) -> Body:
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED: stamp}}}}}
