"""TrainJobs of Kubeflow Trainer: one JobSet of the same name, suspended and resumed with it, and its end is theirs."""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.gangs import describes_pods
from agent.adapters.simulated.keys import controller_key, key_of
from agent.adapters.simulated.queued import is_suspended, outcome_of, suspended
from agent.adapters.simulated.store import Change
from agent.adapters.simulated.train_runtime import GROUP, jobset_of, runtime_of
from agent.ports import JsonObject

_ENDS = {"Completed": "Complete", "Failed": "Failed"}  # of the JobSet, and what the TrainJob calls it


class TrainJobs:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) == (GROUP, "TrainJob"):
            return (change.key,)
        owner = controller_key(change.object) if change.key.kind in ("JobSet", "Pod") else None
        return (owner,) if owner is not None and owner.kind == "TrainJob" else ()

    def reconcile(self, key: Key) -> None:
        job = self._control.get(key)
        if job is None or outcome_of(job) is not None:
            return
        stopped, jobsets = is_suspended(job), self._control.store.owned_by(key, "JobSet")
        bare = [pod for pod in self._control.store.owned_by(key, "Pod") if pods.active(pod)]
        for pod in bare if stopped else ():  # of a scenario that leaves the JobSet out
            self._control.delete(pod)
        for jobset in jobsets:
            self._control.patch(jobset, suspended(jobset, stopped))
        if not jobsets and (stopped or not bare) and describes_pods(self._control.store, job):
            self._control.create(jobset_of(job, runtime_of(self._control.store, job)))
        self._tell(job, stopped)

    def _tell(self, job: JsonObject, stopped: bool) -> None:
        status: JsonObject = {}
        said = []
        if stopped:
            said.append(pods.said("Suspended", True, "Suspended", "TrainJob is suspended"))
        elif pods.holds(job, "Suspended"):
            said.append(pods.said("Suspended", False, "Resumed", "TrainJob is resumed"))
        for jobset in self._control.store.owned_by(key_of(job), "JobSet"):
            status["jobsStatus"] = (jobset.get("status") or {}).get("replicatedJobsStatus")
            for kind, ours in _ENDS.items():
                end = pods.condition(jobset, kind)
                if end is not None and end.get("status") == "True":
                    said.append(pods.said(ours, True, end.get("reason") or "", end.get("message") or ""))
        if said:
            status["conditions"] = pods.with_conditions(job, self._control.now, *said)
        self._control.patch(job, {"status": status})
