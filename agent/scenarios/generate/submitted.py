"""A job as somebody hands it in, in each form that people use: it names its queue, and from there on it is Kueue's.

How long it runs is the world's alone to know. A LeaderWorkerSet has no end: whoever opened it takes it away. A native
PodGroup is no queue's; its pods are placed together or not at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from agent.scenarios.generate.gangs import IMAGE, JOBSET
from agent.scenarios.generate.manifests import pod_spec
from agent.scenarios.generate.site import POOL_LABEL, Json, Site, seconds, uid

RUNS_FOR = "simulation.watchkeeper.dev/runs-for"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
TRAINER = "trainer.kubeflow.org/v1alpha1"
NATIVE = "scheduling.k8s.io/v1alpha2"
RUNTIME = "torch-batch"  # of TrainJobs: which nodes they may have is the runtime's to say
GROUP_RESTART = "RecreateGroupOnPodRestart"


@dataclass(frozen=True, slots=True)
class Arrival:
    at: timedelta
    pods: int
    gpus: int  # of each
    runs: timedelta


def runtime(pool: str) -> Json:
    """As Kubeflow ships it, for the nodes of one pool."""
    node = {"restartPolicy": "Never", "nodeSelector": {POOL_LABEL: pool}, "containers": [{"name": "node"}]}
    step = {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}}
    job = {"name": "node", "template": {"metadata": step, "spec": {"template": {"spec": node}}}}
    spec = {"mlPolicy": {"numNodes": 1}, "template": {"spec": {"replicatedJobs": [job]}}}
    about = {"name": RUNTIME, "uid": uid("runtime", RUNTIME)}
    return {"apiVersion": TRAINER, "kind": "ClusterTrainingRuntime", "metadata": about, "spec": spec}


def job(site: Site, name: str, arrival: Arrival, queue: str) -> list[Json]:
    about = _about(site, "Job", name, **_queued(arrival, queue))
    spec = {"suspend": True, **_job_spec(site, arrival)}
    return [{"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": spec}]


def jobset(site: Site, name: str, arrival: Arrival, queue: str) -> list[Json]:
    replicated = {"name": "workers", "replicas": 1, "template": {"spec": _job_spec(site, arrival)}}
    spec = {"suspend": True, "replicatedJobs": [replicated]}
    about = _about(site, "JobSet", name, **_queued(arrival, queue))
    return [{"apiVersion": JOBSET, "kind": "JobSet", "metadata": about, "spec": spec}]


def trainjob(site: Site, name: str, arrival: Arrival, queue: str) -> list[Json]:
    container = _pod(site, arrival)["containers"][0]
    trainer = {"numNodes": arrival.pods, "image": container["image"], "resourcesPerNode": container["resources"]}
    spec = {"suspend": True, "runtimeRef": {"name": RUNTIME}, "trainer": trainer}
    about = _about(site, "TrainJob", name, **_queued(arrival, queue))
    return [{"apiVersion": TRAINER, "kind": "TrainJob", "metadata": about, "spec": spec}]


def pytorchjob(site: Site, name: str, arrival: Arrival, queue: str) -> list[Json]:
    """A master, and the workers beside it."""
    sets = {"Master": 1, "Worker": arrival.pods - 1}
    replicas = {
        kind: {"replicas": count, "restartPolicy": "OnFailure", "template": {"spec": _named(site, arrival, "pytorch")}}
        for kind, count in sets.items()
        if count
    }
    spec = {"runPolicy": {"suspend": True}, "pytorchReplicaSpecs": replicas}
    about = _about(site, "PyTorchJob", name, **_queued(arrival, queue))
    return [{"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": about, "spec": spec}]


def rayjob(site: Site, name: str, arrival: Arrival, queue: str) -> list[Json]:
    """It ends when what its submitter started has ended; head and submitter need no GPU."""
    plain = {"nodeSelector": {POOL_LABEL: site.label}}
    head = {**plain, "containers": [{"name": "ray-head", "image": "registry.example/ml/ray:2.49"}]}
    submitter = {
        "restartPolicy": "Never",
        **plain,
        "containers": [{"name": "ray-job-submitter", "image": "registry.example/ml/ray:2.49"}],
    }
    workers = {"groupName": "gpu", "replicas": arrival.pods, "template": {"spec": _named(site, arrival, "ray-worker")}}
    spec = {
        "suspend": True,
        "entrypoint": "python train.py",
        "shutdownAfterJobFinishes": True,
        "submitterPodTemplate": {"metadata": {"annotations": _lasts(arrival)}, "spec": submitter},
        "rayClusterSpec": {"headGroupSpec": {"template": {"spec": head}}, "workerGroupSpecs": [workers]},
    }
    about = _about(site, "RayJob", name, labels={QUEUE_LABEL: queue})
    return [{"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": about, "spec": spec}]


def leaderworkerset(site: Site, name: str, arrival: Arrival, queue: str) -> list[Json]:
    """One group, which serves a model too large for one node."""
    worker = {"spec": _named(site, arrival, "vllm", "Always")}
    spec = {
        "replicas": 1,
        "leaderWorkerTemplate": {"size": arrival.pods, "restartPolicy": GROUP_RESTART, "workerTemplate": worker},
    }
    about = _about(site, "LeaderWorkerSet", name, labels={QUEUE_LABEL: queue})
    return [{"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "metadata": about, "spec": spec}]


def podgroup(site: Site, name: str, arrival: Arrival) -> list[Json]:
    """The group comes before the Job whose pods name it."""
    gang = {"schedulingPolicy": {"gang": {"minCount": arrival.pods}}}
    spec = _job_spec(site, arrival)
    spec["template"]["spec"]["schedulingGroup"] = {"podGroupName": name}
    about = _about(site, "Job", name, annotations=_lasts(arrival))
    return [
        {"apiVersion": NATIVE, "kind": "PodGroup", "metadata": _about(site, "PodGroup", name), "spec": gang},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": spec},
    ]


Handed = Callable[[Site, str, Arrival, str], list[Json]]
FORMS: tuple[tuple[Handed, int], ...] = (  # and how many of a hundred jobs of several pods come so
    (job, 20),
    (jobset, 20),
    (trainjob, 15),
    (pytorchjob, 20),
    (rayjob, 15),
    (leaderworkerset, 10),
)


def _about(site: Site, kind: str, name: str, **more: Json) -> Json:
    """Nothing says when it was made: that is when it comes."""
    return {"name": name, "namespace": site.tenant.name, "uid": uid(kind, site.tenant.name, name), **more}


def _queued(arrival: Arrival, queue: str) -> Json:
    return {"labels": {QUEUE_LABEL: queue}, "annotations": _lasts(arrival)}


def _lasts(arrival: Arrival) -> Json:
    return {RUNS_FOR: seconds(arrival.runs)}


def _pod(site: Site, arrival: Arrival, restart: str = "OnFailure") -> Json:
    return pod_spec(site, arrival.gpus, IMAGE, restart)


def _named(site: Site, arrival: Arrival, container: str, restart: str = "OnFailure") -> Json:
    spec = _pod(site, arrival, restart)
    return {**spec, "containers": [{**spec["containers"][0], "name": container}]}


def _job_spec(site: Site, arrival: Arrival) -> Json:
    return {
        "parallelism": arrival.pods,
        "completions": arrival.pods,
        "completionMode": "Indexed",
        "backoffLimit": 6,
        "template": {"metadata": {}, "spec": _pod(site, arrival)},
    }
