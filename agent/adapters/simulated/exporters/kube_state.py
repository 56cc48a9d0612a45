"""kube-state-metrics: what the objects say of themselves."""

from collections.abc import Callable, Iterator, Mapping

from agent.adapters.kubernetes.quantities import parse_quantity
from agent.adapters.simulated import pods
from agent.adapters.simulated.exporters.devices import gpus_at, gpus_of
from agent.adapters.simulated.exporters.sample import Sample
from agent.adapters.simulated.exposition import Labels, labels_of
from agent.adapters.simulated.keys import controller_key
from agent.adapters.simulated.store import ObjectStore
from agent.ports import JsonObject

PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
_GPUS = {"resource": "nvidia_com_gpu", "unit": "integer"}
_Told = Iterator[tuple[str, dict[str, str], float]]


def told_of(store: ObjectStore) -> Iterator[JsonObject]:
    """The objects that have series."""
    for group, kind in _OF_KIND:
        yield from store.of_kind(group, kind)


def series(manifest: JsonObject) -> dict[Labels, Sample]:
    told = next(tell for (_, kind), tell in _OF_KIND.items() if kind == manifest["kind"])
    return {labels_of(name, labels): Sample(float(value)) for name, labels, value in told(manifest)}


def _node(node: JsonObject) -> _Told:
    labels = {"node": node["metadata"]["name"]}
    yield "kube_node_status_allocatable", {**labels, **_GPUS}, gpus_at(node)
    yield "kube_node_spec_unschedulable", labels, bool((node.get("spec") or {}).get("unschedulable"))
    for status in ("True", "False", "Unknown"):
        holds = pods.holds(node, "Ready", status)
        yield "kube_node_status_condition", {**labels, "condition": "Ready", "status": status.lower()}, holds


def _pod(pod: JsonObject) -> _Told:
    labels = _named(pod, "pod")
    now = pods.phase(pod) or "Pending"
    for phase in PHASES:
        yield "kube_pod_status_phase", {**labels, "phase": phase}, phase == now
    if pods.unschedulable(pod):
        yield "kube_pod_status_unschedulable", labels, 1
    owner = controller_key(pod)
    if owner is not None:
        yield "kube_pod_owner", {**labels, "owner_kind": owner.kind, "owner_name": owner.name}, 1
    if gpus_of(pod):
        where = {**labels, "node": pods.node_of(pod) or "", "container": "main", **_GPUS}
        yield "kube_pod_container_resource_requests", where, gpus_of(pod)
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        about = {**labels, "container": container.get("name", "main")}
        yield "kube_pod_container_status_restarts_total", about, container.get("restartCount") or 0
        reason = ((container.get("state") or {}).get("waiting") or {}).get("reason")
        if reason:
            yield "kube_pod_container_status_waiting_reason", {**about, "reason": reason}, 1


def _job(job: JsonObject) -> _Told:
    yield "kube_job_status_suspended", _named(job, "job_name"), bool((job.get("spec") or {}).get("suspend"))


def _deployment(deployment: JsonObject) -> _Told:
    labels, status = _named(deployment, "deployment"), deployment.get("status") or {}
    yield "kube_deployment_spec_replicas", labels, (deployment.get("spec") or {}).get("replicas", 1)
    yield "kube_deployment_status_replicas", labels, status.get("replicas") or 0
    yield "kube_deployment_status_replicas_available", labels, status.get("availableReplicas") or 0


def _autoscaler(autoscaler: JsonObject) -> _Told:
    labels = _named(autoscaler, "horizontalpodautoscaler")
    spec, status = autoscaler.get("spec") or {}, autoscaler.get("status") or {}
    yield "kube_horizontalpodautoscaler_spec_max_replicas", labels, spec.get("maxReplicas") or 1
    yield "kube_horizontalpodautoscaler_spec_min_replicas", labels, spec.get("minReplicas") or 1
    yield "kube_horizontalpodautoscaler_status_current_replicas", labels, status.get("currentReplicas") or 0
    yield "kube_horizontalpodautoscaler_status_desired_replicas", labels, status.get("desiredReplicas") or 0


def _quota(quota: JsonObject) -> _Told:
    labels, status = _named(quota, "resourcequota"), quota.get("status") or {}
    for kind in ("hard", "used"):
        said = status.get(kind) or ((quota.get("spec") or {}).get("hard") if kind == "hard" else None) or {}
        for resource, text in said.items():
            yield "kube_resourcequota", {**labels, "resource": resource, "type": kind}, float(parse_quantity(str(text)))


def _named(manifest: JsonObject, kind: str) -> dict[str, str]:
    return {"namespace": manifest["metadata"].get("namespace") or "", kind: manifest["metadata"]["name"]}


_OF_KIND: Mapping[tuple[str, str], Callable[[JsonObject], _Told]] = {
    ("", "Node"): _node,
    ("", "Pod"): _pod,
    ("batch", "Job"): _job,
    ("apps", "Deployment"): _deployment,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("", "ResourceQuota"): _quota,
}
