"""How many GPUs lie idle, by whether their node takes new pods: counted again only where something has changed.

Values in a snapshot's tables are never changed in place (`journal.py`), so a node that is still the same object, with
the same object for what is free on it, has what it had. In a storm a thousand nodes are asked about several times for
each one that was cordoned.
"""

from collections.abc import Mapping

from scheduler_core.model import Node, Requests, gpus


def takes_pods(node: Node) -> bool:
    return node.ready and not node.unschedulable


class Idle:
    """Of the two tables of one snapshot."""

    def __init__(self, nodes: Mapping[str, Node], free: Mapping[str, Requests]) -> None:
        self._nodes, self._free = nodes, free
        self._known: dict[str, tuple[Node, Requests, bool, int]] = {}

    def gpus(self) -> tuple[int, int]:
        """On nodes that take new pods, and on those that take none."""
        if len(self._known) > len(self._nodes):
            self._known.clear()  # those of nodes that are gone go with the others
        total = [0, 0]
        for name, node in self._nodes.items():
            free = self._free[name]
            known = self._known.get(name)
            if known is None or known[0] is not node or known[1] is not free:
                known = self._known[name] = node, free, takes_pods(node), max(0, gpus(free))
            total[not known[2]] += known[3]
        return total[0], total[1]
