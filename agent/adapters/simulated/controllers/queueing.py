"""Kueue's integrations: a job that names a queue is suspended and gets a Workload, which is then admitted or waits.

A job of the initial objects is as the scenario says. A Workload that the scenario wrote is the Workload of its job,
and no second one is made; a job written as running already is not stopped for want of one.
"""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.gangs import WORKLOAD, gangs_with, is_of_a_group, pods_under
from agent.adapters.simulated.keys import key_of, owner_keys
from agent.adapters.simulated.queued import (
    LEADER_WORKER_SET,
    is_at_work,
    is_queued_kind,
    is_suspended,
    outcome_of,
    queue_of,
    suspended,
    workload_name,
)
from agent.adapters.simulated.store import Change
from agent.adapters.simulated.workload_making import workload_for
from agent.ports import JsonObject


class Queueing:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control
        self._made: set[Key] = set()

    def wants(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) == WORKLOAD and (change.before is None or change.after is None):
            return [key for key in owner_keys(change.object) if _may_be_queued(key)]
        if not _may_be_queued(change.key) or change.after is None or change.status_only:
            return ()
        return (change.key,) if queue_of(change.after) else ()

    def reconcile(self, key: Key) -> None:
        job = self._control.get(key)
        if job is None or queue_of(job) is None or outcome_of(job) is not None:
            return
        known = self._without_ours(gangs_with(self._control.store, key))
        if (key.group, key.kind) == LEADER_WORKER_SET:
            self._follow_groups(job, known)
        elif not known and (is_suspended(job) or not (is_at_work(job) or self._runs(key))):
            self._control.patch(job, suspended(job, True))
            self._make(job)

    def _without_ours(self, known: list[Key]) -> list[Key]:
        """Where the scenario has brought the job's Workload after all, the one we made goes."""
        theirs = [key for key in known if key not in self._made]
        for key in known if theirs else ():
            if key in self._made and (ours := self._control.get(key)) is not None:
                self._control.delete(ours)
        return theirs or known

    def _follow_groups(self, job: JsonObject, known: list[Key]) -> None:
        """A Workload for each group, unless the scenario wrote them."""
        groups = int((job.get("spec") or {}).get("replicas", 1))
        wanted = {workload_name(job, group): group for group in range(groups)}
        there = [found for each in known if (found := self._control.get(each)) is not None]
        if not all(is_of_a_group(each) for each in there):
            return
        for each in there:
            if each["metadata"]["name"] not in wanted:
                self._control.delete(each)
        for group in wanted.values():
            self._make(job, group)

    def _make(self, job: JsonObject, group: int | None = None) -> None:
        made = self._control.create(workload_for(self._control.store, job, group))
        if made is not None:
            self._made.add(key_of(made))
            name = f"{made['metadata'].get('namespace') or ''}/{made['metadata']['name']}"
            self._control.event(job, "Normal", "CreatedWorkload", f"Created Workload: {name}")

    def _runs(self, key: Key) -> bool:
        return any(pods.active(pod) for pod in pods_under(self._control.store, key))


def _may_be_queued(key: Key) -> bool:
    return is_queued_kind(key) or (key.group, key.kind) == LEADER_WORKER_SET
