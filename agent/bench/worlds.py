"""Clusters and gangs for the benchmarks, made from numbers: the same numbers make the same cluster."""

from scheduler_core.model import Gang, Node, Pod, PodSet
from scheduler_core.quota import Queue, Quota
from scheduler_core.snapshot import Snapshot
from scheduler_core.topologies import TopologyRequest

GPU = "nvidia.com/gpu"
GPUS_PER_NODE = 8
NODE = {GPU: GPUS_PER_NODE, "cpu": 128_000, "memory": 1 << 41, "pods": 110}
BLOCK, RACK, HOST = "bench/block", "bench/rack", "kubernetes.io/hostname"
LEVELS = (BLOCK, RACK, HOST)
NODES_PER_RACK, RACKS_PER_BLOCK = 20, 5


def node(index: int) -> Node:
    rack = index // NODES_PER_RACK
    name = f"gpu-{index:05}"
    labels = {BLOCK: f"block-{rack // RACKS_PER_BLOCK:03}", RACK: f"rack-{rack:04}", HOST: name}
    return Node(name, NODE, labels)


def wants(gpus: int) -> dict[str, int]:
    return {GPU: gpus, "cpu": 12_000 * gpus, "memory": gpus << 36}


def gang(name: str, queue: str | None, pods: int, gpus: int, topology: TopologyRequest | None = None) -> Gang:
    pod_set = PodSet(name="worker", count=pods, requests=wants(gpus), topology=topology)
    return Gang(name=name, queue=queue, pod_sets=(pod_set,))


def cluster(nodes: int, quota_gpus: int | None = None) -> Snapshot:
    """One queue with a quota for all of it."""
    total = nodes * GPUS_PER_NODE if quota_gpus is None else quota_gpus
    quotas = tuple(
        Quota(resource=name, nominal=total * each) for name, each in ((GPU, 1), ("cpu", 12_000), ("memory", 1 << 36))
    )
    return Snapshot(nodes=[node(index) for index in range(nodes)], queues=[Queue(name="q", quotas=quotas)])


def fill(snapshot: Snapshot, pods_per_node: int, gpus: int) -> None:
    """Every node the same pods of its own, of nobody's gang."""
    like = Pod(name="filler", requests=wants(gpus), owner="filler")
    for name in snapshot.nodes:
        for index in range(pods_per_node):
            snapshot.put_pod(like.named(f"{name}-{index}"), name)
