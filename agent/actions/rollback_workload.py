"""Takes a Deployment back to a pod template that it had before, which its ReplicaSets remember by revision.

StatefulSets and DaemonSets keep theirs in ControllerRevisions, which the agent does not read: those are refused.
"""

from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError

from agent.actions.base import Occasion, Plain, Repairs, Success, refused
from agent.actions.rollout import refuse_rollout, rolled, rollout_radius, template_of, wanted
from agent.actions.written import Manifest, annotations_of, forget, merge_patch, remember, remembered, uid_of
from agent.domain.base import Noun, digest_of
from agent.domain.cluster import ClusterView, ObjectRef, Pod
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.lookup import raw_object

REVISION = "deployment.kubernetes.io/revision"
HASH_LABEL = "pod-template-hash"  # the ReplicaSet's own addition to the template


class RollbackParameters(Noun):
    to_revision: int | None = Field(default=None, ge=1)  # None: the one before this one


class RollbackWorkload(Plain[RollbackParameters]):
    name = "rollback_workload"
    parameters = RollbackParameters
    verify_within_s = 1800  # pods go and come a few at a time, and each pulls its image and loads its weights

    def refuse(self, target: ObjectRef, params: RollbackParameters, view: ClusterView) -> Refusal | None:
        why_not = refuse_rollout(self.name, target, view)
        if why_not is not None:
            return why_not
        if target.kind != "Deployment":
            return refused(
                "precondition.no_history", f"the history of {target} is not in sight", "roll it back by hand"
            )
        found = _goal(target, params, view)
        if found is None:
            asked = f"revision {params.to_revision}" if params.to_revision else "an earlier revision"
            return refused("precondition.revision_unknown", f"{target} remembers no {asked}", "look at its ReplicaSets")
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
        marks = remember(occasion.proposal, {"to_revision": _revision_now(target, view)})
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
        sets = {str(uid_of(each)): template_of_set(each) for each in _sets(proposal.target, view)}
        pods = [pod for pod in rolled(proposal.target, view) if not pod.terminating]
        back = [pod for pod in pods if pod.ready and sets.get(_set_uid(pod, view)) == goal]
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


def template_of_set(replica_set: Manifest) -> dict[str, Any]:
    """As its Deployment would write it."""
    template = dict(template_of(replica_set))
    metadata = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _goal(target: ObjectRef, params: RollbackParameters, view: ClusterView) -> dict[str, Any] | None:
    """The template of the revision asked for; of the newest one before this, when none is."""
    now = _revision_now(target, view)
    by_revision = {_revision(each): template_of_set(each) for each in _sets(target, view)}
    earlier = (revision for revision in by_revision if 0 < revision < now)
    return by_revision.get(params.to_revision or max(earlier, default=-1))


def _revision_now(target: ObjectRef, view: ClusterView) -> int:
    """As the Deployment says; where it says nothing yet, its newest ReplicaSet is its own."""
    newest = max((_revision(each) for each in _sets(target, view)), default=0)
    return _revision(raw_object(view, target)) or newest


def _revision(manifest: Manifest) -> int:
    text = str(annotations_of(manifest).get(REVISION, ""))
    return int(text) if text.isdecimal() else 0


def _sets(target: ObjectRef, view: ClusterView) -> list[Manifest]:
    uid = uid_of(raw_object(view, target))
    found = [raw for ref, raw in view.objects.items() if ref.kind == "ReplicaSet" and ref.namespace == target.namespace]
    return [each for each in found if uid is not None and uid in _owner_uids(each)]


def _set_uid(pod: Pod, view: ClusterView) -> str:
    return next(iter(_owner_uids(raw_object(view, pod.ref))), "")


def _owner_uids(manifest: Manifest) -> list[str]:
    owners = manifest.get("metadata", {}).get("ownerReferences") or ()
    return [str(owner.get("uid")) for owner in owners if owner.get("controller")]
