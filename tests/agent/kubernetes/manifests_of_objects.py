"""Kubernetes JSON in few words, for the tests of its translation."""

from datetime import UTC, datetime
from typing import Any

from agent.adapters.kubernetes.translate import view_of
from agent.domain.cluster import ClusterView, Gang

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
Json = dict[str, Any]
KUEUE = "kueue.x-k8s.io/v1beta2"


def thing(
    api_version: str, kind: str, name: str, *, owner: Json | None = None, meta: Json | None = None, **rest: Any
) -> Json:
    metadata: Json = {"name": name, "namespace": "law", **(meta or {})}
    if owner:
        metadata["ownerReferences"] = [
            {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"], "uid": "x"}
        ]
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def pod(name: str, *, phase: str = "Running", owner: Json | None = None, gpus: str = "8", **rest: Any) -> Json:
    spec = {"nodeName": "n1", "containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": gpus}}}]}
    if phase == "Pending":
        del spec["nodeName"]
    meta = rest.pop("meta", {})
    return thing("v1", "Pod", name, owner=owner, meta=meta, spec={**spec, **rest}, status={"phase": phase})


def job(
    name: str = "train", *, queued: bool = True, parallelism: int = 4, owner: Json | None = None, **meta: Any
) -> Json:
    labels = {"kueue.x-k8s.io/queue-name": "main"} if queued else {}
    return thing(
        "batch/v1", "Job", name, owner=owner, meta={"labels": labels, **meta}, spec={"parallelism": parallelism}
    )


def kueue_workload(name: str, *, owner: Json | None = None, version: str = KUEUE, **spec: Any) -> Json:
    return thing(version, "Workload", name, owner=owner, spec={"queueName": "main", **spec})


def view(*objects: Json) -> ClusterView:
    return view_of(objects, NOW)


def only_gang(*objects: Json) -> Gang:
    (gang,) = view(*objects).gangs.values()
    return gang
