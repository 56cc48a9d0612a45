"""Nodes with GPUs that are not there, and what kwok does in place of their kubelets.

kwok's own stages (kustomize/stage of its module, Apache-2.0) make nodes ready, start pods and take deleted ones away.
What tests need besides hangs on annotations, so that each test says it of its own objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from go_tools import files_beside
from kube import Api, Json, condition, reference
from servers import wait_for

FAKE = {"kwok.x-k8s.io/node": "fake"}  # the annotation by which kwok knows its nodes
KUBELET = "tests.watchkeeper.dev/kubelet"  # on a node, "silent": nobody makes it ready again
STAYS = "tests.watchkeeper.dev/stays"  # on a pod, "pending": never starts; "terminating": deleted, it never goes
COMPLETES_AFTER = "tests.watchkeeper.dev/completes-after"  # on a pod: so long after it started, as "5s"
FAILS_AFTER = "tests.watchkeeper.dev/fails-after"
NODES_PER_RACK = 4
NODES_PER_BLOCK = 16
MADE_AT_ONCE = 8

# What a kubelet says besides, and kwok's stage leaves as it was.
NO_LONGER_READY = """
conditions:
- {lastTransitionTime: {{ $now | Quote }}, status: "False", type: Ready, reason: PodCompleted}
- {lastTransitionTime: {{ $now | Quote }}, status: "False", type: ContainersReady, reason: PodCompleted}
"""


def kubelet_stages(kwok: Path) -> str:
    """The configuration for this binary."""
    stages = files_beside(kwok) / "kustomize" / "stage"
    start, delete, complete, initialize = (
        yaml.safe_load((stages / name).read_text())
        for name in (
            "pod/fast/pod-ready.yaml", "pod/fast/pod-delete.yaml", "pod/fast/pod-complete.yaml",
            "node/fast/node-initialize.yaml",
        )
    )  # fmt: skip
    _only(initialize, KUBELET, "NotIn", "silent")
    _only(start, STAYS, "NotIn", "pending")
    _only(delete, STAYS, "NotIn", "terminating")
    return yaml.safe_dump_all([initialize, start, delete, *_ends(complete)], sort_keys=False)


def _only(stage: Json, annotation: str, operator: str, *values: str) -> None:
    expression = {"key": f'.metadata.annotations["{annotation}"]', "operator": operator}
    stage["spec"]["selector"]["matchExpressions"].append(expression | ({"values": list(values)} if values else {}))


def _ends(complete: Json) -> Iterator[Json]:
    """kwok ends every pod of a Job at once; here a pod ends when its annotation says so."""
    asked = complete["spec"]["selector"]["matchExpressions"]
    asked[:] = [each for each in asked if "ownerReferences" not in each["key"]]
    worked = complete["spec"]["next"]["statusTemplate"] + NO_LONGER_READY
    failed = worked.replace("exitCode: 0", "exitCode: 1").replace("reason: Completed", "reason: Error")
    failed = failed.replace("Succeeded", "Failed").replace("PodCompleted", "PodFailed")
    for name, annotation, template in (
        ("pod-complete", COMPLETES_AFTER, worked), ("pod-fail", FAILS_AFTER, failed),
    ):  # fmt: skip
        after = {"durationFrom": {"expressionFrom": f'.metadata.annotations["{annotation}"]'}}
        stage = yaml.safe_load(yaml.safe_dump(complete))
        stage["metadata"]["name"] = name
        stage["spec"] |= {"delay": after, "next": {"statusTemplate": template}}
        _only(stage, annotation, "Exists")
        yield stage


def gpu_node(name: str, index: int = 0, gpus: int = 8, **labels: str) -> Json:
    """As the GPU operator labels a node of eight H100; racks of four, blocks of sixteen."""
    known = {
        "kubernetes.io/hostname": name,
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.count": str(gpus),
        "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
        "cloud.provider.com/topology-rack": f"rack-{index // NODES_PER_RACK + 1}",
        "cloud.provider.com/topology-block": f"block-{index // NODES_PER_BLOCK + 1}",
    }
    room = {"cpu": "192", "memory": "2Ti", "pods": "110", "nvidia.com/gpu": str(gpus)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": known | labels, "annotations": dict(FAKE)},
        "status": {"capacity": room, "allocatable": room},
    }


def make_nodes(api: Api, count: int, gpus: int = 8, prefix: str = "gpu", **labels: str) -> list[str]:
    """Their names, once all are ready and nothing keeps pods from them."""
    names = [f"{prefix}-{index}" for index in range(count)]
    made = [gpu_node(name, index, gpus, **labels) for index, name in enumerate(names)]
    with ThreadPoolExecutor(MADE_AT_ONCE) as pool:
        list(pool.map(api.create, made))

    def ready() -> bool:
        found = {node["metadata"]["name"]: node for node in api.list("v1", "Node")}
        return all(_takes_pods(found[name]) for name in names)

    wait_for(f"{count} nodes are ready", ready)
    return names


def _takes_pods(node: Json) -> bool:
    return condition(node, "Ready") == "True" and not node["spec"].get("taints")


def silence(api: Api, name: str) -> None:
    """The node's kubelet is heard of no more."""
    node = reference("v1", "Node", name)
    api.merge(node, {"metadata": {"annotations": {KUBELET: "silent"}}})
    say(api, name, "Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")


def say(api: Api, name: str, kind: str, status: str, reason: str, message: str = "", **more: Any) -> None:
    """A condition of the node, as its kubelet or a node-problem-detector sets it."""
    node = api.get("v1", "Node", name)
    others = [each for each in node["status"].get("conditions", ()) if each["type"] != kind]
    said = {"type": kind, "status": status, "reason": reason, "message": message, **more}
    api.merge(node, {"status": {"conditions": [*others, said]}}, "status")
