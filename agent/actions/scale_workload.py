"""Gives a workload more or fewer pods: by its scale subresource, or by its autoscaler's limits where it has one.

Who autoscales is never overruled: a number written under a HorizontalPodAutoscaler would be gone at its next look.
How few are too few is for the policies (`disruption.*`).
"""

from datetime import datetime
from typing import Self

from pydantic import Field, ValidationError, model_validator

from agent.actions.autoscaling import Autoscaler, autoscaler_of
from agent.actions.base import Occasion, Plain, Repairs, Success, refused, unknown_target as unknown, wrong_kind
from agent.actions.rights import APPS, patching, scaling
from agent.actions.written import (
    Manifest,
    changed_since,
    driven_by_another,
    forget,
    remember,
    remembered,
    spec_of,
    uid_of,
)
from agent.domain.base import Noun
from agent.domain.cluster import ClusterView, ObjectRef, Pod
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.lookup import active_pods, pods_of, raw_object

REPLICAS_MAX = 1000  # more than any workload of one tenant has; a slip of the pen must not fill a cluster
SCALABLE = ("Deployment", "StatefulSet", "ReplicaSet", "LeaderWorkerSet", "ReplicationController")


class ScaleParameters(Noun):
    replicas: int | None = Field(default=None, ge=0, le=REPLICAS_MAX)
    max_replicas: int | None = Field(default=None, ge=1, le=REPLICAS_MAX)
    target_utilisation: int | None = Field(default=None, ge=1, le=100)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_autoscaler = self.max_replicas is not None or self.target_utilisation is not None
        if by_autoscaler is (self.replicas is not None):
            raise ValueError("give replicas, or what the autoscaler is to keep to")
        return self


class ScaleWorkload(Plain[ScaleParameters]):
    name = "scale_workload"
    parameters = ScaleParameters
    rights = (
        *patching(APPS, *SCALABLE[:3]),
        *scaling(APPS, *SCALABLE[:3]),
        *patching("leaderworkerset.x-k8s.io", "LeaderWorkerSet"),
        *scaling("leaderworkerset.x-k8s.io", "LeaderWorkerSet"),
        *patching("autoscaling", "HorizontalPodAutoscaler"),
    )
    verify_within_s = 900  # a new replica pulls its image and loads its weights

    def refuse(self, target: ObjectRef, params: ScaleParameters, view: ClusterView) -> Refusal | None:
        manifest = raw_object(view, target)
        if not manifest:
            return unknown(target)
        if target.kind not in SCALABLE and not isinstance(spec_of(manifest).get("replicas"), int):
            return wrong_kind(self.name, target, "what has a scale subresource")
        owned = driven_by_another(target, view)
        if owned is not None:
            return owned
        autoscaler = autoscaler_of(target, view)
        if autoscaler is None:
            return _without_autoscaler(target, params, manifest)
        if params.replicas is not None:
            why = f"{autoscaler.ref} decides how many replicas {target} has"
            return refused("precondition.owned_by_autoscaler", why, "give max_replicas or target_utilisation")
        return autoscaler.refuse(params.max_replicas, params.target_utilisation)

    def steps(
        self, target: ObjectRef, params: ScaleParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        autoscaler = autoscaler_of(target, view)
        if autoscaler is not None:
            return (autoscaler.step(params.max_replicas, params.target_utilisation, occasion.proposal),)
        manifest = raw_object(view, target)
        before, uid = replicas_of(manifest), uid_of(manifest)
        marks = {"metadata": remember(occasion.proposal, {"replicas": before})}
        return (
            Step(verb=Verb.PATCH, target=target, body=marks, uid=uid, undo={"metadata": forget()}),
            Step(
                verb=Verb.SCALE,
                target=target,
                body={"replicas": params.replicas},
                uid=uid,
                seen={"replicas": before},
                undo={"replicas": before},
            ),
        )

    def blast_radius(self, target: ObjectRef, params: ScaleParameters, view: ClusterView) -> BlastRadius:
        """The pods that come or go."""
        pods = active_pods(pods_of(view, target))
        count = abs(_change(target, params, view))
        return BlastRadius(workloads=(str(target),), pods=count, gpus=count * max((p.gpus for p in pods), default=0))

    def rests_on(self, target: ObjectRef, params: ScaleParameters, view: ClusterView) -> dict[str, object]:
        manifest, autoscaler = raw_object(view, target), autoscaler_of(target, view)
        rests: dict[str, object] = {"uid": uid_of(manifest)}
        return {**rests, **(autoscaler.rests_on() if autoscaler else {"replicas": replicas_of(manifest)})}

    def destructive(self, target: ObjectRef, params: ScaleParameters, view: ClusterView) -> bool:
        return _change(target, params, view) < 0

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        autoscaler = autoscaler_of(proposal.target, view)
        if autoscaler is not None:
            return _by_autoscaler(proposal, autoscaler, view)
        wanted = next(step.body["replicas"] for step in proposal.steps if step.verb is Verb.SCALE)
        pods = [p for p in active_pods(pods_of(view, proposal.target)) if not p.terminating]
        ready = sum(p.ready for p in pods)
        statement = f"{ready} of {len(pods)} pods of {proposal.target} are ready, {wanted} are wanted"
        return Success(True if ready == len(pods) == wanted else None, statement)

    def inverse(
        self, target: ObjectRef, params: ScaleParameters, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | Refusal | None:
        autoscaler = autoscaler_of(target, view)
        manifest = autoscaler.manifest if autoscaler else raw_object(view, target)
        before = _before(manifest, undoes)
        if before is None:
            return None
        now = autoscaler.now() if autoscaler else {"replicas": replicas_of(manifest)}
        moved = changed_since(autoscaler.ref if autoscaler else target, params.model_dump(exclude_none=True), now)
        if moved is not None:
            return moved
        if autoscaler is not None:
            return (autoscaler.restore(before.max_replicas, before.target_utilisation),)
        set_to = {"replicas": params.replicas}
        return (
            Step(verb=Verb.SCALE, target=target, body={"replicas": before.replicas}, uid=uid_of(manifest), seen=set_to),
            Step(verb=Verb.PATCH, target=target, body={"metadata": forget()}, uid=uid_of(manifest)),
        )


def _by_autoscaler(proposal: Proposal, autoscaler: Autoscaler, view: ClusterView) -> Success:
    """It keeps to the new limits, and what it made of them is ready."""
    if not all(autoscaler.shows(step.body) for step in proposal.steps):
        return Success(None, f"{autoscaler.ref} keeps to other limits")
    wanted = replicas_of(raw_object(view, proposal.target))
    pods = [p for p in active_pods(pods_of(view, proposal.target)) if not p.terminating]
    ready = sum(p.ready for p in pods)
    statement = f"{autoscaler.ref} keeps to the new limits; {ready} of {wanted} pods are ready"
    return Success(True if ready == len(pods) == wanted else None, statement)


def replicas_of(manifest: Manifest) -> int:
    return int(spec_of(manifest).get("replicas", 1))


def _without_autoscaler(target: ObjectRef, params: ScaleParameters, manifest: Manifest) -> Refusal | None:
    if params.replicas is None:
        return refused("precondition.no_autoscaler", f"no autoscaler looks after {target}", "give replicas")
    if params.replicas == replicas_of(manifest):
        return refused("precondition.no_change", f"{target} is to have {params.replicas} already", "nothing to do")
    return None


def _before(manifest: Manifest, undoes: str) -> ScaleParameters | None:
    before = remembered(manifest, undoes)
    try:
        return ScaleParameters.model_validate(before) if before else None
    except ValidationError:
        return None  # a note that somebody else wrote


def _change(target: ObjectRef, params: ScaleParameters, view: ClusterView) -> int:
    """How many pods more there will be; below 0, how many fewer."""
    autoscaler = autoscaler_of(target, view)
    if autoscaler is None:
        return (params.replicas or 0) - replicas_of(raw_object(view, target))
    return _change_by(autoscaler, params, active_pods(pods_of(view, target)))


def _change_by(autoscaler: Autoscaler, params: ScaleParameters, pods: tuple[Pod, ...]) -> int:
    """At most: an autoscaler may use all that it is given."""
    most = params.max_replicas if params.max_replicas is not None else autoscaler.max_replicas
    if params.target_utilisation is not None and params.target_utilisation > (autoscaler.target_utilisation or 0):
        return min(autoscaler.min_replicas, len(pods)) - len(pods)
    return most - len(pods)
