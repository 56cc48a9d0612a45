"""Takes idle GPUs back from the workload that holds them, so that it can have them again when it needs them.

That they are idle is judged elsewhere, twice (evidence/idle.py, then again on a fresh look before execution). Here is
only how to stop each kind of owner gently, and how to restore it exactly as it was.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from agent.actions.base import Occasion, Plain, Repairs, Success, refused, unknown_target as unknown, wrong_kind
from agent.actions.reclaim_gang import gang_of, refuse_gang, rests_on_gang, start_gang, stop_gang
from agent.actions.reclaim_methods import METHODS
from agent.actions.rights import APPS, LEVERS, TEMPLATES, patching, scaling
from agent.actions.written import annotations_of
from agent.domain.base import Noun
from agent.domain.cluster import ClusterView, GangState, ObjectRef
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step
from agent.evidence.holders import RECLAIM_METHODS
from agent.evidence.lookup import active_pods, find_workload, pods_of, raw_object

GRACE_DEFAULT_S = 900
GRACE_MAX_S = 86400


class ReclaimParameters(Noun):
    method: Literal["scale_to_zero", "suspend", "stop"]
    grace_s: int = Field(default=GRACE_DEFAULT_S, ge=0, le=GRACE_MAX_S)


class ReclaimIdleGpu(Plain[ReclaimParameters]):
    name = "reclaim_idle_gpu"
    parameters = ReclaimParameters
    rights = (
        *patching(APPS, "Deployment", "StatefulSet"),
        *scaling(APPS, "Deployment", "StatefulSet"),
        *patching("kubeflow.org", "Notebook"),
        *patching("serving.kserve.io", "InferenceService"),
        *LEVERS,
        *TEMPLATES,  # and what else Kueue admits bears our mark while its gang is held
        *patching("kubeflow.org", "MPIJob"),
        *patching("ray.io", "RayCluster"),
        *patching("trainer.kubeflow.org", "TrainJob"),
        *patching("leaderworkerset.x-k8s.io", "LeaderWorkerSet"),
    )
    verify_within_s = 600  # pods get their termination grace; a notebook writes its state

    def refuse(self, target: ObjectRef, params: ReclaimParameters, view: ClusterView) -> Refusal | None:
        method, gang = METHODS.get(target.kind), gang_of(target, view)
        manifest = raw_object(view, target)
        if gang is not None and manifest:
            return refuse_gang(target, gang, params.method, view)
        if method is None:
            return wrong_kind(self.name, target, ", ".join(METHODS))
        if not manifest:
            return unknown(target)
        fitting = RECLAIM_METHODS[target.kind]
        if params.method != fitting:
            return refused("precondition.method", f"{params.method} does not fit a {target.kind}", f"use {fitting}")
        if not method.holding(manifest):
            return refused("precondition.holds_nothing", f"{target} is stopped already", "nothing to do")
        return _not_ours(target, manifest)

    def steps(
        self, target: ObjectRef, params: ReclaimParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        gang = gang_of(target, view)
        if gang is not None:
            return stop_gang(target, gang, view, occasion.proposal)
        return METHODS[target.kind].stop(target, raw_object(view, target), occasion.proposal)

    def blast_radius(self, target: ObjectRef, params: ReclaimParameters, view: ClusterView) -> BlastRadius:
        pods = active_pods(pods_of(view, target))
        gang = gang_of(target, view)
        gangs = (str(gang.ref),) if gang else ()
        return BlastRadius(workloads=(str(target),), gangs=gangs, pods=len(pods), gpus=sum(p.gpus for p in pods))

    def rests_on(self, target: ObjectRef, params: ReclaimParameters, view: ClusterView) -> dict[str, object]:
        manifest, gang = raw_object(view, target), gang_of(target, view)
        if gang is not None and manifest:
            return rests_on_gang(target, gang, view)
        method = METHODS.get(target.kind)
        if not manifest or method is None:
            return {"uid": None}
        return {"uid": manifest.get("metadata", {}).get("uid"), **method.rests_on(manifest)}

    def destructive(self, target: ObjectRef, params: ReclaimParameters, view: ClusterView) -> bool:
        return True

    def notice_s(self, params: ReclaimParameters) -> int:
        return params.grace_s

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        holding = [p for p in pods_of(view, proposal.target) if p.holds_gpus]
        if proposal.undoes is not None:
            return _restored(proposal, view)
        if not holding:
            return Success(True, f"{proposal.target} holds no GPU any more")
        return Success(None, f"{len(holding)} pods of {proposal.target} still hold GPUs")

    def inverse(
        self, target: ObjectRef, params: ReclaimParameters, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | None:
        gang = gang_of(target, view)
        if gang is not None:
            return start_gang(target, gang, view) or None
        method = METHODS.get(target.kind)
        return method.start(target, raw_object(view, target)) or None if method else None


def _not_ours(target: ObjectRef, manifest: Mapping[str, Any]) -> Refusal | None:
    """Owners that cannot stop this way."""
    mode = annotations_of(manifest).get("serving.kserve.io/deploymentMode", "")
    if target.kind == "InferenceService" and mode in ("RawDeployment", "Standard"):
        return refused("precondition.no_lever", f"{target} cannot scale to zero in mode {mode}", "ask its owner")
    return None


def _restored(proposal: Proposal, view: ClusterView) -> Success:
    """All of what was there before is ready again; pods that wait for GPUs are not."""
    gang = gang_of(proposal.target, view)
    if gang is not None:
        back = gang.state in (GangState.RUNNING, GangState.QUEUED, GangState.FINISHED)
        return Success(back or None, f"{gang.ref} is {gang.state}")
    workload = find_workload(view, proposal.target)
    wanted = (workload.replicas if workload else None) or 1
    ready = [p for p in pods_of(view, proposal.target) if p.ready and p.phase == "Running"]
    if len(ready) >= wanted:
        return Success(True, f"{proposal.target} runs again")
    return Success(None, f"{len(ready)} of {wanted} pods of {proposal.target} are ready")
