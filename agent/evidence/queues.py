"""Queues as a gang meets them: which one it waits in, whether somebody holds it, and what its own status tells.

Readings of Kueue's Workload, LocalQueue and ClusterQueue and of our own Gang and Queue; nothing is judged here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.domain.base import parse_rfc3339
from agent.domain.cluster import ClusterView, Condition, Gang, ObjectRef
from agent.evidence.lookup import in_order, raw_object

KUEUE, OURS = "kueue.x-k8s.io", "watchkeeper.dev"
_VERSIONS = {KUEUE: ("v1beta2", "v1beta1"), OURS: ("v1alpha1",)}
TIMED_OUT = "PodsReadyTimeout"  # Kueue's reason for sending a gang back whose pods did not become ready in time
PREEMPTED = "Preempted"
_UID = re.compile(r"\(UID: ([0-9A-Za-z-]{1,64})")  # "Preempted to accommodate a workload (UID: …, JobUID: …) due to …"
Raw = Mapping[str, Any]


def group_of(ref: ObjectRef) -> str:
    return ref.api_version.rpartition("/")[0]


def is_queued(gang: Gang) -> bool:
    """A queue lets it in, as a whole."""
    return (group_of(gang.ref), gang.ref.kind) in ((KUEUE, "Workload"), (OURS, "Gang"))


def said(view: ClusterView, ref: ObjectRef) -> dict[str, Condition]:
    """The conditions of an object by type. One that cannot be read is not there."""
    return conditions_in(_map(raw_object(view, ref).get("status")))


def conditions_in(status: Raw) -> dict[str, Condition]:
    found = {}
    for raw in status.get("conditions") or ():
        if isinstance(raw, Mapping) and raw.get("type"):
            text = {key: str(raw.get(key) or "") for key in ("type", "status", "reason", "message")}
            found[text["type"]] = Condition(**text, since=moment(raw.get("lastTransitionTime")))
    return found


def holds(conditions: Mapping[str, Condition], kind: str) -> bool:
    return kind in conditions and conditions[kind].status == "True"


def has_quota(conditions: Mapping[str, Condition]) -> bool:
    return holds(conditions, "QuotaReserved") or holds(conditions, "Admitted")


def queue_of(view: ClusterView, gang: Gang) -> ObjectRef | None:
    """The queue whose quota it takes: a ClusterQueue or one of ours; None where there is none in sight."""
    if group_of(gang.ref) == OURS:
        return _known(view, OURS, "Queue", None, gang.queue)
    local = local_queue_of(view, gang)
    spec = _map(raw_object(view, local).get("spec")) if local else {}
    return _known(view, KUEUE, "ClusterQueue", None, spec.get("clusterQueue"))


def local_queue_of(view: ClusterView, gang: Gang) -> ObjectRef | None:
    return _known(view, KUEUE, "LocalQueue", gang.ref.namespace, gang.queue) if group_of(gang.ref) == KUEUE else None


def held_by(view: ClusterView, gang: Gang) -> ObjectRef | None:
    """The queue on its way in that lets nobody in: stopped by somebody, or not active itself."""
    for queue in (local_queue_of(view, gang), queue_of(view, gang)):
        if queue is not None and is_closed(view, queue):
            return queue
    return None


def is_closed(view: ClusterView, queue: ObjectRef) -> bool:
    stopped = _map(raw_object(view, queue).get("spec")).get("stopPolicy") not in (None, "", "None")
    active = said(view, queue).get("Active")
    return stopped or (active is not None and active.status == "False")


def cohort_of(view: ClusterView, queue: ObjectRef) -> str:
    spec = _map(raw_object(view, queue).get("spec"))
    return str(spec.get("cohortName") or spec.get("cohort") or "")


def reclaims(view: ClusterView, queue: ObjectRef) -> bool:
    """Does the queue take back by itself what others in its cohort borrowed?"""
    preemption = _map(_map(raw_object(view, queue).get("spec")).get("preemption"))
    return preemption.get("reclaimWithinCohort") in ("Any", "LowerPriority")


def gangs_of(view: ClusterView, queue: ObjectRef) -> list[Gang]:
    return [gang for gang in in_order(view.gangs) if queue_of(view, gang) == queue]


def waits_since(view: ClusterView, gang: Gang) -> datetime | None:
    """Since when it waits for its turn: created, or sent back last."""
    conditions = said(view, gang.ref)
    times = [gang.created_at]
    times += [conditions[kind].since for kind in ("Evicted", "Requeued") if kind in conditions]
    known = [each for each in times if each is not None]
    return max(known) if known else None


def backs_off_until(view: ClusterView, gang: Gang) -> datetime | None:
    return moment(_requeue_state(view, gang).get("requeueAt"))


@dataclass(frozen=True, slots=True)
class Evictions:
    """How often it was sent back, by reason, as far as its own status counts."""

    timed_out: int = 0
    preempted: int = 0


def evictions(view: ClusterView, gang: Gang) -> Evictions:
    """`requeueState.count` counts those of the PodsReady time-out; the scheduling statistics count by reason."""
    status = _map(raw_object(view, gang.ref).get("status"))
    by_reason: dict[str, int] = {}
    for each in _list(_map(status.get("schedulingStats")).get("evictions")):
        reason = str(each.get("reason") or "")
        by_reason[reason] = by_reason.get(reason, 0) + whole(each.get("count"))
    requeued = whole(_requeue_state(view, gang).get("count"))
    return Evictions(max(requeued, by_reason.get(TIMED_OUT, 0)), by_reason.get(PREEMPTED, 0))


def preemptor(condition: Condition | None) -> str:
    """The uid of whoever took its place, in Kueue's own sentence; empty where that does not say."""
    found = _UID.search(condition.message) if condition is not None else None
    return found[1] if found else ""


def moment(text: Any) -> datetime | None:
    try:
        return parse_rfc3339(text) if isinstance(text, str) else None
    except ValueError:
        return None


def whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _requeue_state(view: ClusterView, gang: Gang) -> Raw:
    return _map(_map(raw_object(view, gang.ref).get("status")).get("requeueState"))


def _known(view: ClusterView, group: str, kind: str, namespace: str | None, name: Any) -> ObjectRef | None:
    if not isinstance(name, str) or not name:
        return None
    spellings = (f"{group}/{version}" for version in _VERSIONS[group])
    refs = (ObjectRef(api_version=each, kind=kind, namespace=namespace, name=name) for each in spellings)
    return next((ref for ref in refs if ref in view.objects), None)


def _map(value: Any) -> Raw:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Raw]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
