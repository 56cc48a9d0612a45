"""JobSets: one Job per replica of each replicated job, suspended and resumed together.

When a Job fails, all of them are made anew, as often as the failure policy allows; without one the set has failed.
"""

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
INDEX_LABEL = "jobset.sigs.k8s.io/job-index"
ATTEMPT_LABEL = "jobset.sigs.k8s.io/restart-attempt"


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
        failed = [job for job in self._control.store.owned_by(key, "Job") if pods.holds(job, "Failed")]
        if failed:
            self._after_failure(jobset, failed[0])
            return  # jobs that go bring us back once their pods go too
        suspended = bool((jobset.get("spec") or {}).get("suspend"))
        bare = [pod for pod in self._control.store.owned_by(key, "Pod") if pods.active(pod)]
        for pod in bare if suspended else ():  # of a scenario that leaves the jobs out
            self._control.delete(pod)
        self._follow(jobset, suspended, bare)
        self._tell(jobset, suspended)

    def _follow(self, jobset: JsonObject, suspended: bool, bare: list[JsonObject]) -> None:
        jobs, wanted = self._control.store.owned_by(key_of(jobset), "Job"), self._wanted(jobset)
        for job in jobs:
            if not (pods.holds(job, "Complete") or pods.holds(job, "Failed")):
                like = next((each for each in wanted if key_of(each) == key_of(job)), job)
                self._control.patch(job, {"spec": {"suspend": suspended, **self._renewed(job, like, suspended)}})
        if not suspended and not bare and len(jobs) < len(wanted):
            for job in wanted:
                self._control.create(job)

    def _after_failure(self, jobset: JsonObject, failed: JsonObject) -> None:
        policy, name = (jobset.get("spec") or {}).get("failurePolicy"), failed["metadata"]["name"]
        restarts = int((jobset.get("status") or {}).get("restarts") or 0)
        told = "jobset failed due to one or more job failures"
        reason = "FailedJobs"
        if policy is not None and restarts < int(policy.get("maxRestarts") or 0):
            for job in self._control.store.owned_by(key_of(jobset), "Job"):
                self._control.delete(job)
            self._control.patch(jobset, {"status": {"restarts": restarts + 1}})
            why = f"applying RestartJobSet failure policy action (first failed job: {name})"
            self._control.event(jobset, "Warning", "RestartJobSetFailurePolicyAction", why)
            return
        if policy is not None:
            reason, told = "ReachedMaxRestarts", "jobset failed due to reaching max number of restarts"
        for job in self._control.store.owned_by(key_of(jobset), "Job"):
            if not (pods.holds(job, "Complete") or pods.holds(job, "Failed")):
                self._control.delete(job)
        message = f"{told} (first failed job: {name})"
        conditions = pods.with_conditions(jobset, self._control.now, pods.said("Failed", True, reason, message))
        self._control.patch(jobset, {"status": {"conditions": conditions, "terminalState": "Failed"}})
        self._control.event(jobset, "Warning", reason, message)

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
        said = [pods.said("Suspended", suspended, *_SUSPENDED[suspended])]
        status: JsonObject = {"replicatedJobsStatus": _counts(jobset, jobs)} if jobs else {}
        if jobs and all(pods.holds(job, "Complete") for job in jobs) and len(jobs) >= len(self._wanted(jobset)):
            said = [pods.said("Completed", True, "AllJobsCompleted", "jobset completed successfully")]
            status["terminalState"] = "Completed"
        elif not suspended and pods.condition(jobset, "Suspended") is None:
            said = []
        if said:
            status["conditions"] = pods.with_conditions(jobset, self._control.now, *said)
        self._control.patch(jobset, {"status": status})


_SUSPENDED = {True: ("SuspendedJobs", "jobset is suspended"), False: ("ResumeJobs", "jobset is resumed")}


def _counts(jobset: JsonObject, jobs: list[JsonObject]) -> list[JsonObject]:
    """As JobSet counts jobs: one is ready when all of its pods are, or have done their work."""
    found = []
    for replicated in (jobset.get("spec") or {}).get("replicatedJobs") or ():
        mine = [job for job in jobs if _replicated(job) == replicated["name"]]
        over = [job for job in mine if pods.holds(job, "Complete") or pods.holds(job, "Failed")]
        work = [job for job in mine if job not in over]
        counts = {
            "ready": sum(1 for job in work if _is_ready(job)),
            "succeeded": sum(1 for job in over if pods.holds(job, "Complete")),
            "failed": sum(1 for job in over if pods.holds(job, "Failed")),
            "active": sum(1 for job in work if (job.get("status") or {}).get("active")),
            "suspended": sum(1 for job in work if job["spec"].get("suspend")),
        }
        found.append({"name": replicated["name"], **counts})
    return found


def _replicated(job: JsonObject) -> str | None:
    return (job["metadata"].get("labels") or {}).get(REPLICATED_LABEL)


def _is_ready(job: JsonObject) -> bool:
    status, parallelism = job.get("status") or {}, int(job["spec"].get("parallelism", 1))
    good = int(status.get("ready") or 0) + int(status.get("succeeded") or 0)
    return good >= min(parallelism, int(job["spec"].get("completions") or parallelism))


def _job(jobset: JsonObject, replicated: JsonObject, index: int) -> JsonObject:
    metadata, template = jobset["metadata"], replicated.get("template") or {}
    attempt = str((jobset.get("status") or {}).get("restarts") or 0)
    named = {NAME_LABEL: metadata["name"], REPLICATED_LABEL: replicated["name"]}
    labels = {**named, INDEX_LABEL: str(index), ATTEMPT_LABEL: attempt}
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
