"""Queued jobs of every kind, as their users write them, for tests of the simulated world."""

from typing import Any

from world_builders import Json, job, node, pod_spec, queues, template, world

from agent.adapters.simulated.world import World

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"


def queued(manifest: Json, queue: str = "main", **labels: str) -> Json:
    metadata = manifest["metadata"]
    named = {**metadata.get("labels", {}), QUEUE_LABEL: queue, **labels}
    return {**manifest, "metadata": {**metadata, "labels": named}}


def plain_job(name: str = "train", pods: int = 3, **more: Any) -> Json:
    return job(name, pods, **more)


def jobset(name: str = "train", pods: int = 3, **spec: Any) -> Json:
    work = {"parallelism": 1, "completions": 1, "backoffLimit": 0, "template": template()}
    replicated = [{"name": "workers", "replicas": pods, "template": {"spec": work}}]
    return _made("jobset.x-k8s.io/v1alpha2", "JobSet", name, {"replicatedJobs": replicated, **spec})


def train_job(name: str = "train", pods: int = 3) -> Json:
    resources = {"limits": {"nvidia.com/gpu": "8"}}
    trainer = {"numNodes": pods, "image": "train:1", "resourcesPerNode": resources}
    spec = {"runtimeRef": {"name": "torch-distributed"}, "trainer": trainer}
    return _made("trainer.kubeflow.org/v1alpha1", "TrainJob", name, spec)


def pytorch_job(name: str = "train", pods: int = 3, policy: str = "OnFailure") -> Json:
    roles = {"Master": {"replicas": 1}, "Worker": {"replicas": pods - 1}}
    specs = {role: {**spec, "restartPolicy": policy, "template": template()} for role, spec in roles.items()}
    return _made("kubeflow.org/v1", "PyTorchJob", name, {"pytorchReplicaSpecs": specs})


def ray_job(name: str = "train", pods: int = 3) -> Json:
    """One pod of which is the head, without a GPU; another one submits the job."""
    head = {"spec": {"containers": [{"name": "ray-head", "image": "ray:2"}]}}
    workers = [{"groupName": "gpu", "replicas": pods - 1, "template": {"spec": pod_spec()}}]
    cluster = {"headGroupSpec": {"template": head}, "workerGroupSpecs": workers}
    return _made("ray.io/v1", "RayJob", name, {"entrypoint": "python train.py", "rayClusterSpec": cluster})


def leader_worker_set(name: str = "train", pods: int = 3, groups: int = 1) -> Json:
    spec = {"replicas": groups, "leaderWorkerTemplate": {"size": pods, "workerTemplate": template()}}
    return _made("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", name, spec)


def _made(api_version: str, kind: str, name: str, spec: Json) -> Json:
    metadata = {"name": name, "namespace": "a", "uid": f"uid-{name}"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


KINDS = {
    "Job": plain_job,
    "JobSet": jobset,
    "TrainJob": train_job,
    "PyTorchJob": pytorch_job,
    "RayJob": ray_job,
    "LeaderWorkerSet": leader_worker_set,
}


def site(*more: Json, nodes: int = 6, quota: int = 48) -> World:
    """Nodes of 8 GPUs each and one queue, with the world already under way."""
    made = world(*[node(f"n{index}") for index in range(1, nodes + 1)], *queues(quota), *more)
    made.advance_to(made.clock.now())
    return made


def of_kind(made: World, kind: str) -> list[Json]:
    return [each for each in made.objects() if each["kind"] == kind]


def only(made: World, kind: str) -> Json:
    (found,) = of_kind(made, kind)
    return found


def held(manifest: Json) -> dict[str, str]:
    """The conditions that hold, and why."""
    said = (manifest.get("status") or {}).get("conditions") or []
    return {each["type"]: each.get("reason", "") for each in said if each["status"] == "True"}


def events(made: World, reason: str) -> list[str]:
    return [each["message"] for each in of_kind(made, "Event") if each["reason"] == reason]


def ended(made: World, name: str, phase: str = "Succeeded", exit_code: int = 0) -> None:
    """A pod's main container ends, as a scenario tells it."""
    state = {"terminated": {"exitCode": exit_code}}
    status = {"phase": phase, "containerStatuses": [{"name": "main", "state": state}]}
    made.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "a"}, "status": status})
