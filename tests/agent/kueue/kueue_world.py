"""Kueue's objects for these tests, as short as they can be said."""

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
NEW, OLD = "kueue.x-k8s.io/v1beta2", "kueue.x-k8s.io/v1beta1"
GPU = "nvidia.com/gpu"
HOST = "kubernetes.io/hostname"
RACK = "topology/rack"
Json = dict[str, Any]


def made(kind: str, name: str, spec: Json | None = None, namespace: str | None = None, **more: Any) -> Json:
    version = more.pop("version", NEW)
    metadata = {
        "name": name,
        "uid": f"uid-{name}",
        "creationTimestamp": "2026-11-02T08:00:00Z",
        **more.pop("metadata", {}),
    }
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec or {}, **more}


def node(name: str, gpus: int = 8, ready: bool = True, spec: Json | None = None, **labels: str) -> Json:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    known = {HOST: name, **{key.replace("__", "/"): value for key, value in labels.items()}}
    status = {"allocatable": {GPU: str(gpus), "cpu": "64", "pods": "110"}, "conditions": conditions}
    return made("Node", name, spec, version="v1", metadata={"labels": known}, status=status)


def flavor(name: str = "h100", topology: str | None = None, **labels: str) -> Json:
    return made("ResourceFlavor", name, {"nodeLabels": labels, **({"topologyName": topology} if topology else {})})


def quota(gpus: int, flavor: str = "h100", **limits: Any) -> Json:
    resources = [{"name": GPU, "nominalQuota": str(gpus), **limits}]
    return {"coveredResources": [GPU], "flavors": [{"name": flavor, "resources": resources}]}


def cluster_queue(name: str = "gpu", gpus: int = 16, status: Json | None = None, **spec: Any) -> Json:
    groups = spec.pop("resourceGroups", [quota(gpus)])
    return made("ClusterQueue", name, {"namespaceSelector": {}, "resourceGroups": groups, **spec}, status=status or {})


def local_queue(name: str = "main", queue: str = "gpu", namespace: str = "research", **spec: Any) -> Json:
    return made("LocalQueue", name, {"clusterQueue": queue, **spec}, namespace)


def namespace(name: str = "research", **labels: str) -> Json:
    return made("Namespace", name, version="v1", metadata={"labels": labels})


def workload(name: str, pods: int = 1, gpus: int = 8, spec: Json | None = None, **more: Any) -> Json:
    template = {"spec": {"containers": [{"name": "main", "resources": {"requests": {GPU: str(gpus)}}}]}}
    pod_set = {"name": "main", "count": pods, "template": template, **more.pop("pod_set", {})}
    return made("Workload", name, {"queueName": "main", "podSets": [pod_set], **(spec or {})}, "research", **more)


def condition(kind: str, status: bool = True, reason: str = "", at: str = "2026-11-02T08:50:00Z") -> Json:
    return {"type": kind, "status": str(status), "reason": reason or kind, "message": "", "lastTransitionTime": at}


def admission(count: int = 1, **assignment: Any) -> Json:
    assigned = {"name": "main", "count": count, "flavors": {GPU: "h100"}, **assignment}
    return {"clusterQueue": "gpu", "podSetAssignments": [assigned]}


def reserved(name: str, pods: int = 1, gpus: int = 8, checks: tuple[Json, ...] = (), **more: Any) -> Json:
    """Holds quota, and waits for its checks."""
    status: Json = {"conditions": [condition("QuotaReserved")], "admission": admission(pods)}
    if checks:
        status["admissionChecks"] = list(checks)
    return workload(name, pods, gpus, status=status | more.pop("status", {}), **more)
