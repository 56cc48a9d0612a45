"""Takes a workload back to a pod template that it had before, which its kind remembers by revision (`revisions.py`)."""

from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError

from agent.actions.base import Occasion, Plain, Repairs, Success, refused
from agent.actions.revisions import KEEPS, owner_uids, revision_now, revisions_of, runs
from agent.actions.rights import APPS, patching
from agent.actions.rollout import KINDS, refuse_rollout, rolled, rollout_radius, template_of, wanted
from agent.actions.written import Manifest, forget, merge_patch, remember, remembered, uid_of
from agent.domain.base import Noun, digest_of
from agent.domain.cluster import ClusterView, ObjectRef, Pod
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.lookup import raw_object


class RollbackParameters(Noun):
    to_revision: int | None = Field(default=None, ge=1)  # None: the one before this one


class RollbackWorkload(Plain[RollbackParameters]):
    name = "rollback_workload"
    parameters = RollbackParameters
    rights = patching(APPS, *KINDS)
    verify_within_s = 1800  # pods go and come a few at a time, and each pulls its image and loads its weights

    def refuse(self, target: ObjectRef, params: RollbackParameters, view: ClusterView) -> Refusal | None:
        why_not = refuse_rollout(self.name, target, view)
        if why_not is not None:
            return why_not
        found = _goal(target, params, view)
        if found is None:
            asked = f"revision {params.to_revision}" if params.to_revision else "an earlier revision"
            return refused(
                "precondition.revision_unknown", f"{target} remembers no {asked}", f"look at its {KEEPS[target.kind]}s"
            )
        if found == template_of(raw_object(view, target)):
            return refused("precondition.no_change", f"{target} is at that revision already", "nothing to do")
        return None

    def steps(
        self, target: ObjectRef, params: RollbackParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        manifest, goal = raw_object(view, target), _goal(target, params, view)
        if goal is None:
            return ()
        now = template_of(manifest)
        marks = remember(occasion.proposal, {"to_revision": revision_now(target, view)})
        body: dict[str, object] = {"metadata": marks, "spec": {"template": merge_patch(now, goal)}}
        undo: dict[str, object] = {"metadata": forget(), "spec": {"template": merge_patch(goal, now)}}
        return (Step(verb=Verb.PATCH, target=target, body=body, uid=uid_of(manifest), undo=undo),)

    def blast_radius(self, target: ObjectRef, params: RollbackParameters, view: ClusterView) -> BlastRadius:
        return rollout_radius(target, view)

    def rests_on(self, target: ObjectRef, params: RollbackParameters, view: ClusterView) -> dict[str, object]:
        manifest = raw_object(view, target)
        return {"uid": uid_of(manifest), "template": digest_of(template_of(manifest)), "wanted": wanted(target, view)}

    def destructive(self, target: ObjectRef, params: RollbackParameters, view: ClusterView) -> bool:
        return bool(rolled(target, view))

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        goal = template_of(raw_object(view, proposal.target))
        pods = [pod for pod in rolled(proposal.target, view) if not pod.terminating]
        back = [pod for pod in pods if pod.ready and _is_back(pod, goal, proposal.target, view)]
        moved = digest_of(goal) != proposal.rests_on["template"]
        done = moved and len(back) == len(pods) >= wanted(proposal.target, view)
        return Success(done or None, f"{len(back)} of {len(pods)} pods of {proposal.target} are back and ready")

    def inverse(
        self, target: ObjectRef, params: RollbackParameters, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | None:
        manifest = raw_object(view, target)
        try:
            before = RollbackParameters.model_validate(remembered(manifest, undoes) or {"to_revision": 0})
        except ValidationError:
            return None  # no note of ours
        goal = _goal(target, before, view)
        if goal is None:
            return None
        body: dict[str, object] = {
            "metadata": forget(),
            "spec": {"template": merge_patch(template_of(manifest), goal)},
        }
        return (Step(verb=Verb.PATCH, target=target, body=body, uid=uid_of(manifest)),)


def _goal(target: ObjectRef, params: RollbackParameters, view: ClusterView) -> dict[str, Any] | None:
    """The template of the revision asked for; of the newest one before this, when none is."""
    now = revision_now(target, view)
    by_number = {one.number: one.template for one in revisions_of(target, view)}
    earlier = (number for number in by_number if number < now)
    return by_number.get(params.to_revision or max(earlier, default=-1))


def _is_back(pod: Pod, goal: Manifest, target: ObjectRef, view: ClusterView) -> bool:
    """A Deployment's pod is of the ReplicaSet with that template; another's runs what the template says."""
    manifest = raw_object(view, pod.ref)
    if target.kind != "Deployment":
        return runs(manifest, goal)
    templates = {one.uid: one.template for one in revisions_of(target, view)}
    return any(templates.get(uid) == goal for uid in owner_uids(manifest))
