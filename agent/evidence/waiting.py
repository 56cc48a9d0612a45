"""Gangs that wait whole although there is something to be done: free GPUs that lie scattered, or a place that was
lost with a node and has been taken since.

A queue is made for waiting, so waiting alone is nothing. Scattered: its quota is there, as many GPUs are free as it
needs, and no node has room for enough of its pods; a gang without a queue waits so when its pods are there and find no
node. Lost: it ran, was sent back for a node's sake, and since then
somebody else has been let in. What to do about either is for `waiting_plan.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, Gang, GangState, Node, Pod
from agent.domain.incident import Symptom
from agent.domain.outcome import PastAction
from agent.domain.thresholds import Thresholds
from agent.evidence.admission_loops import sent_back
from agent.evidence.condition import Condition, Sight
from agent.evidence.holding import is_reserved
from agent.evidence.lookup import in_order, pods_of, raw_object, same_object
from agent.evidence.queues import (
    TIMED_OUT,
    backs_off_until,
    has_quota,
    held_by,
    holds,
    is_queued,
    queue_of,
    said,
    waits_since,
)
from agent.evidence.quota_books import Books, needs

_NODE_LOST = frozenset({"NodeFailures", "NodeFailure"})  # Kueue's reasons for a gang whose node failed
_RECOVERY = "WaitForRecovery"  # PodsReady's reason for a gang that ran and lost a pod


@dataclass(frozen=True, slots=True)
class Waiting:
    gang: Gang
    kind: Literal["scattered", "lost"]
    since: datetime


def find_waiting(sight: Sight) -> list[Condition]:
    queued = [
        gang for gang in in_order(sight.view.gangs) if gang.state is GangState.QUEUED and _may_wait(sight.view, gang)
    ]
    books = Books(sight.view) if queued else None
    found = [waiting(books, gang, sight.history, sight.now, sight.thresholds) for gang in queued if books is not None]
    return [
        Condition(Symptom.GANG_WAITING, each.gang.ref, f"{each.kind} {rfc3339(each.since)}", {"kind": each.kind})
        for each in found
        if each is not None
    ]


def waiting(
    books: Books, gang: Gang, history: Sequence[PastAction], now: datetime, thresholds: Thresholds
) -> Waiting | None:
    """How and since when it waits; None where it only waits for its turn."""
    view = books.view
    if gang.state is not GangState.QUEUED or gang.running or not needs(gang):
        return None
    if not is_queued(gang):
        return _scattered_for_long(books, gang, now, thresholds)
    until = backs_off_until(view, gang)
    if held_by(view, gang) is not None or (until is not None and until > now):
        return None
    if sent_back(view, gang) >= thresholds.admission_loop_times_min:
        return None
    after_s = thresholds.gang_waiting_after_s
    lost = lost_at(view, gang, history)
    if lost is not None and (now - lost).total_seconds() >= after_s and took_its_place(view, gang, lost):
        return Waiting(gang, "lost", lost)
    return _scattered_for_long(books, gang, now, thresholds)


def _scattered_for_long(books: Books, gang: Gang, now: datetime, thresholds: Thresholds) -> Waiting | None:
    since = _scattered_since(books, gang)
    late = since is not None and (now - since).total_seconds() >= thresholds.gang_waiting_after_s
    return Waiting(gang, "scattered", since) if since is not None and late else None


def lost_at(view: ClusterView, gang: Gang, history: Sequence[PastAction]) -> datetime | None:
    """When it was sent back for a node's sake: by the agent because of a sick node, or by Kueue itself."""
    ours = [past.at for past in history if _for_a_nodes_sake(past, gang)]
    if ours:
        return max(ours)
    conditions = said(view, gang.ref)
    evicted, ready = conditions.get("Evicted"), conditions.get("PodsReady")
    if evicted is None or evicted.status != "True":
        return None
    recovering = evicted.reason == TIMED_OUT and ready is not None and ready.reason == _RECOVERY
    return evicted.since if evicted.reason in _NODE_LOST or recovering else None


def _for_a_nodes_sake(past: PastAction, gang: Gang) -> bool:
    if past.undo or past.outcome != "succeeded":
        return False
    named = (
        past.action == "requeue_gang" and same_object(past.target, gang.ref) and past.parameters.get("exclude_nodes")
    )
    return bool(named) or (past.action == "drain_node" and str(gang.ref) in past.gangs)


def took_its_place(view: ClusterView, gang: Gang, since: datetime) -> list[Gang]:
    """Gangs that were let in after it had lost its place, and run."""
    return [each for each in in_order(view.gangs) if each.ref != gang.ref and _began_after(view, each, since)]


def _began_after(view: ClusterView, gang: Gang, moment: datetime) -> bool:
    if gang.state is not GangState.RUNNING or not gang.gpus_per_pod:
        return False
    admitted = said(view, gang.ref).get("Admitted")
    began = admitted.since if admitted is not None and admitted.status == "True" else gang.created_at
    return began is not None and began > moment


def _may_wait(view: ClusterView, gang: Gang) -> bool:
    """In a queue, or in none and with pods that find no node."""
    return is_queued(gang) or bool(_unplaced(view, gang))


def _unplaced(view: ClusterView, gang: Gang) -> list[Pod]:
    return [p for p in pods_of(view, gang.ref) if p.phase == "Pending" and p.unschedulable and not p.terminating]


def _scattered_since(books: Books, gang: Gang) -> datetime | None:
    if not is_queued(gang):
        since, wanted = _no_node_since(books.view, gang)
        return since if since is not None and _lies_scattered(books, gang, wanted) else None
    since, conditions = waits_since(books.view, gang), said(books.view, gang.ref)
    admitted = conditions["Admitted"].since if holds(conditions, "Admitted") else None
    if since is None or not (has_quota(conditions) or _quota_is_there(books, gang)):
        return None
    if not _lies_scattered(books, gang, _wanted_labels(raw_object(books.view, gang.ref))):
        return None
    return max(since, admitted) if admitted else since


def _no_node_since(view: ClusterView, gang: Gang) -> tuple[datetime | None, Mapping[str, str]]:
    """Since when enough of its pods find no node, and the labels of the only nodes that they may have."""
    pods = _unplaced(view, gang)
    times = [moment for pod in pods if (moment := pod.pending_since or pod.created_at) is not None]
    if len(times) < gang.minimum:
        return None, {}
    specs = [raw_object(view, pod.ref).get("spec") or {} for pod in pods]
    wanted = [spec.get("nodeSelector") or {} for spec in specs]
    return max(times), wanted[0] if all(each == wanted[0] for each in wanted) else {}


def _lies_scattered(books: Books, gang: Gang, wanted: Mapping[str, str]) -> bool:
    """As many GPUs are free as it needs, on nodes that it may have, and too few of them on one node."""
    free = [gpus for name, gpus in books.free.items() if _is_for(books.view.nodes[name], wanted)]
    places = sum(gpus // gang.gpus_per_pod for gpus in free)
    return sum(free) >= needs(gang) and places < gang.minimum


def _is_for(node: Node, wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= node.labels.items() and not is_reserved(node)


def _wanted_labels(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels of the only nodes that its pods may have. None where its pod sets differ: then every node counts."""
    sets = (manifest.get("spec") or {}).get("podSets") or ()
    wanted = [((each.get("template") or {}).get("spec") or {}).get("nodeSelector") or {} for each in sets]
    return wanted[0] if wanted and all(each == wanted[0] for each in wanted) else {}


def _quota_is_there(books: Books, gang: Gang) -> bool:
    queue = queue_of(books.view, gang)
    return queue is not None and books.used(queue) + needs(gang) <= books.nominal(queue)
