"""dcgm-exporter: what every GPU does, which is what the pod on it does.

A pod that is ready works hard, one that runs without being ready does nothing; nobody's GPU is idle. How hard is the
pod's own for good, so a series changes only when a pod comes or goes.
"""

from uuid import NAMESPACE_URL, uuid5

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.quantities import GPU, gpus_in, parse_quantity, pod_requests
from agent.adapters.simulated import pods
from agent.adapters.simulated.exposition import Labels, labels_of
from agent.domain.base import digest_of
from agent.ports import JsonObject

IDLE_POWER_W = 60
WATTS_PER_PERCENT = 6
BUSY_MEMORY_MIB = 61_440
LEAST_BUSY_PERCENT = 85
BUSY_SPREAD_PERCENT = 14

Devices = dict[str, tuple[int, ...]]  # pod's uid -> the GPUs it has on its node


def assigned(nodes: list[JsonObject], everything: list[JsonObject], before: Devices) -> Devices:
    """Who has which GPU. A pod keeps what it has; a new one takes the lowest that are free."""
    result: Devices = {}
    for node in nodes:
        name = node["metadata"]["name"]
        here = [pod for pod in everything if pods.node_of(pod) == name and not pods.finished(pod) and gpus_of(pod)]
        here.sort(key=lambda pod: (pod["metadata"]["uid"] not in before, pod["metadata"]["name"]))
        free = list(range(gpus_at(node)))
        for pod in here:
            uid = pod["metadata"]["uid"]
            kept = [index for index in before.get(uid, ()) if index in free]
            wanted = gpus_of(pod) - len(kept)
            result[uid] = tuple(sorted(kept + [index for index in free if index not in kept][: max(0, wanted)]))
            free = [index for index in free if index not in result[uid]]
    return result


def gpus_at(node: JsonObject) -> int:
    status = node.get("status") or {}
    return int(parse_quantity(str((status.get("allocatable") or {}).get(GPU, "0"))))


def gpus_of(pod: JsonObject) -> int:
    spec = pod.get("spec") or {}
    return gpus_in(pod_requests(Fields(spec, "spec", spec)))


def series(nodes: list[JsonObject], everything: list[JsonObject], devices: Devices) -> dict[Labels, float]:
    holders: dict[tuple[str, int], JsonObject] = {}
    for pod in everything:
        for index in devices.get(pod["metadata"]["uid"], ()):
            holders[pods.node_of(pod) or "", index] = pod
    found: dict[Labels, float] = {}
    for node in nodes:
        for index in range(gpus_at(node)):
            found.update(_of_device(node, index, holders.get((node["metadata"]["name"], index))))
    return found


def _of_device(node: JsonObject, index: int, pod: JsonObject | None) -> dict[Labels, float]:
    name = node["metadata"]["name"]
    labels = {
        "gpu": str(index),
        "UUID": f"GPU-{uuid5(NAMESPACE_URL, f'watchkeeper:{name}:{index}')}",
        "device": f"nvidia{index}",
        "modelName": (node["metadata"].get("labels") or {}).get("nvidia.com/gpu.product", "NVIDIA"),
        "Hostname": name,
    }
    percent = 0
    if pod is not None:
        containers = pod["spec"].get("containers") or [{}]
        labels["namespace"] = pod["metadata"].get("namespace") or ""
        labels["pod"] = pod["metadata"]["name"]
        labels["container"] = containers[0].get("name", "main")
        if pods.ready(pod):
            percent = LEAST_BUSY_PERCENT + int(digest_of(labels["pod"])[:4], 16) % BUSY_SPREAD_PERCENT
    return {
        labels_of("DCGM_FI_DEV_GPU_UTIL", labels): float(percent),
        labels_of("DCGM_FI_PROF_GR_ENGINE_ACTIVE", labels): percent / 100,
        labels_of("DCGM_FI_DEV_POWER_USAGE", labels): float(IDLE_POWER_W + WATTS_PER_PERCENT * percent),
        labels_of("DCGM_FI_DEV_FB_USED", labels): float(BUSY_MEMORY_MIB if percent else 0),
        labels_of("DCGM_FI_DEV_XID_ERRORS", labels): 0.0,
    }
