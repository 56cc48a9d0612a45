"""Queues let gangs in by quota: Kueue's Workloads and our own Gangs alike.

Only a change that could let somebody in asks for a round: a gang that arrived, was switched on or gave its quota back,
a queue that changed. What follows for an admitted gang's job and pods is `workloads.py`'s business.
"""

from collections.abc import Iterable
from typing import Any

from agent.adapters.kubernetes.owners import Key
from agent.adapters.scheduler.admitting import admit_waiting
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.evictions import NOT_READY, forgotten, queued_at
from agent.adapters.simulated.gangs import GANG_KINDS, holds_quota, is_active, is_gang, is_workload
from agent.adapters.simulated.keys import ref_of
from agent.adapters.simulated.store import Change
from agent.domain.cluster import ClusterView
from agent.ports import JsonObject
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
        if not is_gang(change.key):
            return ()
        gave_back = _has_quota(change.before) and not _has_quota(change.after)
        asks = change.after is not None and is_active(change.after) and not holds_quota(change.after)
        again = asks and not _is_requeued(change.before) and _is_requeued(change.after)
        return (ADMIT,) if gave_back or again or (asks and not change.status_only) else ()

    def reconcile(self, key: Key) -> None:
        view = self._control.overview.view()
        waiting = {ref_of(each): each for kind in GANG_KINDS for each in self._control.store.of_kind(*kind)}
        waiting = {ref: each for ref, each in waiting.items() if ref in view.gangs and self._asks(each, view)}
        if not waiting:
            return
        result = admit_waiting(view, waiting)
        for ref, assignment in result.admitted.items():
            self._admit(waiting[ref], assignment)
        for ref, why in result.waiting.items():
            self._wait(waiting[ref], why)

    def _asks(self, gang: JsonObject, view: ClusterView) -> bool:
        if not is_active(gang) or holds_quota(gang) or pods.holds(gang, "Finished"):
            return False
        return not view.gangs[ref_of(gang)].running and not self._control.pinning.pinned(gang)

    def _admit(self, gang: JsonObject, assignment: Assignment) -> None:
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
        status = {"conditions": conditions, "admission": _admission(queue, assignment)}
        if self._control.patch(gang, {"status": status}):
            waited_s = int((self._control.now - queued_at(gang, self._control.now)).total_seconds())
            self._control.event(gang, "Normal", "QuotaReserved", f"{reserved}, wait time since queued was {waited_s}s")
            admitted = f"Admitted by ClusterQueue {queue}, wait time since reservation was 0s" if queue else "Admitted"
            self._control.event(gang, "Normal", "Admitted", admitted)

    def _wait(self, gang: JsonObject, why: str) -> None:
        said = pods.said("QuotaReserved", False, "Pending", why)
        if self._control.patch(gang, {"status": {"conditions": pods.with_conditions(gang, self._control.now, said)}}):
            self._control.event(gang, "Normal", "Pending", why)


def _has_quota(gang: JsonObject | None) -> bool:
    return gang is not None and holds_quota(gang) and not pods.holds(gang, "Finished")


def _admission(queue: str, assignment: Assignment) -> dict[str, Any]:
    return {
        "clusterQueue": queue,
        "podSetAssignments": [
            {"name": name, "count": count, "flavors": dict(assignment.flavors.get(name, {}))}
            for name, count in assignment.counts.items()
        ],
    }


def _is_requeued(gang: JsonObject | None) -> bool:
    return gang is not None and not pods.holds(gang, "Requeued", "False")
