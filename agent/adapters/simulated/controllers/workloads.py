"""What being in or out of the queue means for a gang's job and pods: Kueue's Workload reconciler, and ours for Gangs.

Out: quota given back, the job suspended, pods gone. In: the job runs, or, where no simulated controller would make the
pods, they are made here from the gang's pod sets.
"""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.gangs import (
    GANG,
    GANG_KINDS,
    KUEUE_GROUP,
    POD_SET_LABEL,
    holds_quota,
    is_active,
    is_admitted,
    is_gang,
    pods_of,
    tops_of,
    wanted_pods,
)
from agent.adapters.simulated.keys import key_of, owner_keys
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject

_JOBS = ("Job", "JobSet")  # kinds whose pods a controller of this world makes


class Workloads:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if is_gang(change.key):
            return (change.key,)
        if change.key.kind in _JOBS:
            return self._admitted_with(change.key)
        if change.key.kind == "Pod":
            tops = tops_of(self._control.store, change.object)
            return [key for top in tops for key in (top, *self._admitted_with(top)) if is_gang(key)]
        if change.key.kind in ("ClusterQueue", "LocalQueue", "Queue") and not change.status_only:
            return [key_of(each) for kind in GANG_KINDS for each in self._control.store.of_kind(*kind)]
        return ()

    def _admitted_with(self, job: Key) -> list[Key]:
        return [key_of(each) for each in self._control.store.owned_by(job) if is_gang(key_of(each))]

    def reconcile(self, key: Key) -> None:
        gang = self._control.get(key)
        if gang is None or pods.holds(gang, "Finished"):
            return
        stopped = None if is_active(gang) else ("Deactivated", "The workload is deactivated")
        stopped = stopped or self._drained(gang)
        if stopped is not None:
            self._stop(gang, *stopped)
        elif self._job_is_over(gang):
            self._say(gang, pods.said("Finished", True, "Succeeded", "Job finished"))
        elif is_admitted(gang) or self._runs_unadmitted(gang):
            self._start(gang)
            self._tell_readiness(gang)

    def _drained(self, gang: JsonObject) -> tuple[str, str] | None:
        spec, namespace = gang.get("spec") or {}, gang["metadata"].get("namespace") or ""
        if key_of(gang).group == GANG[0]:
            return _draining((self._control.get(Key(GANG[0], "Queue", "", spec.get("queue") or "")),))
        local = self._control.get(Key(KUEUE_GROUP, "LocalQueue", namespace, spec.get("queueName") or ""))
        if local is None:
            return None
        cluster = self._control.get(Key(KUEUE_GROUP, "ClusterQueue", "", local["spec"].get("clusterQueue") or ""))
        return _draining((local, cluster))

    # -- out -----------------------------------------------------------------------------------------------------------

    def _stop(self, gang: JsonObject, reason: str, message: str) -> None:
        mine = [pod for pod in pods_of(self._control.store, gang) if pods.active(pod)]
        if holds_quota(gang) or mine:
            changed = [
                pods.said("Evicted", True, reason, message),
                pods.said("QuotaReserved", False, "Pending", message),
                pods.said("Admitted", False, "NoReservation", message),
                pods.said("PodsReady", False, reason, message),
            ]
            if holds_quota(gang) or not pods.holds(gang, "Evicted"):
                self._control.event(gang, "Normal", f"EvictedDueTo{reason}", message)
            conditions = pods.with_conditions(gang, self._control.now, *changed)
            self._control.patch(gang, {"status": {"conditions": conditions, "admission": None}})
        for job in self._jobs(gang):
            self._control.patch(job, {"spec": {"suspend": True}})
        for pod in mine if not self._jobs(gang, _JOBS) else ():
            self._control.delete(pod)

    # -- in ------------------------------------------------------------------------------------------------------------

    def _start(self, gang: JsonObject) -> None:
        for job in self._jobs(gang):
            self._control.patch(job, {"spec": {"suspend": False}})
        if not self._jobs(gang, _JOBS):
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
        if (key_of(gang).group, gang["kind"]) != GANG or pods.condition(gang, "Admitted") is not None:
            return False
        return any(pods.active(pod) for pod in pods_of(self._control.store, gang))

    # -- what is there -------------------------------------------------------------------------------------------------

    def _jobs(self, gang: JsonObject, kinds: tuple[str, ...] | None = None) -> list[JsonObject]:
        """What the Workload admits. A pod group is admitted pod by pod and has none."""
        found = (self._control.get(key) for key in owner_keys(gang) if key.kind != "Pod")
        return [each for each in found if each is not None and (kinds is None or each["kind"] in kinds)]

    def _job_is_over(self, gang: JsonObject) -> bool:
        jobs = self._jobs(gang, _JOBS)
        over = ("Complete", "Failed", "Completed")
        return bool(jobs) and all(any(pods.holds(job, kind) for kind in over) for job in jobs)

    def _tell_readiness(self, gang: JsonObject) -> None:
        mine = pods_of(self._control.store, gang)
        whole = sum(1 for pod in mine if pods.ready(pod)) >= wanted_pods(gang) > 0
        if whole:
            self._say(
                gang, pods.said("PodsReady", True, "Started", "All pods reached readiness and the workload is running")
            )
        elif pods.condition(gang, "PodsReady") is not None:
            self._say(gang, pods.said("PodsReady", False, "WaitForStart", "Not all pods are ready or succeeded"))

    def _say(self, gang: JsonObject, condition: JsonObject) -> None:
        current = self._control.get(key_of(gang)) or gang
        conditions = pods.with_conditions(current, self._control.now, condition)
        self._control.patch(current, {"status": {"conditions": conditions}})


def _draining(queues: Iterable[JsonObject | None]) -> tuple[str, str] | None:
    """The first of these queues that sends its gangs back, as a reason and a message."""
    for queue in queues:
        if queue is not None and (queue.get("spec") or {}).get("stopPolicy") == "HoldAndDrain":
            return f"{queue['kind']}Stopped", f"{queue['kind']} {queue['metadata']['name']} is stopped"
    return None
