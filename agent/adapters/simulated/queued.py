"""The kinds of jobs that Kueue queues: how each is held back, when it is over, and what its Workload is called.

Pure readings of objects. The pods of these kinds are made by their own controllers; here is only what Kueue's
integrations know of them.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from agent.adapters.kubernetes.gang_size import QUEUE_LABEL
from agent.adapters.kubernetes.owners import Key, group_of
from agent.adapters.simulated import pods
from agent.ports import JsonObject

LEADER_WORKER_SET = ("leaderworkerset.x-k8s.io", "LeaderWorkerSet")
GATE = "kueue.x-k8s.io/admission"  # holds back the pods of a pod group, which have no switch
UID_LABEL = "kueue.x-k8s.io/job-uid"
INDEX_ANNOTATION = "kueue.x-k8s.io/component-workload-index"  # which group of its job a Workload stands for
PREBUILT_LABEL = "kueue.x-k8s.io/prebuilt-workload-name"
_HASH_LENGTH = 5
_NAME_LENGTH_MAX = 253


class Switch(NamedTuple):
    """Where a kind is told to stop, and which conditions say that it is over."""

    path: tuple[str, ...]
    succeeded: str
    failed: str = "Failed"


_SWITCHES: Mapping[tuple[str, str], Switch] = {
    ("batch", "Job"): Switch(("spec", "suspend"), "Complete"),
    ("jobset.x-k8s.io", "JobSet"): Switch(("spec", "suspend"), "Completed"),
    ("trainer.kubeflow.org", "TrainJob"): Switch(("spec", "suspend"), "Complete"),
    ("kubeflow.org", "PyTorchJob"): Switch(("spec", "runPolicy", "suspend"), "Succeeded"),
    ("ray.io", "RayJob"): Switch(("spec", "suspend"), "Complete"),
    ("ray.io", "RayCluster"): Switch(("spec", "suspend"), ""),
}


def kind_of(manifest: JsonObject) -> tuple[str, str]:
    return group_of(manifest["apiVersion"]), str(manifest["kind"])


def is_queued_kind(key: Key) -> bool:
    """A kind with a switch, whose pods a controller of this world makes."""
    return (key.group, key.kind) in _SWITCHES


def queued_kinds() -> tuple[tuple[str, str], ...]:
    return tuple(_SWITCHES)


def queue_of(job: JsonObject) -> str | None:
    """The LocalQueue that a job is submitted to; None for a job that Kueue leaves alone."""
    labels = job["metadata"].get("labels") or {}
    return str(labels.get(QUEUE_LABEL) or "") or None


def is_suspended(job: JsonObject) -> bool:
    here: Any = job
    switch = _SWITCHES.get(kind_of(job))
    for step in switch.path if switch else ():
        here = here.get(step) or {}
    return here is True


def is_at_work(job: JsonObject) -> bool:
    """Does its own status say that pods of it run? A job that a scenario brings in the middle of its life says so."""
    status = job.get("status") or {}
    counts = [status, *(status.get("replicatedJobsStatus") or ()), *(status.get("jobsStatus") or ())]
    counts += list((status.get("replicaStatuses") or {}).values())
    if any(each.get("active") or each.get("ready") for each in counts):
        return True
    return status.get("jobDeploymentStatus") == "Running" or pods.holds(job, "Running")


def suspended(job: JsonObject, suspend: bool) -> JsonObject:
    """The merge patch that stops the job or lets it go. A kind we do not know is taken to have spec.suspend."""
    switch = _SWITCHES.get(kind_of(job))
    patch: Any = suspend
    for step in reversed(switch.path if switch else ("spec", "suspend")):
        patch = {step: patch}
    return dict(patch)


def gated(pod: JsonObject) -> bool:
    """Does Kueue hold this pod back?"""
    return any(each.get("name") == GATE for each in (pod.get("spec") or {}).get("schedulingGates") or ())


def ungated(pod: JsonObject) -> JsonObject:
    gates = [each for each in pod["spec"]["schedulingGates"] if each.get("name") != GATE]
    return {"spec": {"schedulingGates": gates or None}}


def outcome_of(job: JsonObject) -> bool | None:
    """True when it has succeeded, False when it has failed, None while it is not over."""
    switch = _SWITCHES.get(kind_of(job))
    if switch is None:
        return None
    if job["kind"] == "RayJob":
        return {"Complete": True, "Failed": False}.get((job.get("status") or {}).get("jobDeploymentStatus", ""))
    if pods.holds(job, switch.succeeded):
        return True
    return False if pods.holds(job, switch.failed) else None


def workload_name(job: JsonObject, index: int | None = None) -> str:
    """As Kueue's GetWorkloadNameForOwnerWithGVK makes it: kind, name, and five digits of a hash of the owner."""
    group, kind = kind_of(job)
    name = job["metadata"]["name"] if index is None else f"{job['metadata']['name']}-{index}"
    told = "\n".join((kind, group, name, str(job["metadata"]["uid"])))
    digits = hashlib.sha1(told.encode(), usedforsecurity=False).hexdigest()[:_HASH_LENGTH]
    return f"{kind.lower()}-{name}"[: _NAME_LENGTH_MAX - 1 - _HASH_LENGTH] + f"-{digits}"


def names_job(workload: JsonObject, job: JsonObject) -> bool:
    """Is this the job's Workload by its name? It is asked of one that has no owner and no label."""
    name, kind, job_name = workload["metadata"]["name"], str(job["kind"]).lower(), job["metadata"]["name"]
    if name in (job_name, (job["metadata"].get("labels") or {}).get(PREBUILT_LABEL)):
        return True
    stem, _, digits = name.rpartition("-")
    return stem == f"{kind}-{job_name}" and len(digits) == _HASH_LENGTH
