"""The site's own monitoring: dcgm-exporter as a DaemonSet with a pod on each node.

Where its pod is away, its node's GPUs are silent.
"""

from collections.abc import Sequence

from agent.scenarios.generate.manifests import SINCE
from agent.scenarios.generate.site import Json, uid

NAMESPACE = "monitoring"
NAME = "dcgm-exporter"
LABELS = {"app.kubernetes.io/name": NAME}
IMAGE = "nvcr.io/nvidia/k8s/dcgm-exporter:4.2.0"


def exporters(nodes: Sequence[str]) -> list[Json]:
    count = len(nodes)
    about = {"name": NAME, "namespace": NAMESPACE, "uid": uid("DaemonSet", NAME), "labels": LABELS}
    template = {"metadata": {"labels": LABELS}, "spec": _spec()}
    counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "numberAvailable")
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {**about, "creationTimestamp": SINCE},
            "spec": {"selector": {"matchLabels": LABELS}, "template": template},
            "status": dict.fromkeys(counts, count),
        },
        *(_pod(node) for node in nodes),
    ]


def pod_on(node: str) -> str:
    """The name of the node's first exporter."""
    return f"{NAME}-{uid('exporter', node)[:5]}"


def restarted(node: str) -> Json:
    """The node's own exporter is started anew, once: what may be tried where its series are gone."""
    target = {"kind": "Pod", "namespace": NAMESPACE, "name": pod_on(node)}
    return {"anyOf": [{"action": "evict_pod", "target": target, "outcome": "*"}], "times": {"max": 1}}


def _spec() -> Json:
    return {"containers": [{"name": "exporter", "image": IMAGE}]}


def _pod(node: str) -> Json:
    owned = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": NAME, "uid": uid("DaemonSet", NAME)}
    about: Json = {"name": pod_on(node), "namespace": NAMESPACE, "labels": LABELS, "creationTimestamp": SINCE}
    about["ownerReferences"] = [{**owned, "controller": True, "blockOwnerDeletion": True}]
    conditions = [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Ready")]
    status = {"phase": "Running", "startTime": SINCE, "conditions": conditions}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": about,
        "spec": {**_spec(), "nodeName": node},
        "status": status,
    }
