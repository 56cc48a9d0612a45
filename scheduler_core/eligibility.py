"""May this pod go on that node at all, room aside? Where not, the first barrier that stands between them.

Barriers are ordered by who can lift them: the node's state first, then what keeps this pod away from it.
"""

from enum import StrEnum

from scheduler_core.model import UNSCHEDULABLE_TAINT_KEY, Node, PodShape, Taint, TaintEffect


class Barrier(StrEnum):
    NOT_READY = "NotReady"
    CORDONED = "Cordoned"
    EXCLUDED = "Excluded"
    SELECTOR = "NodeSelector"
    AFFINITY = "NodeAffinity"
    TAINT = "Taint"


def barrier(node: Node, shape: PodShape) -> Barrier | None:
    if not node.ready:
        return Barrier.NOT_READY
    if node.unschedulable and not tolerated(Taint(UNSCHEDULABLE_TAINT_KEY), shape):
        return Barrier.CORDONED
    if node.name in shape.excluded_nodes:
        return Barrier.EXCLUDED
    return _mismatch(node, shape)


def _mismatch(node: Node, shape: PodShape) -> Barrier | None:
    """What the pod and the node say about each other, whatever state the node is in."""
    if any(node.labels.get(key) != value for key, value in shape.node_selector.items()):
        return Barrier.SELECTOR
    if shape.required_node_affinity and not any(term.matches(node.labels) for term in shape.required_node_affinity):
        return Barrier.AFFINITY
    if any(not tolerated(taint, shape) for taint in node.taints):
        return Barrier.TAINT
    return None


def tolerated(taint: Taint, shape: PodShape) -> bool:
    if taint.effect == TaintEffect.PREFER_NO_SCHEDULE:
        return True
    return any(toleration.tolerates(taint) for toleration in shape.tolerations)
