"""Moves a few pods and gangs out of the way so that a waiting gang fits: pods by the Eviction API, gangs whole.

Which moves, and that everybody finds a new place, is worked out beforehand by the scheduler core
(`scheduler_core/defragment.py`); here they are done as they are written down, or refused.
"""

from datetime import datetime
from typing import Any

from pydantic import Field, model_serializer, model_validator

from agent.actions.base import (
    NoParameters,
    Occasion,
    Plain,
    Repairs,
    Success,
    refused,
    unknown_target as unknown,
    wrong_kind,
)
from agent.actions.evict_pod import EvictPod, eviction
from agent.actions.queue_switch import is_queue
from agent.actions.requeue_gang import RequeueGang, RequeueParameters
from agent.actions.rights import EVICTING, LEVERS, TEMPLATES
from agent.domain.base import Noun
from agent.domain.cluster import ClusterView, GangState, ObjectRef, Pod
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step
from agent.evidence.lookup import active_pods, find_gang, find_workload, pods_of, raw_object

MOVES_MAX = 8  # twice what a plan of the core holds
_EVICT, _REQUEUE = EvictPod(), RequeueGang()


class Move(Noun):
    """A pod or a gang, where it is, and where the forecast puts it."""

    pod: ObjectRef | None = None
    gang: ObjectRef | None = None
    sources: tuple[str, ...] = Field(alias="from", min_length=1)
    targets: tuple[str, ...] = Field(alias="to", default=())

    @model_validator(mode="after")
    def _one_thing(self) -> "Move":
        if (self.pod is None) == (self.gang is None):
            raise ValueError("give a pod or a gang, and not both")
        return self

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        thing = {"pod": self.pod.json_object()} if self.pod else {"gang": self.what.json_object()}
        return {**thing, "from": list(self.sources), "to": list(self.targets)}

    @property
    def what(self) -> ObjectRef:
        found = self.pod or self.gang
        if found is None:
            raise ValueError("a move of nothing")
        return found


class DefragmentParameters(Noun):
    moves: tuple[Move, ...] = Field(min_length=1, max_length=MOVES_MAX)
    predicted_gain: int = Field(default=0, ge=0)  # GPUs that the waiting gang then holds


class Defragment(Plain[DefragmentParameters]):
    name = "defragment"
    parameters = DefragmentParameters
    rights = (*LEVERS, *TEMPLATES, *EVICTING)
    verify_within_s = 1200  # what moves stops, starts elsewhere and loads its weights; then the gang pulls its images
    for_others = True

    def refuse(self, target: ObjectRef, params: DefragmentParameters, view: ClusterView) -> Refusal | None:
        if not is_queue(target):
            return wrong_kind(self.name, target, "ClusterQueue, LocalQueue and Queue")
        if not raw_object(view, target):
            return unknown(target)
        if len({str(move.what) for move in params.moves}) < len(params.moves):
            return refused("parameters.invalid", "a pod or gang is moved twice", "move it once")
        return next((why for move in params.moves if (why := _refuse_move(move, view)) is not None), None)

    def steps(
        self, target: ObjectRef, params: DefragmentParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        pods = tuple(eviction(pod) for pod in _pods(params, view))
        gangs = (_REQUEUE.steps(ref, _away(move), view, occasion) for move in params.moves if (ref := move.gang))
        return (*pods, *(step for steps in gangs for step in steps))

    def blast_radius(self, target: ObjectRef, params: DefragmentParameters, view: ClusterView) -> BlastRadius:
        single = _pods(params, view)
        gangs = tuple(str(move.gang) for move in params.moves if move.gang)
        moved = [*single, *(pod for move in params.moves if move.gang for pod in _members(move.gang, view))]
        owners = tuple(sorted({str(pod.owner) for pod in single}))
        return BlastRadius(gangs=gangs, workloads=owners, pods=len(moved), gpus=sum(pod.gpus for pod in moved))

    def rests_on(self, target: ObjectRef, params: DefragmentParameters, view: ClusterView) -> dict[str, object]:
        rests: dict[str, object] = {str(pod.ref): {"uid": pod.uid, "node": pod.node} for pod in _pods(params, view)}
        for move in params.moves:
            if move.gang:
                rests[str(move.gang)] = _REQUEUE.rests_on(move.gang, _away(move), view)
        return rests

    def destructive(self, target: ObjectRef, params: DefragmentParameters, view: ClusterView) -> bool:
        return True

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        """Everybody who moved is back, and the gang that it was done for runs."""
        params = DefragmentParameters.model_validate(proposal.parameters)
        left_over = {step.uid for step in proposal.steps} & {pod.uid for pod in view.pods.values()}
        if left_over:
            return Success(None, f"{len(left_over)} pods have not left yet")
        for name in (*proposal.blast_radius.workloads, *(str(move.gang) for move in params.moves if move.gang)):
            why = _not_back(name, view)
            if why:
                return Success(None, why)
        wanted = proposal.prediction.starts if proposal.prediction else ()
        running = [str(ref) for ref, gang in view.gangs.items() if gang.state is GangState.RUNNING]
        missing = sorted(set(wanted) - set(running))
        return Success(
            not missing or None, f"{', '.join(missing) or 'everybody'} {'has not started' if missing else 'runs'}"
        )


def _refuse_move(move: Move, view: ClusterView) -> Refusal | None:
    if move.gang:
        return _REQUEUE.refuse(move.gang, _away(move), view)
    found = _EVICT.refuse(move.what, NoParameters(), view)
    pod = view.pods.get((move.what.namespace or "", move.what.name))
    if found is None and pod is not None and pod.node not in move.sources:
        return refused("precondition.moved", f"{move.what} is on {pod.node}, not on {move.sources[0]}", "plan anew")
    return found


def _away(move: Move) -> RequeueParameters:
    return RequeueParameters(exclude_nodes=move.sources)


def _pods(params: DefragmentParameters, view: ClusterView) -> list[Pod]:
    named = [(move.pod.namespace or "", move.pod.name) for move in params.moves if move.pod]
    return [view.pods[key] for key in named if key in view.pods]


def _members(gang: ObjectRef, view: ClusterView) -> tuple[Pod, ...]:
    return active_pods(pods_of(view, gang))


def _not_back(name: str, view: ClusterView) -> str:
    """Why a workload or a gang that was moved is not whole again; empty where it is."""
    for workload in view.workloads.values():
        if str(workload.ref) == name:
            ready = sum(pod.ready for pod in pods_of(view, workload.ref))
            known = find_workload(view, workload.ref)
            wanted = known.replicas or 0 if known else 0
            return f"{ready} of {wanted} pods of {name} are ready" if ready < wanted else ""
    for gang in view.gangs.values():
        if str(gang.ref) == name:
            found = find_gang(view, gang.ref)
            back = found is None or found.state in (GangState.RUNNING, GangState.FINISHED)
            return "" if back else f"{name} does not run again yet"
    return ""
