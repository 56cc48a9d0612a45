"""How a gang gives its GPUs back, whole, and gets into its queue again: by the queue's own lever, never pod by pod.

That it is idle, and finished, is judged elsewhere; `reclaim_idle_gpu` chooses between this and the other methods.
"""

from agent.actions.base import refused
from agent.actions.levers import lever, lever_of
from agent.actions.written import annotations_of, uid_of
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef
from agent.domain.proposal import Refusal, Step, Verb
from agent.evidence.lookup import active_pods, find_gang, pods_of, raw_object, same_object
from agent.evidence.restore import RECLAIMED_BY, RESTORE

METHOD = "suspend"


def gang_of(target: ObjectRef, view: ClusterView) -> Gang | None:
    """The gang as which the target's pods run, or waits."""
    gangs = {str(pod.gang): pod.gang for pod in active_pods(pods_of(view, target)) if pod.gang is not None}
    first = next((gangs[name] for name in sorted(gangs)), None)
    return find_gang(view, first) if first else find_gang(view, target)


def refuse_gang(target: ObjectRef, gang: Gang, method: str, view: ClusterView) -> Refusal | None:
    if method != METHOD:
        return refused("precondition.method", f"{method} does not fit the gang {gang.ref}", f"use {METHOD}")
    if lever(gang.ref) is None:
        return refused("precondition.no_lever", f"{gang.ref} cannot be told to wait", "ask its owner")
    if gang.state is not GangState.RUNNING:
        return refused("precondition.not_running", f"{gang.ref} is {gang.state}", "nothing to do")
    mine = {pod.ref for pod in active_pods(pods_of(view, target))}
    if {pod.ref for pod in active_pods(pods_of(view, gang.ref))} != mine:
        return refused("precondition.is_a_gang", f"{gang.ref} is more than {target}", f"act on {gang.ref}")
    return None


def stop_gang(target: ObjectRef, gang: Gang, view: ClusterView, proposal: str) -> tuple[Step, ...]:
    field, running = lever_of(gang)
    held: dict[str, object] = {"spec": {field: not running}}
    free: dict[str, object] = {"spec": {field: running}}
    stop = Step(verb=Verb.PATCH, target=gang.ref, body=held, uid=gang.uid or None, undo=free)
    return (_mark(target, view, proposal), stop)


def start_gang(target: ObjectRef, gang: Gang, view: ClusterView) -> tuple[Step, ...]:
    """Only what a reclaim has stopped."""
    field, running = lever_of(gang)
    if RECLAIMED_BY not in annotations_of(raw_object(view, target)) or lever(gang.ref) is None:
        return ()
    free: dict[str, object] = {"spec": {field: running}}
    return (
        Step(verb=Verb.PATCH, target=gang.ref, body=free, uid=gang.uid or None),
        _mark(target, view, None),
    )


def rests_on_gang(target: ObjectRef, gang: Gang, view: ClusterView) -> dict[str, object]:
    field, running = lever(gang.ref) or ("", True)
    held = raw_object(view, gang.ref).get("spec", {}).get(field, running)
    of_gang = {} if same_object(gang.ref, target) else {"gang": str(gang.ref), "gang_uid": gang.uid}
    return {"uid": uid_of(raw_object(view, target)), field: held, **of_gang}


def _mark(target: ObjectRef, view: ClusterView, proposal: str | None) -> Step:
    marks: dict[str, object] = {RECLAIMED_BY: proposal}
    if proposal is None:
        marks[RESTORE] = None
    nothing: dict[str, object] = {"metadata": {"annotations": {RECLAIMED_BY: None, RESTORE: None}}}
    body: dict[str, object] = {"metadata": {"annotations": marks}}
    uid = uid_of(raw_object(view, target))
    return Step(verb=Verb.PATCH, target=target, body=body, uid=uid, undo=nothing if proposal else None)
