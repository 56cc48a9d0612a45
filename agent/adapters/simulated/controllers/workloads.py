"""What follows from a gang's admission: Kueue's Workloads drive their jobs, our own Gangs drive their pods.

Switched off, drained or sent back: its quota goes back and its job is suspended. Admitted: its job is resumed, or its
pods are let go. A kind whose controller is not part of this world gets the pods from its Workload's pod sets.
"""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.evictions import evict, requeued
from agent.adapters.simulated.gangs import (
    GANG,
    GANG_KINDS,
    KUEUE_GROUP,
    POD_SET_LABEL,
    describes_pods,
    gangs_with,
    holds_quota,
    is_admitted,
    is_gang,
    is_workload,
    jobs_of,
    pod_group,
    pods_of,
    tops_of,
    wanted_pods,
)
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.queued import (
    LEADER_WORKER_SET,
    gated,
    is_queued_kind,
    kind_of,
    outcome_of,
    suspended,
    ungated,
)
from agent.adapters.simulated.readiness import readiness
from agent.adapters.simulated.stopping import draining, switched_off
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject

_AGAIN = {  # why a gang may wait again after it was sent back for that
    "Deactivated": ("Reactivated", "The workload was reactivated"),
    "ClusterQueueStopped": ("ClusterQueueRestarted", "The ClusterQueue was restarted after being stopped"),
    "LocalQueueStopped": ("LocalQueueRestarted", "The LocalQueue was restarted after being stopped"),
}


class Workloads:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if is_gang(change.key):
            return (change.key,)
        if is_queued_kind(change.key):
            return gangs_with(self._control.store, change.key)
        if change.key.kind == "Pod":
            named = pod_group(change.object)
            groups = (Key(KUEUE_GROUP, "Workload", change.key.namespace, named),) if named else ()
            tops = tops_of(self._control.store, change.object)
            return [*groups, *(key for top in tops for key in gangs_with(self._control.store, top))]
        if change.key.kind in ("ClusterQueue", "LocalQueue", "Queue") and not change.status_only:
            return [key_of(each) for kind in GANG_KINDS for each in self._control.store.of_kind(*kind)]
        return ()

    def reconcile(self, key: Key) -> None:
        gang = self._control.get(key)
        if gang is None or pods.holds(gang, "Finished"):
            return
        stopped = switched_off(gang) or self._drained(gang)
        if stopped is not None:
            self._stop(gang, *stopped)
        elif (outcome := self._outcome(gang)) is not None:
            self._finish(gang, succeeded=outcome)
        elif is_admitted(gang) or self._runs_unadmitted(gang):
            self._start(gang)
            self._tell_readiness(gang)
        elif pods.holds(gang, "Evicted") and pods.holds(gang, "QuotaReserved", "False"):
            self._halt(gang)
            self._let_wait(gang)

    def _drained(self, gang: JsonObject) -> tuple[str, str] | None:
        spec, namespace = gang.get("spec") or {}, gang["metadata"].get("namespace") or ""
        if key_of(gang).group == GANG[0]:
            return draining((self._control.get(Key(GANG[0], "Queue", "", spec.get("queue") or "")),))
        local = self._control.get(Key(KUEUE_GROUP, "LocalQueue", namespace, spec.get("queueName") or ""))
        if local is None:
            return None
        cluster = self._control.get(Key(KUEUE_GROUP, "ClusterQueue", "", local["spec"].get("clusterQueue") or ""))
        return draining((local, cluster))

    # -- out -----------------------------------------------------------------------------------------------------------

    def _stop(self, gang: JsonObject, reason: str, message: str) -> None:
        runs = not pods.holds(gang, "Evicted") and any(_started(pod) for pod in pods_of(self._control.store, gang))
        if holds_quota(gang) or runs:
            evict(self._control, gang, reason, message, status={"requeueState": None})
        self._halt(gang)

    def _halt(self, gang: JsonObject) -> None:
        jobs = self._jobs(gang)
        for job in jobs:
            if kind_of(job) != LEADER_WORKER_SET:
                self._control.patch(job, suspended(job, True))
        if not any(describes_pods(self._control.store, job) for job in jobs):
            for pod in pods_of(self._control.store, gang):
                if _started(pod):
                    self._control.delete(pod)

    def _let_wait(self, gang: JsonObject) -> None:
        """What sent it back is over: it stands in its queue again."""
        said = pods.condition(gang, "Requeued") or {}
        again = _AGAIN.get(str(said.get("reason", "")).partition("DueTo")[0])
        if said.get("status") == "False" and again is not None:
            self._say(gang, requeued(*again))

    # -- in ------------------------------------------------------------------------------------------------------------

    def _start(self, gang: JsonObject) -> None:
        jobs = self._jobs(gang)
        for job in jobs:
            if kind_of(job) != LEADER_WORKER_SET:
                self._control.patch(job, suspended(job, False))
        for pod in pods_of(self._control.store, gang):
            if gated(pod):
                self._control.patch(pod, ungated(pod))
        if not any(kind_of(job) == LEADER_WORKER_SET or describes_pods(self._control.store, job) for job in jobs):
            self._make_pods(gang)

    def _make_pods(self, gang: JsonObject) -> None:
        others = self._jobs(gang)
        owner = others[0] if others else gang
        left = wanted_pods(gang) - sum(1 for pod in pods_of(self._control.store, gang) if pods.phase(pod) != "Failed")
        for pod_set in gang["spec"].get("podSets") or ():
            name = pod_set.get("name") or "main"
            for index in range(int(pod_set.get("count", 1))):
                if left < 1:
                    return
                made = pods.from_template(
                    pod_set.get("template") or {},
                    f"{gang['metadata']['name']}-{name}-{index}",
                    owner,
                    {POD_SET_LABEL: name},
                )
                self._clear_failed(key_of(made))
                left -= 1 if self._control.create(made) is not None else 0

    def _clear_failed(self, key: Key) -> None:
        old = self._control.get(key)
        if old is not None and pods.phase(old) == "Failed":
            self._control.delete(old)

    def _runs_unadmitted(self, gang: JsonObject) -> bool:
        """One of our gangs that the scenario wrote as running, without a word about quota."""
        if is_workload(gang) or pods.condition(gang, "Admitted") is not None:
            return False
        return any(pods.active(pod) for pod in pods_of(self._control.store, gang))

    # -- what is there -------------------------------------------------------------------------------------------------

    def _jobs(self, gang: JsonObject) -> list[JsonObject]:
        """What the Workload admits. A pod group is admitted pod by pod and has none."""
        found = (self._control.get(key) for key in jobs_of(self._control.store, gang))
        return [each for each in found if each is not None]

    def _outcome(self, gang: JsonObject) -> bool | None:
        outcomes = [outcome_of(job) for job in self._jobs(gang) if is_queued_kind(key_of(job))]
        return all(outcomes) if outcomes and None not in outcomes else None

    def _finish(self, gang: JsonObject, *, succeeded: bool) -> None:
        reason, message = ("Succeeded", "Job finished successfully") if succeeded else ("Failed", "Job has failed")
        self._say(gang, pods.said("Finished", True, reason, message))

    def _tell_readiness(self, gang: JsonObject) -> None:
        said = readiness(gang, pods_of(self._control.store, gang))
        if said is not None:
            self._say(gang, said)

    def _say(self, gang: JsonObject, condition: JsonObject) -> None:
        current = self._control.get(key_of(gang)) or gang
        conditions = pods.with_conditions(current, self._control.now, condition)
        self._control.patch(current, {"status": {"conditions": conditions}})


def _started(pod: JsonObject) -> bool:
    return pods.active(pod) and not gated(pod)
