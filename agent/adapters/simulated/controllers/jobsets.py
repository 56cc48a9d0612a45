"""JobSets: one Job per replica of each replicated job, suspended and resumed together."""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import controller_key, key_of
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject

GROUP = "jobset.x-k8s.io"
NAME_LABEL = "jobset.sigs.k8s.io/jobset-name"
REPLICATED_LABEL = "jobset.sigs.k8s.io/replicatedjob-name"


class JobSets:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind == "JobSet":
            return (change.key,)
        owner = controller_key(change.object) if change.key.kind in ("Job", "Pod") else None
        return (owner,) if owner is not None and owner.kind == "JobSet" else ()

    def reconcile(self, key: Key) -> None:
        jobset = self._control.get(key)
        if jobset is None or pods.holds(jobset, "Completed") or pods.holds(jobset, "Failed"):
            return
        suspended = bool((jobset.get("spec") or {}).get("suspend"))
        bare = [pod for pod in self._control.store.owned_by(key, "Pod") if pods.active(pod)]
        for pod in bare if suspended else ():  # of a scenario that leaves the jobs out
            self._control.delete(pod)
        jobs, wanted = self._control.store.owned_by(key, "Job"), self._wanted(jobset)
        for job in jobs:
            like = next((each for each in wanted if key_of(each) == key_of(job)), job)
            self._control.patch(job, {"spec": {"suspend": suspended, **self._renewed(job, like, suspended)}})
        if not suspended and not bare and len(jobs) < len(wanted):
            for job in wanted:
                self._control.create(job)
        self._tell(jobset, suspended)

    def _renewed(self, known: JsonObject, wanted: JsonObject, suspended: bool) -> JsonObject:
        """A suspended job takes over what the set's template says about nodes."""
        if not (suspended or known["spec"].get("suspend")):
            return {}
        affinity = ((wanted["spec"].get("template") or {}).get("spec") or {}).get("affinity")
        return {"template": {"spec": {"affinity": affinity}}}

    def _wanted(self, jobset: JsonObject) -> list[JsonObject]:
        jobs = []
        for replicated in jobset["spec"].get("replicatedJobs") or ():
            for index in range(int(replicated.get("replicas", 1))):
                jobs.append(_job(jobset, replicated, index))
        return jobs

    def _tell(self, jobset: JsonObject, suspended: bool) -> None:
        jobs = self._control.store.owned_by(key_of(jobset), "Job")
        said = pods.said("Suspended", suspended, "SuspendedJobs" if suspended else "ResumeJobs", "")
        if jobs and all(pods.holds(job, "Complete") for job in jobs):
            said = pods.said("Completed", True, "AllJobsCompleted", "jobset completed successfully")
        elif not suspended and pods.condition(jobset, "Suspended") is None:
            return
        conditions = pods.with_conditions(jobset, self._control.now, said)
        self._control.patch(jobset, {"status": {"conditions": conditions}})


def _job(jobset: JsonObject, replicated: JsonObject, index: int) -> JsonObject:
    metadata, template = jobset["metadata"], replicated.get("template") or {}
    labels = {NAME_LABEL: metadata["name"], REPLICATED_LABEL: replicated["name"]}
    spec = dict(template.get("spec") or {})
    pod = spec.get("template") or {}
    pod_metadata = pod.get("metadata") or {}
    spec["template"] = {**pod, "metadata": {**pod_metadata, "labels": {**(pod_metadata.get("labels") or {}), **labels}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{metadata['name']}-{replicated['name']}-{index}",
            "namespace": metadata.get("namespace"),
            "labels": labels,
            "ownerReferences": [pods.owner_reference(jobset)],
        },
        "spec": spec,
    }
