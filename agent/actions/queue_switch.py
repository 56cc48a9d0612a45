"""Queues as the actions on them see them: which gangs wait in one, and how it is held and let go.

A queue is held by its own `stopPolicy`: with Hold nobody new is admitted, with HoldAndDrain everybody in it is evicted
as well. Whether to do it is for the playbooks.
"""

from agent.actions.base import ANNOTATION
from agent.actions.written import Manifest, spec_of
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef, Pod
from agent.evidence.lookup import active_pods, in_order, pods_of, raw_object

KUEUE, OURS = "kueue.x-k8s.io", "watchkeeper.dev"
QUEUES = frozenset({(KUEUE, "ClusterQueue"), (KUEUE, "LocalQueue"), (OURS, "Queue")})
OPEN = "None"
HELD_BY, HOLD_INCIDENT, HOLD_REASON = (ANNOTATION + each for each in ("held-by", "hold-incident", "hold-reason"))
UNHELD: dict[str, object] = {HELD_BY: None, HOLD_INCIDENT: None, HOLD_REASON: None}


def is_queue(ref: ObjectRef) -> bool:
    return (_group(ref), ref.kind) in QUEUES


def stop_policy(manifest: Manifest) -> str:
    return str(spec_of(manifest).get("stopPolicy") or OPEN)


def gangs_in(view: ClusterView, queue: ObjectRef) -> list[Gang]:
    """Those that have not finished, by reference."""
    return [gang for gang in in_order(view.gangs) if gang.state is not GangState.FINISHED and _waits(gang, queue, view)]


def pods_in(view: ClusterView, queue: ObjectRef) -> tuple[Pod, ...]:
    """Pods of its gangs that hold a node."""
    return tuple(pod for gang in gangs_in(view, queue) for pod in active_pods(pods_of(view, gang.ref)))


def running_in(view: ClusterView, queue: ObjectRef) -> tuple[str, ...]:
    return tuple(str(gang.ref) for gang in gangs_in(view, queue) if active_pods(pods_of(view, gang.ref)))


def _waits(gang: Gang, queue: ObjectRef, view: ClusterView) -> bool:
    if gang.queue is None:
        return False
    if queue.kind == "Queue":
        return _group(gang.ref) == OURS and gang.queue == queue.name
    if _group(gang.ref) != KUEUE:
        return False
    if queue.kind == "LocalQueue":
        return (gang.ref.namespace, gang.queue) == (queue.namespace, queue.name)
    local = ObjectRef(
        api_version=gang.ref.api_version, kind="LocalQueue", namespace=gang.ref.namespace, name=gang.queue
    )
    return bool(spec_of(raw_object(view, local)).get("clusterQueue") == queue.name)


def _group(ref: ObjectRef) -> str:
    return ref.api_version.rpartition("/")[0]
