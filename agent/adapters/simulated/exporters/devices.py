"""Which pod has which GPUs of its node: what a kubelet and its device plugin decide, kept over time."""

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.quantities import GPU, gpus_in, parse_quantity, pod_requests
from agent.adapters.simulated import pods
from agent.ports import JsonObject

Devices = dict[str, tuple[int, ...]]  # pod's uid -> the GPUs it has on its node


def assigned(nodes: list[JsonObject], holding: list[JsonObject], before: Devices) -> Devices:
    """Of pods that hold GPUs. Each keeps what it has; a new one takes the lowest that are free."""
    by_node: dict[str, list[JsonObject]] = {}
    for pod in holding:
        if pods.node_of(pod) and not pods.finished(pod):
            by_node.setdefault(pods.node_of(pod) or "", []).append(pod)
    result: Devices = {}
    for node in nodes:
        here = by_node.get(node["metadata"]["name"], [])
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
