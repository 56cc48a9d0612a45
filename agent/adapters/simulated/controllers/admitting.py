"""Queues let gangs in by quota: Kueue's Workloads and our own Gangs alike.

Only a change that could let somebody in asks for a round: a gang that arrived, was switched on or gave its quota back,
a queue that changed; where starts are held for large gangs, whatever makes room on a node, too, since then a gang needs
its nodes at once. What follows for an admitted gang's job and pods is `workloads.py`'s business.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from agent.adapters.kubernetes.owners import Key, key_of as key_of_ref
from agent.adapters.scheduler.admitting import Seats, admit_waiting
from agent.adapters.scheduler.mapping import snapshot_of
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.controllers.scheduling import makes_room
from agent.adapters.simulated.evictions import NOT_READY, evict, forgotten, queued_at
from agent.adapters.simulated.gangs import GANG_KINDS, holds_quota, is_active, is_gang, is_workload
from agent.adapters.simulated.keys import ref_of
from agent.adapters.simulated.queued import UID_LABEL
from agent.adapters.simulated.store import Change
from agent.domain.cluster import ClusterView, ObjectRef
from agent.ports import JsonObject
from scheduler_core.preemption import Cause
from scheduler_core.quota_tree import Place
from scheduler_core.start import Assignment

ADMIT = Key("", "", "", "admit")
_QUEUE_KINDS = ("ClusterQueue", "LocalQueue", "Cohort", "ResourceFlavor", "Queue")


class Admitting:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind in _QUEUE_KINDS:
            return () if change.status_only else (ADMIT,)
        if self._control.reservations is not None and makes_room(change):
            return (ADMIT,)
        if not is_gang(change.key):
            return ()
        gave_back = _has_quota(change.before) and not _has_quota(change.after)
        asks = change.after is not None and is_active(change.after) and not holds_quota(change.after)
        again = asks and not _is_requeued(change.before) and _is_requeued(change.after)
        return (ADMIT,) if gave_back or again or (asks and not change.status_only) else ()

    def reconcile(self, key: Key) -> None:
        view = self._control.overview.view()
        gangs = {ref_of(each): each for kind in GANG_KINDS for each in self._control.store.of_kind(*kind)}
        waiting = {ref: each for ref, each in gangs.items() if ref in view.gangs and self._asks(each, view)}
        if not waiting:
            return
        pinned = [ref for ref, each in gangs.items() if self._control.pinning.pinned(each)]
        result = admit_waiting(view, waiting, pinned, self._control.reservations)
        for ref, (cause, for_whom) in result.preempted.items():
            self._preempt(ref, cause, for_whom, view)
        for ref, assignment in result.admitted.items():
            self._admit(waiting[ref], assignment, result.places.get(ref, {}))
        for ref, why in result.waiting.items():
            self._wait(waiting[ref], why)

    def _asks(self, gang: JsonObject, view: ClusterView) -> bool:
        if not is_active(gang) or holds_quota(gang) or pods.holds(gang, "Finished") or not _is_requeued(gang):
            return False
        return not view.gangs[ref_of(gang)].running and not self._control.pinning.pinned(gang)

    def _admit(self, gang: JsonObject, assignment: Assignment, places: Mapping[str, Seats]) -> None:
        queue = (assignment.queue or "").rpartition("/")[2]
        reserved = f"Quota reserved in ClusterQueue {queue}" if queue else "No queue applies"
        said = [
            pods.said("QuotaReserved", True, "QuotaReserved", reserved),
            pods.said("Admitted", True, "Admitted", "The workload is admitted"),
            *forgotten(gang),
        ]
        if is_workload(gang):
            said.append(pods.said("PodsReady", False, "WaitForStart", NOT_READY))
        conditions = pods.with_conditions(gang, self._control.now, *said)
        status = {"conditions": conditions, "admission": _admission(queue, assignment, places)}
        if self._control.patch(gang, {"status": status}):
            waited_s = int((self._control.now - queued_at(gang, self._control.now)).total_seconds())
            self._control.event(gang, "Normal", "QuotaReserved", f"{reserved}, wait time since queued was {waited_s}s")
            admitted = f"Admitted by ClusterQueue {queue}, wait time since reservation was 0s" if queue else "Admitted"
            self._control.event(gang, "Normal", "Admitted", admitted)

    def _preempt(self, ref: ObjectRef, cause: Cause, for_whom: ObjectRef, view: ClusterView) -> None:
        """The victim as a whole; it stands in its queue again at once."""
        victim, preemptor = self._control.get(key_of_ref(ref)), self._control.get(key_of_ref(for_whom))
        if victim is None or preemptor is None:
            return
        message = _preemption_message(preemptor, cause, _path(view, for_whom), _path(view, ref))
        evict(self._control, victim, "Preempted", message, more=(pods.said("Preempted", True, str(cause), message),))
        self._control.event(victim, "Normal", "Preempted", message)
        name = f"{victim['metadata'].get('namespace') or ''}/{victim['metadata']['name']}"
        uid, queue = victim["metadata"]["uid"], _path(view, ref).rpartition("/")[2]
        told = f"Preempted workload {name} (UID: {uid}) in ClusterQueue {queue}"
        self._control.event(preemptor, "Normal", "PreemptedWorkload", told)

    def _wait(self, gang: JsonObject, why: str) -> None:
        said = pods.said("QuotaReserved", False, "Pending", why)
        if self._control.patch(gang, {"status": {"conditions": pods.with_conditions(gang, self._control.now, said)}}):
            self._control.event(gang, "Normal", "Pending", why)


def _preemption_message(preemptor: JsonObject, cause: Cause, path: str, of_victim: str) -> str:
    """Word for word as Kueue writes it, since people and tools read it."""
    job = (preemptor["metadata"].get("labels") or {}).get(UID_LABEL) or "UNKNOWN"
    who = f"(UID: {preemptor['metadata']['uid']}, JobUID: {job})"
    why = f"Preempted to accommodate a workload {who} due to {_CAUSES[cause]}"
    return f"{why}; preemptor path: {path}; preemptee path: {of_victim}"


def _path(view: ClusterView, ref: ObjectRef) -> str:
    """Where a gang stands: its cohorts from the root, and its queue."""
    snapshot = snapshot_of(view)
    place: Place | None = ("queue", str(snapshot.gang(str(ref)).queue))
    names: list[str] = []
    while place is not None:
        names.insert(0, place[1].rpartition("/")[2])
        place = snapshot.quota_tree.parent(place)
    return "/" + "/".join(names)


_CAUSES = {
    Cause.IN_QUEUE: "prioritization in the ClusterQueue",
    Cause.RECLAIM: "reclamation within the cohort",
    Cause.FAIR_SHARING: "Fair Sharing within the cohort",
    Cause.RECLAIM_WHILE_BORROWING: "reclamation within the cohort while borrowing",
}


def _has_quota(gang: JsonObject | None) -> bool:
    return gang is not None and holds_quota(gang) and not pods.holds(gang, "Finished")


def _admission(queue: str, assignment: Assignment, places: Mapping[str, Seats]) -> dict[str, Any]:
    """As v1beta2 writes it; `places` by pod set, where a topology has seats."""
    return {
        "clusterQueue": queue,
        "podSetAssignments": [
            {
                "name": name,
                "count": count,
                "flavors": dict(assignment.flavors.get(name, {})),
                **({"topologyAssignment": _topology(places[name])} if name in places else {}),
            }
            for name, count in assignment.counts.items()
        ],
    }


def _topology(place: Seats) -> dict[str, Any]:
    """Each domain a slice of its own: Kueue packs many into one where their names are alike."""
    slices = [
        {
            "domainCount": 1,
            "valuesPerLevel": [{"universal": value} for value in each.values],
            "podCounts": {"universal": each.count},
        }
        for each in place.domains
    ]
    return {"levels": list(place.levels), "slices": slices}


def _is_requeued(gang: JsonObject | None) -> bool:
    return gang is not None and not pods.holds(gang, "Requeued", "False")
