"""Quota that a gang holds although no pod of it exists: others wait for GPUs that nobody uses.

Kueue gives such quota back by itself where its PodsReady time-out is on, and an admission check may make a gang wait
for machines that are still being bought; both are left alone. Only a gang that was fully let in long ago, whose pods
do not come, is told of: when somebody waits for its quota, or when it has been so for longer still.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, Condition, Gang, GangState, ObjectRef
from agent.domain.incident import Symptom
from agent.domain.thresholds import Thresholds
from agent.evidence.condition import Condition as Found, Sight
from agent.evidence.holders import OPT_OUT
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import find_gang, in_order, pods_of, raw_object
from agent.evidence.queues import has_quota, holds, is_queued, queue_of, said
from agent.evidence.quota_books import Books, held

_DONE = ("Complete", "Completed", "Failed", "Succeeded", "Finished")  # a job's own words for its end


def find_unused(sight: Sight) -> list[Found]:
    found = []
    empty = [(gang, empty_since(sight.view, gang)) for gang in in_order(sight.view.gangs)]
    books = Books(sight.view) if any(since is not None for _, since in empty) else None
    for gang, since in empty:
        if books is not None and since is not None and worth_telling(books, gang, since, sight.now, sight.thresholds):
            found.append(Found(Symptom.QUOTA_UNUSED, gang.ref, rfc3339(since)))
    return found


def worth_telling(books: Books, gang: Gang, since: datetime, now: datetime, thresholds: Thresholds) -> bool:
    empty_s = (now - since).total_seconds()
    if empty_s < thresholds.quota_empty_after_s:
        return False
    unasked = empty_s >= thresholds.quota_empty_unasked_after_s
    return unasked or bool(books.waiting_beside(queue_of(books.view, gang), gang))


def empty_since(view: ClusterView, gang: Gang) -> datetime | None:
    """Since when it surely holds quota without a pod; None where it does not, or where the witnesses disagree."""
    if not is_queued(gang) or gang.state is not GangState.QUEUED or gang.running or gang.pending:
        return None
    conditions = said(view, gang.ref)
    if not has_quota(conditions) or not _fully_admitted(view, gang, conditions):
        return None
    if pods_of(view, gang.ref):
        return None  # pods that ended, or that still go: the job is at its end, not before its beginning
    job = job_state(view, gang)
    if job in ("done", "active") or (holds(conditions, "PodsReady") and job != "gone"):
        return None
    times = [each.since for kind, each in conditions.items() if kind in ("QuotaReserved", "Admitted", "PodsReady")]
    known = [each for each in times if each is not None]
    return max(known) if known else None


def _fully_admitted(view: ClusterView, gang: Gang, conditions: Mapping[str, Condition]) -> bool:
    """Let in altogether: a gang whose admission checks are not through waits rightly."""
    if "Admitted" in conditions:
        return holds(conditions, "Admitted")
    status: Any = raw_object(view, gang.ref).get("status") or {}
    return not status.get("admissionChecks")


def job_state(view: ClusterView, gang: Gang) -> str:
    """What is known of the job that should make the pods: gone | suspended | done | active | idle | unknown."""
    ref = gang.job
    if ref is None:
        return _ownerless(view, gang)
    raw: Any = raw_object(view, ref)
    if not raw:
        return "gone" if _in_sight(view, ref) else "unknown"
    status = raw.get("status") or {}
    if any(c.get("type") in _DONE and c.get("status") == "True" for c in status.get("conditions") or ()):
        return "done"
    if (raw.get("spec") or {}).get("suspend") is True:
        return "suspended"
    return "active" if status.get("active") else "idle"


def _ownerless(view: ClusterView, gang: Gang) -> str:
    """A Workload that names a job which is not there; one of our own Gangs makes its pods itself."""
    owners: Any = raw_object(view, gang.ref).get("metadata", {}).get("ownerReferences") or ()
    missing = [each for each in owners if each.get("kind") in ("Job", "JobSet")]
    return "gone" if missing else "unknown"


def _in_sight(view: ClusterView, ref: ObjectRef) -> bool:
    """Does the view hold this kind at all? What it does not serve is not gone for not being there."""
    return ref.kind in ("Job", "JobSet") or any(each.kind == ref.kind for each in view.objects)


def unused_facts(scene: Scene) -> Findings:
    gang = find_gang(scene.view, scene.incident.subject)
    if gang is None:
        return Findings({}, (seen_object(scene, f"{scene.incident.subject} is not in the cluster"),))
    since, books = empty_since(scene.view, gang), Books(scene.view)
    if since is None or not worth_telling(books, gang, since, scene.now, scene.thresholds):
        return Findings({}, (seen_object(scene, f"{gang.ref} is {gang.state}, and its quota is not idle"),))
    waiting = books.waiting_beside(queue_of(scene.view, gang), gang)
    quota = {
        "ref": gang.ref.json_object(),
        "name": str(gang.ref),
        "gpus": held(scene.view, gang),
        "since": rfc3339(since),
        "empty_s": int((scene.now - since).total_seconds()),
        "job": job_state(scene.view, gang),
        "waiting": [str(each.ref) for each in waiting],
        "opted_out": gang.annotations.get(OPT_OUT, "false").lower() != "false",
    }
    told = f"{gang.ref} holds {quota['gpus']} GPUs of quota since {quota['since']}, and no pod of it exists"
    return Findings({"quota": quota}, (seen_object(scene, told),))
