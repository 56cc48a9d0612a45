"""Puts a gang back into its queue, whole: all its pods stop, then all start again, or it waits as one.

It uses the queue's own safe lever (Kueue and Gang: spec.active; Job and JobSet: spec.suspend; PodGroup: the Eviction
API for every pod). It never writes a Workload's conditions or admission, and never touches a part of a gang.
"""

from datetime import datetime

from pydantic import Field

from agent.actions.base import (
    ANNOTATION,
    Occasion,
    Plain,
    Repairs,
    Success,
    refused,
    unknown_target as unknown,
    wrong_kind,
)
from agent.actions.exclusion import HOSTNAME, exclusion
from agent.actions.levers import driver_of, evicted, if_heeded, lever, lever_of
from agent.actions.rights import EVICTING, LEVERS, TEMPLATES
from agent.domain.base import Noun
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef, Pod
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb, WaitFor
from agent.evidence.lookup import active_pods, find_gang, pods_of, raw_object, same_object

STOP_TIMEOUT_S = 900  # a training pod may write a checkpoint when told to stop; large ones take minutes
EXCLUDED_NODES_MAX = 64
DELAY_MAX_S = 3600
FROM_CHECKPOINT = ANNOTATION + "from-checkpoint"


class RequeueParameters(Noun):
    delay_s: int = Field(default=0, ge=0, le=DELAY_MAX_S)
    exclude_nodes: tuple[str, ...] = Field(default=(), max_length=EXCLUDED_NODES_MAX)
    from_checkpoint: bool | None = None


class RequeueGang(Plain[RequeueParameters]):
    name = "requeue_gang"
    parameters = RequeueParameters
    rights = (*LEVERS, *TEMPLATES, *EVICTING)
    verify_within_s = 900  # image pulls of training images take minutes
    for_others = True

    def refuse(self, target: ObjectRef, params: RequeueParameters, view: ClusterView) -> Refusal | None:
        if lever(target) is None and not evicted(target):
            return wrong_kind(self.name, target, "Workload, PodGroup, Job, JobSet and Gang")
        gang = find_gang(view, target)
        if gang is None:
            return unknown(target)
        if not same_object(gang.ref, target):
            return refused(
                "precondition.owned_by_queue", f"{target} is driven by {gang.ref}", f"requeue {gang.ref} instead"
            )
        if gang.state in (GangState.FINISHED, GangState.SUSPENDED):
            return refused("precondition.not_running", f"{target} is {gang.state}", "nothing to do")
        return _members_refusal(gang, view) or _lever_refusal(gang, params, view)

    def steps(
        self, target: ObjectRef, params: RequeueParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        gang = find_gang(view, target)
        if gang is None:
            return ()
        pods = _members(view, gang)
        if evicted(gang.ref):
            return tuple(Step(verb=Verb.EVICT, target=p.ref, uid=p.uid or None) for p in pods)
        stopped = WaitFor(
            condition="pods_gone", pods=_waited_for(view, pods), delay_s=params.delay_s, timeout_s=STOP_TIMEOUT_S
        )
        moved = _exclusion_step(gang, params, view, stopped)
        if moved is None:
            return (_stop(gang, params), _start(gang, stopped))
        return (_stop(gang, params), moved, _start(gang, None))

    def blast_radius(self, target: ObjectRef, params: RequeueParameters, view: ClusterView) -> BlastRadius:
        gang = find_gang(view, target)
        if gang is None:
            return BlastRadius()
        pods = _members(view, gang)
        return BlastRadius(gangs=(str(gang.ref),), pods=len(pods), gpus=sum(p.gpus for p in pods))

    def rests_on(self, target: ObjectRef, params: RequeueParameters, view: ClusterView) -> dict[str, object]:
        """Which gang it is and how it is held; not its pods, which a sick node keeps replacing."""
        gang = find_gang(view, target)
        if gang is None:
            return {"uid": None}
        held = lever(gang.ref)
        rests: dict[str, object] = {"uid": gang.uid, "minimum": gang.minimum, "queue": gang.queue}
        if gang.job is not None:
            rests["job_uid"] = _uid(view, gang.job)
        if held is not None:
            rests[held[0]] = raw_object(view, gang.ref).get("spec", {}).get(*held)
        if params.exclude_nodes:
            rests["cordoned"] = {n: view.nodes[n].unschedulable for n in params.exclude_nodes if n in view.nodes}
        return rests

    def destructive(self, target: ObjectRef, params: RequeueParameters, view: ClusterView) -> bool:
        gang = find_gang(view, target)
        return gang is not None and bool(_members(view, gang))

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        gang = find_gang(view, proposal.target)
        if gang is None or gang.state is GangState.FINISHED:
            return Success(True, f"{proposal.target} has finished")
        if _old_pods_left(proposal, view):
            return Success(None, f"pods of {gang.ref} have not stopped yet")
        if gang.state is GangState.RUNNING:
            return Success(True, f"{gang.ref} runs whole again")
        if gang.state is not GangState.QUEUED:
            return Success(None, f"{gang.ref} is {gang.state}")
        return if_heeded(Success(True, f"{gang.ref} waits whole in its queue"), gang.ref, view)


def _lever_refusal(gang: Gang, params: RequeueParameters, view: ClusterView) -> Refusal | None:
    """What this kind's lever cannot do."""
    kept_out = _uncordoned(params, view)
    driver = driver_of(raw_object(view, gang.ref))
    if driver is not None:
        return refused(
            "precondition.owned_by_controller",
            f"{driver} drives {gang.ref} and would resume it at once",
            f"suspend {driver}, or queue it with Kueue",
        )
    if evicted(gang.ref):
        if kept_out or params.delay_s or params.from_checkpoint:
            return refused(
                "precondition.no_lever",
                f"a {gang.ref.kind} can be evicted whole, not delayed or kept off nodes",
                "cordon the nodes first",
            )
        return None
    if raw_object(view, gang.ref).get("metadata", {}).get("labels", {}).get("kueue.x-k8s.io/queue-name") and (
        gang.ref.kind in ("Job", "JobSet")
    ):
        return refused(
            "precondition.owned_by_queue", f"Kueue drives {gang.ref}, its Workload is not in sight", "look at Kueue"
        )
    template = gang.job or gang.ref
    if kept_out and exclusion(template.kind, raw_object(view, template), kept_out) is None:
        return refused(
            "precondition.no_lever", f"a {template.kind} cannot be kept off {', '.join(kept_out)}", "cordon them first"
        )
    return None


def _members_refusal(gang: Gang, view: ClusterView) -> Refusal | None:
    """Nothing to stop, or something that nothing would start again."""
    members = _members(view, gang)
    if not members:
        return refused("precondition.nothing_runs", f"no pod of {gang.ref} holds a node", "nothing to do")
    plain = [p.ref.name for p in members if p.owner is None]
    if plain:
        return refused("precondition.plain_pods", f"nothing would start {', '.join(plain)} again", "ask the owner")
    return None


def _members(view: ClusterView, gang: Gang) -> tuple[Pod, ...]:
    return active_pods(pods_of(view, gang.ref))


def _waited_for(view: ClusterView, pods: tuple[Pod, ...]) -> tuple[str, ...]:
    """Those whose end a kubelet can report: a pod on a node that is not ready would be waited for in vain."""
    return tuple(p.uid for p in pods if p.node and p.node in view.nodes and view.nodes[p.node].ready)


def _old_pods_left(proposal: Proposal, view: ClusterView) -> bool:
    waited = {uid for step in proposal.steps if step.wait_for for uid in step.wait_for.pods}
    evicted = {step.uid for step in proposal.steps if step.verb is Verb.EVICT}
    return any(p.uid in waited | evicted and p.phase in ("Pending", "Running") for p in view.pods.values())


def _stop(gang: Gang, params: RequeueParameters) -> Step:
    field, running = lever_of(gang)
    body: dict[str, object] = {"spec": {field: not running}}
    if params.from_checkpoint is not None:
        body["metadata"] = {"annotations": {FROM_CHECKPOINT: str(params.from_checkpoint).lower()}}
    return Step(verb=Verb.PATCH, target=gang.ref, body=body, uid=gang.uid or None, undo={"spec": {field: running}})


def _start(gang: Gang, wait: WaitFor | None) -> Step:
    field, running = lever_of(gang)
    return Step(verb=Verb.PATCH, target=gang.ref, body={"spec": {field: running}}, uid=gang.uid or None, wait_for=wait)


def _exclusion_step(gang: Gang, params: RequeueParameters, view: ClusterView, wait: WaitFor) -> Step | None:
    nodes = _uncordoned(params, view)
    if not nodes:
        return None
    template = gang.job or gang.ref
    hostnames = [view.nodes[n].labels.get(HOSTNAME, n) for n in nodes]
    change = exclusion(template.kind, raw_object(view, template), hostnames)
    if change is None:
        return None
    return Step(
        verb=Verb.PATCH,
        target=template,
        body=change.body,
        uid=_uid(view, template),
        seen=change.undo,
        undo=change.undo,
        wait_for=wait,
    )


def _uncordoned(params: RequeueParameters, view: ClusterView) -> list[str]:
    """A cordoned node keeps itself out; one that is gone needs no keeping out."""
    return sorted(n for n in set(params.exclude_nodes) if n in view.nodes and not view.nodes[n].unschedulable)


def _uid(view: ClusterView, ref: ObjectRef) -> str | None:
    uid = raw_object(view, ref).get("metadata", {}).get("uid")
    return str(uid) if uid else None
