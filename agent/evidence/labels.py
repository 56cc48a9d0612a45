"""The spellings that exporters and Prometheus settings give to the same label."""

from collections.abc import Mapping

NODE = ("Hostname", "hostname", "node", "exported_node", "kubernetes_node")
# With honorLabels: false the workload's own labels are renamed and `pod` is the exporter's, so the renamed come first.
POD = ("exported_pod", "pod", "pod_name")
NAMESPACE = ("exported_namespace", "namespace", "pod_namespace")


def first(labels: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The value of the first of `names` that is there; empty when none is."""
    for name in names:  # a plain loop, and no look-up that finds nothing: asked a hundred thousand times an hour
        if name in labels and (value := labels[name]):
            return value
    return ""


def node_of(labels: Mapping[str, str]) -> str:
    """The node that the exporter names; else its own address, where that is a name and not a number."""
    named = first(labels, NODE)
    if named:
        return named
    address = labels.get("instance", "").rsplit(":", 1)[0]
    return address if any(c.isalpha() for c in address) and ":" not in address else ""


def pod_of(labels: Mapping[str, str]) -> tuple[str, str]:
    return first(labels, NAMESPACE), first(labels, POD)


def gpu_of(labels: Mapping[str, str]) -> str:
    """What tells one GPU (or one MIG instance of it) from another."""
    gpu = labels.get("UUID") or labels.get("uuid") or labels.get("gpu") or labels.get("device") or ""
    instance = labels.get("GPU_I_ID", "")
    return f"{gpu}/{instance}" if instance else gpu
