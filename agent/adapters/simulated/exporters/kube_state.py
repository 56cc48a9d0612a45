"""kube-state-metrics: what the objects say of themselves."""

from agent.adapters.simulated import pods
from agent.adapters.simulated.exporters.dcgm import gpus_at, gpus_of
from agent.adapters.simulated.exposition import Labels, labels_of
from agent.adapters.simulated.keys import controller_key
from agent.ports import JsonObject

PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
_GPUS = {"resource": "nvidia_com_gpu", "unit": "integer"}


def series(nodes: list[JsonObject], everything: list[JsonObject], jobs: list[JsonObject]) -> dict[Labels, float]:
    found: dict[Labels, float] = {}
    for node in nodes:
        labels = {"node": node["metadata"]["name"], **_GPUS}
        found[labels_of("kube_node_status_allocatable", labels)] = float(gpus_at(node))
    for pod in everything:
        found.update(_of_pod(pod))
    for job in jobs:
        labels = {"namespace": job["metadata"].get("namespace") or "", "job_name": job["metadata"]["name"]}
        suspended = bool((job.get("spec") or {}).get("suspend"))
        found[labels_of("kube_job_status_suspended", labels)] = float(suspended)
    return found


def _of_pod(pod: JsonObject) -> dict[Labels, float]:
    labels = {"namespace": pod["metadata"].get("namespace") or "", "pod": pod["metadata"]["name"]}
    now = pods.phase(pod) or "Pending"
    found = {labels_of("kube_pod_status_phase", {**labels, "phase": each}): float(each == now) for each in PHASES}
    if pods.unschedulable(pod):
        found[labels_of("kube_pod_status_unschedulable", labels)] = 1.0
    owner = controller_key(pod)
    if owner is not None:
        found[labels_of("kube_pod_owner", {**labels, "owner_kind": owner.kind, "owner_name": owner.name})] = 1.0
    if gpus_of(pod):
        where = {**labels, "node": pods.node_of(pod) or "", "container": "main", **_GPUS}
        found[labels_of("kube_pod_container_resource_requests", where)] = float(gpus_of(pod))
    return found
