"""RayJobs and RayClusters of KubeRay: a job has a cluster of its own while it runs, and a Job that submits it.

A suspended RayJob gives its cluster up and gets a new one when it is resumed; a suspended RayCluster only its pods.
The submitter's end is the job's end. First form: a cluster does not scale itself, and the submitter is made with the
cluster and not once that is ready, since this world starts a gang whole.
"""

from collections.abc import Iterable

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.owners import Key
from agent.adapters.kubernetes.pod_sets import SUBMITTER, PodSet, pod_sets_of
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.gangs import describes_pods, pods_under, tops_of
from agent.adapters.simulated.keys import controller_key, key_of
from agent.adapters.simulated.queued import is_suspended, outcome_of
from agent.adapters.simulated.store import Change
from agent.domain.base import rfc3339
from agent.ports import JsonObject

GROUP = "ray.io"
CLUSTER_LABEL = "ray.io/cluster"
NODE_LABEL = "ray.io/node-type"
GROUP_LABEL = "ray.io/group"
_SUBMITTER_IMAGE = "rayproject/ray"  # where the job's own head names none


class RayJobs:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) == (GROUP, "RayJob"):
            return (change.key,)
        if change.key.kind not in ("RayCluster", "Job", "Pod"):
            return ()
        return [key for key in tops_of(self._control.store, change.object) if key.kind == "RayJob"]

    def reconcile(self, key: Key) -> None:
        job = self._control.get(key)
        if job is None or outcome_of(job) is not None:
            return
        if is_suspended(job):
            self._suspend(job)
        else:
            self._run(job)

    def _suspend(self, job: JsonObject) -> None:
        for owned in self._control.store.owned_by(key_of(job)):
            if owned["kind"] in ("RayCluster", "Job"):
                self._control.delete(owned)  # and their pods with them
        left = [pod for pod in pods_under(self._control.store, key_of(job)) if pods.active(pod)]
        for pod in left:
            self._control.delete(pod)
        said = {"jobDeploymentStatus": "Suspended", "jobStatus": "", "rayClusterName": "", "rayClusterStatus": None}
        self._control.patch(job, {"status": {**said, "jobId": "", "startTime": None}})

    def _run(self, job: JsonObject) -> None:
        clusters = self._control.store.owned_by(key_of(job), "RayCluster")
        bare = [pod for pod in self._control.store.owned_by(key_of(job), "Pod") if pods.active(pod)]
        if not clusters and not bare and describes_pods(self._control.store, job):
            cluster = self._control.create(_cluster(job, f"{job['metadata']['name']}-{self._control.suffix()}"))
            clusters = [cluster] if cluster is not None else []
        if clusters and any(each.name == SUBMITTER for each in pod_sets_of(Fields.of(job))):
            self._control.create(_submitter(job))
        ready = any((each.get("status") or {}).get("state") == "ready" for each in clusters)
        self._tell(job, clusters, ready)

    def _tell(self, job: JsonObject, clusters: list[JsonObject], ready: bool) -> None:
        submitter = next(iter(self._control.store.owned_by(key_of(job), "Job")), None)
        started = (job.get("status") or {}).get("startTime") or rfc3339(self._control.now)
        status: JsonObject = {"startTime": started, "jobDeploymentStatus": "Running" if ready else "Initializing"}
        if clusters:
            status["rayClusterName"] = clusters[0]["metadata"]["name"]
            status["rayClusterStatus"] = {"state": "ready" if ready else None}
        if submitter is not None:
            status["jobStatus"] = "RUNNING"
        for end, outcome in (("Complete", "SUCCEEDED"), ("Failed", "FAILED")):
            if submitter is not None and pods.holds(submitter, end):
                status |= {
                    "jobDeploymentStatus": end,
                    "jobStatus": outcome,
                    "endTime": rfc3339(self._control.now),
                }
                for cluster in clusters if job["spec"].get("shutdownAfterJobFinishes") else ():
                    self._control.delete(cluster)
        self._control.patch(job, {"status": status})


class RayClusters:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) == (GROUP, "RayCluster"):
            return (change.key,)
        owner = controller_key(change.object) if change.key.kind == "Pod" else None
        return (owner,) if owner is not None and owner.kind == "RayCluster" else ()

    def reconcile(self, key: Key) -> None:
        cluster = self._control.get(key)
        if cluster is None:
            return
        for pod in self._control.store.owned_by(key, "Pod"):
            if is_suspended(cluster) or pods.finished(pod):  # a Ray node that has ended is replaced
                self._control.delete(pod)
        if not is_suspended(cluster):
            for pod_set in pod_sets_of(Fields.of(cluster)):
                self._make_missing(cluster, pod_set)
        self._tell(cluster)

    def _make_missing(self, cluster: JsonObject, pod_set: PodSet) -> None:
        mine = [pod for pod in self._control.store.owned_by(key_of(cluster), "Pod") if pods.active(pod)]
        have = [pod for pod in mine if _set_of(pod) == pod_set.name]
        for pod in have[pod_set.count :]:
            self._control.delete(pod)
        name = cluster["metadata"]["name"]
        node = "head" if pod_set.name == "head" else "worker"
        stem = f"{name}-head" if node == "head" else f"{name}-{pod_set.name}-worker"
        labels = {CLUSTER_LABEL: name, NODE_LABEL: node, GROUP_LABEL: _group_label(pod_set)}
        for _ in range(len(have), pod_set.count):
            template = dict(pod_set.template.values)
            self._control.create(pods.from_template(template, f"{stem}-{self._control.suffix()}", cluster, labels))

    def _tell(self, cluster: JsonObject) -> None:
        mine = [pod for pod in self._control.store.owned_by(key_of(cluster), "Pod") if pods.active(pod)]
        wanted = sum(each.count for each in pod_sets_of(Fields.of(cluster)))
        ready = sum(1 for pod in mine if pods.ready(pod))
        state = "suspended" if is_suspended(cluster) else "ready" if ready >= wanted else None
        workers = sum(1 for pod in mine if _set_of(pod) != "head" and pods.ready(pod))
        status = {"state": state, "desiredWorkerReplicas": max(0, wanted - 1), "readyWorkerReplicas": workers}
        self._control.patch(cluster, {"status": status})


def _group_label(pod_set: PodSet) -> str:
    return "headgroup" if pod_set.name == "head" else pod_set.name


def _set_of(pod: JsonObject) -> str:
    labels = pod["metadata"].get("labels") or {}
    return "head" if labels.get(NODE_LABEL) == "head" else str(labels.get(GROUP_LABEL, "")).lower()


def _cluster(job: JsonObject, name: str) -> JsonObject:
    return {
        "apiVersion": job["apiVersion"],
        "kind": "RayCluster",
        "metadata": {
            "name": name,
            "namespace": job["metadata"].get("namespace"),
            "labels": {
                "ray.io/originated-from-crd": "RayJob",
                "ray.io/originated-from-cr-name": job["metadata"]["name"],
            },
            "ownerReferences": [pods.owner_reference(job)],
        },
        "spec": dict(job["spec"].get("rayClusterSpec") or {}),
    }


def _submitter(job: JsonObject) -> JsonObject:
    """Where the job brings no template of its own, the head's image submits it."""
    spec = job["spec"]
    head = ((spec.get("rayClusterSpec") or {}).get("headGroupSpec") or {}).get("template") or {}
    images = [each.get("image") for each in (head.get("spec") or {}).get("containers") or ()]
    container = {"name": "ray-job-submitter", "image": next(filter(None, images), _SUBMITTER_IMAGE)}
    template = spec.get("submitterPodTemplate") or {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job["metadata"]["name"],
            "namespace": job["metadata"].get("namespace"),
            "ownerReferences": [pods.owner_reference(job)],
        },
        "spec": {"backoffLimit": int((spec.get("submitterConfig") or {}).get("backoffLimit", 2)), "template": template},
    }
