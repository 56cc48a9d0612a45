"""Manifests in the words of the field, for tests of the simulated world."""

from datetime import UTC, datetime, timedelta
from typing import Any

from agent.adapters.simulated.world import World
from agent.domain.cluster import ObjectRef

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
KUEUE = "kueue.x-k8s.io/v1beta2"
Json = dict[str, Any]


def world(*manifests: Json, seed: int = 7, repair: Json | None = None) -> World:
    made = World(seed, START, timedelta(seconds=15), repair or {})
    made.load(manifests)
    return made


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def ref(api_version: str, kind: str, name: str, namespace: str | None = "a") -> ObjectRef:
    return ObjectRef(api_version=api_version, kind=kind, namespace=namespace, name=name)


def pod_ref(name: str) -> ObjectRef:
    return ref("v1", "Pod", name)


def node(name: str, gpus: int = 8, **conditions: str) -> Json:
    said = [{"type": "Ready", "status": "True"}]
    said += [{"type": kind, "status": status} for kind, status in conditions.items()]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"allocatable": {"cpu": "96", "nvidia.com/gpu": str(gpus), "pods": "110"}, "conditions": said},
    }


def pod_spec(gpus: int = 8) -> Json:
    return {"containers": [{"name": "main", "image": "app:1", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}]}


def template(gpus: int = 8, **labels: str) -> Json:
    return {"metadata": {"labels": labels}, "spec": pod_spec(gpus)}


def owned_by(manifest: Json) -> list[Json]:
    owner = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "name": manifest["metadata"]["name"]}
    return [{**owner, "uid": manifest["metadata"].get("uid", "x"), "controller": True}]


def pod(name: str, on: str | None = None, owner: Json | None = None, gpus: int = 8, **labels: str) -> Json:
    """A pod that runs on a node, or one that waits for its first look by the scheduler."""
    made: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "a", "labels": labels},
        "spec": pod_spec(gpus),
        "status": {"phase": "Pending"},
    }
    if owner is not None:
        made["metadata"]["ownerReferences"] = owned_by(owner)
    if on is not None:
        made["spec"]["nodeName"] = on
        ready = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]
        made["status"] = {"phase": "Running", "conditions": ready}
    return made


def unschedulable(manifest: Json) -> Json:
    waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes"}
    return {**manifest, "status": {"phase": "Pending", "conditions": [waits]}}


def pinned(manifest: Json) -> Json:
    metadata = manifest["metadata"]
    marks = {**metadata.get("annotations", {}), "watchkeeper.dev/pinned": "true"}
    return {**manifest, "metadata": {**metadata, "annotations": marks}}


def deployment(name: str, replicas: int, gpus: int = 8) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "a", "uid": f"uid-{name}", "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template(gpus, app=name),
        },
        "status": {"replicas": replicas, "readyReplicas": replicas},
    }


def replica_set(of: Json, suffix: str = "1") -> Json:
    name, labels = of["metadata"]["name"], {"app": of["metadata"]["name"], "pod-template-hash": suffix}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name}-{suffix}",
            "namespace": "a",
            "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": "1"},
            "ownerReferences": owned_by(of),
        },
        "spec": {
            "replicas": of["spec"]["replicas"],
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": of["spec"]["template"]["spec"]},
        },
    }


def job(name: str, pods: int, gpus: int = 8, *, suspend: bool = False, **more: Any) -> Json:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "a", "uid": f"uid-{name}"},
        "spec": {
            "parallelism": pods,
            "completions": pods,
            "completionMode": "Indexed",
            "suspend": suspend,
            "template": template(gpus, job=name),
            **more,
        },
    }


def queues(gpus: int) -> list[Json]:
    """Kueue with one flavor, one ClusterQueue `q` of so many GPUs, and its LocalQueue `main`."""
    quota = {"name": "nvidia.com/gpu", "nominalQuota": str(gpus)}
    group = {"coveredResources": ["nvidia.com/gpu"], "flavors": [{"name": "default", "resources": [quota]}]}
    return [
        {"apiVersion": KUEUE, "kind": "ResourceFlavor", "metadata": {"name": "default"}, "spec": {}},
        {"apiVersion": KUEUE, "kind": "ClusterQueue", "metadata": {"name": "q"}, "spec": {"resourceGroups": [group]}},
        {
            "apiVersion": KUEUE,
            "kind": "LocalQueue",
            "metadata": {"name": "main", "namespace": "a"},
            "spec": {"clusterQueue": "q"},
        },
    ]


def workload(name: str, of: Json, *, admitted: bool = True, priority: int = 0) -> Json:
    spec = of["spec"]
    conditions = [
        {"type": kind, "status": "True", "reason": kind, "lastTransitionTime": "2026-11-02T00:00:00Z"}
        for kind in ("QuotaReserved", "Admitted", "PodsReady")
    ]
    assignment = [{"name": "main", "count": spec["parallelism"], "flavors": {"nvidia.com/gpu": "default"}}]
    return {
        "apiVersion": KUEUE,
        "kind": "Workload",
        "metadata": {"name": name, "namespace": "a", "ownerReferences": owned_by(of)},
        "spec": {
            "active": True,
            "queueName": "main",
            "priority": priority,
            "podSets": [{"name": "main", "count": spec["parallelism"], "template": spec["template"]}],
        },
        "status": {
            "conditions": conditions,
            "admission": {"clusterQueue": "q", "podSetAssignments": assignment},
        }
        if admitted
        else {},
    }


def gang(name: str, pods: int, gpus: int = 8, queue: str = "train") -> Json:
    sets = [{"name": "workers", "count": pods, "template": template(gpus)}]
    return {
        "apiVersion": "watchkeeper.dev/v1alpha1",
        "kind": "Gang",
        "metadata": {"name": name, "namespace": "a", "uid": f"uid-{name}"},
        "spec": {"queue": queue, "podSets": sets},
    }


def own_queue(name: str, gpus: int) -> Json:
    return {
        "apiVersion": "watchkeeper.dev/v1alpha1",
        "kind": "Queue",
        "metadata": {"name": name},
        "spec": {"quotas": [{"flavor": "default", "resource": "nvidia.com/gpu", "nominal": str(gpus)}]},
    }


def running(made: World) -> dict[str, str]:
    """Pods that run and are ready -> their nodes."""
    found = {}
    for each in made.cluster.list("v1", "Pod"):
        ready = {"type": "Ready", "status": "True"}
        says = [{k: c.get(k) for k in ready} for c in each.get("status", {}).get("conditions", [])]
        if each.get("status", {}).get("phase") == "Running" and ready in says:
            found[each["metadata"]["name"]] = each["spec"]["nodeName"]
    return found


def pod_names(made: World) -> list[str]:
    return [each["metadata"]["name"] for each in made.cluster.list("v1", "Pod")]
