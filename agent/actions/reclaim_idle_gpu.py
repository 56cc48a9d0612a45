"""Takes idle GPUs back from the workload that holds them, so that it can have them again when it needs them.

That they are idle is judged elsewhere, twice (evidence/idle.py, then again on a fresh look before execution). Here is
only how to stop each kind of owner gently, and how to restore it exactly as it was.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from agent.actions.base import Occasion, Plain, Repairs, Success, refused, wrong_kind
from agent.actions.base import unknown_target as unknown
from agent.actions.reclaim_methods import METHODS
from agent.actions.written import annotations_of
from agent.domain.base import Noun
from agent.domain.cluster import ClusterView, ObjectRef
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
    verify_within_s = 600  # pods get their termination grace; a notebook writes its state

    def refuse(self, target: ObjectRef, params: ReclaimParameters, view: ClusterView) -> Refusal | None:
        method = METHODS.get(target.kind)
        if method is None:
            return wrong_kind(self.name, target, ", ".join(METHODS))
        manifest = raw_object(view, target)
        if not manifest:
            return unknown(target)
        fitting = RECLAIM_METHODS[target.kind]
        if params.method != fitting:
            return refused("precondition.method", f"{params.method} does not fit a {target.kind}", f"use {fitting}")
        if not method.holding(manifest):
            return refused("precondition.holds_nothing", f"{target} is stopped already", "nothing to do")
        return _not_ours(target, manifest, view)

    def steps(
        self, target: ObjectRef, params: ReclaimParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        return METHODS[target.kind].stop(target, raw_object(view, target), occasion.proposal)

    def blast_radius(self, target: ObjectRef, params: ReclaimParameters, view: ClusterView) -> BlastRadius:
        pods = active_pods(pods_of(view, target))
        return BlastRadius(workloads=(str(target),), pods=len(pods), gpus=sum(p.gpus for p in pods))

    def rests_on(self, target: ObjectRef, params: ReclaimParameters, view: ClusterView) -> dict[str, object]:
        manifest = raw_object(view, target)
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
        method = METHODS.get(target.kind)
        return method.start(target, raw_object(view, target)) or None if method else None


def _not_ours(target: ObjectRef, manifest: Mapping[str, Any], view: ClusterView) -> Refusal | None:
    """Owners that something else would start again at once, or that cannot stop this way."""
    if any(p.gang is not None for p in active_pods(pods_of(view, target))):
        return refused("precondition.is_a_gang", f"{target} runs as a gang in a queue", "act on the gang")
    mode = annotations_of(manifest).get("serving.kserve.io/deploymentMode", "")
    if target.kind == "InferenceService" and mode in ("RawDeployment", "Standard"):
        return refused("precondition.no_lever", f"{target} cannot scale to zero in mode {mode}", "ask its owner")
    return None


def _restored(proposal: Proposal, view: ClusterView) -> Success:
    """All of what was there before is ready again; pods that wait for GPUs are not."""
    workload = find_workload(view, proposal.target)
    wanted = (workload.replicas if workload else None) or 1
    ready = [p for p in pods_of(view, proposal.target) if p.ready and p.phase == "Running"]
    if len(ready) >= wanted:
        return Success(True, f"{proposal.target} runs again")
    return Success(None, f"{len(ready)} of {wanted} pods of {proposal.target} are ready")
