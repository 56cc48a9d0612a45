"""Is a node well, and is somebody else at work on it? From the node object alone; telemetry is judged elsewhere."""

from agent.domain.cluster import Node

# Conditions of node-problem-detector and GPU health checkers: which status means trouble.
_BAD_WHEN = {
    "Ready": ("False", "Unknown"),
    "AcceleratedHardwareReady": ("False",),
    "SysLogsXIDError": ("True",),
    "GpuMemWatch": ("True",),
    "GpuThermalMarginWatch": ("True",),
    "KernelDeadlock": ("True",),
    "ReadonlyFilesystem": ("True",),
}
CORDONED_BY = "watchkeeper.dev/cordoned-by"
CORDON_INCIDENT = "watchkeeper.dev/cordon-incident"

# Marks that other repairers leave. A value of "false", "none" or "" means that they have finished.
_MARKS = (
    "weave.works/kured-reboot-in-progress",
    "dgxc.nvidia.com/nvsentinel-state",
    "nvsentinel.nvidia.com/state",
    "remediation.medik8s.io/in-progress",
    "node.gardener.cloud/maintenance",
)
_TAINTS = (
    "medik8s.io/remediation",
    "node.kubernetes.io/out-of-service",
    "nodemaintenance.medik8s.io/drain",
    "ToBeDeletedByClusterAutoscaler",
    "karpenter.sh/disrupted",
    "dgxc.nvidia.com/nvsentinel",
)
_FINISHED = frozenset({"", "false", "none", "healthy", "remediation-succeeded"})


def bad_conditions(node: Node) -> tuple[str, ...]:
    return tuple(sorted(c.type for c in node.conditions if c.status in _BAD_WHEN.get(c.type, ())))


def healthy(node: Node) -> bool:
    return not bad_conditions(node)


def cordoned_by_us(node: Node) -> bool:
    return node.unschedulable and CORDONED_BY in node.annotations


def cordoned_for(node: Node, incident: str) -> bool:
    """By us, and because of this incident: what another one keeps out is not this one's to repair."""
    return cordoned_by_us(node) and node.annotations.get(CORDON_INCIDENT) == incident


def others_at_work(node: Node) -> tuple[str, ...]:
    """Who else repairs or retires this node: a sentence each. Two repairers at one node is worse than none."""
    marks = {**node.labels, **node.annotations}
    found = [f"{key}={marks[key]}" for key in _MARKS if marks.get(key, "").lower() not in _FINISHED]
    found += [f"taint {t['key']}" for t in node.taints if t.get("key") in _TAINTS]
    if node.unschedulable and not cordoned_by_us(node):
        found.append("cordoned by somebody else")
    return tuple(found)
