"""Jobs of GPUs and the queues that let them in, as their owners would apply them to a real cluster."""

from __future__ import annotations

from typing import Any

from fake_nodes import COMPLETES_AFTER
from kube import Json

KUEUE = "kueue.x-k8s.io/v1beta2"
GPU = "nvidia.com/gpu"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"


def job(name: str, namespace: str, pods: int, gpus: int, *, queue: str = "", lasts: str = "", **more: Any) -> Json:
    """All pods at once. In a queue, Kueue suspends it; each pod completes `lasts`, as "5s", after it started."""
    resources = {"requests": {GPU: str(gpus), "cpu": "8"}, "limits": {GPU: str(gpus)}}
    pod = {
        "metadata": {"annotations": {COMPLETES_AFTER: lasts} if lasts else {}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "registry.example/train:1", "resources": resources}],
            **more,
        },
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "labels": {QUEUE_LABEL: queue} if queue else {}},
        "spec": {"parallelism": pods, "completions": pods, "backoffLimit": 0, "template": pod},
    }


def queue(name: str, namespace: str, gpus: int, **spec: Any) -> list[Json]:
    """A flavor and a ClusterQueue of this name, and a LocalQueue of this name in the namespace."""
    quota = [{"name": GPU, "nominalQuota": str(gpus)}, {"name": "cpu", "nominalQuota": "100k"}]
    group = {"coveredResources": [GPU, "cpu"], "flavors": [{"name": name, "resources": quota}]}
    return [
        {"apiVersion": KUEUE, "kind": "ResourceFlavor", "metadata": {"name": name}},
        {"apiVersion": KUEUE, "kind": "ClusterQueue", "metadata": {"name": name},
         "spec": {"namespaceSelector": {}, "resourceGroups": [group], **spec}},
        {"apiVersion": KUEUE, "kind": "LocalQueue", "metadata": {"name": name, "namespace": namespace},
         "spec": {"clusterQueue": name}},
    ]  # fmt: skip
