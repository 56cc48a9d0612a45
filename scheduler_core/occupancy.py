"""Which pod is on which node, what that leaves free there, and how many of each gang run.

Written in bulk where pods come and go in bulk: a gang's members share their requests, so a node's row is written once
for all of them. What quota they hold is `Holdings`' to say.
"""

from collections.abc import Mapping, Sequence, Set as AbstractSet

from scheduler_core.errors import Conflict
from scheduler_core.holdings import Holdings
from scheduler_core.model import Pod, Requests
from scheduler_core.placement import less, room_for
from scheduler_core.state import Bound
from scheduler_core.tables import get, require_new


class Occupancy(Holdings):
    def _seat(self, like: Pod, places: Mapping[str, str]) -> None:
        """Pods that differ in name alone onto their nodes, where there must be room for them."""
        by_node: dict[str, set[str]] = {}
        for name, node in places.items():
            require_new("Pod", self._bound, name)
            by_node.setdefault(node, set()).add(name)
        for node, names in by_node.items():
            if room_for(self._free[node], like.requests) < len(names):
                raise Conflict("Pod", max(names), "node", f"{node} has no room for it")
            self._journal.put(self._on_node, node, self._on_node[node] | names)
            self._journal.put(self._free, node, less(self._free[node], like.requests, len(names)))
        for name, node in places.items():
            self._journal.drop(self._waiting, name)
            self._journal.put(self._bound, name, Bound(like.named(name), node))

    def _lift(self, pods: Sequence[str]) -> None:
        """They leave their nodes. What quota was theirs is for the caller to settle."""
        leaving: dict[str, list[Bound]] = {}
        members: dict[str, dict[str, set[str]]] = {}
        for name in pods:
            bound = get("Pod", self._bound, name)
            leaving.setdefault(bound.node, []).append(bound)
            if bound.pod.gang is not None:
                members.setdefault(bound.pod.gang, {}).setdefault(str(bound.pod.pod_set), set()).add(name)
            self._journal.drop(self._bound, name)
        for node, gone in leaving.items():
            free = self._free[node]
            for requests, count in _alike(gone):
                free = less(free, requests, -count)
            self._journal.put(self._free, node, free)
            self._journal.put(self._on_node, node, self._on_node[node] - {bound.pod.name for bound in gone})
        for gang, of_sets in members.items():
            for pod_set, names in of_sets.items():
                self._leave(gang, pod_set, names)
        self._capacity_changed()

    def _join(self, gang: str, pod_set: str, pods: AbstractSet[str]) -> None:
        self._journal.put(self._of_gang, gang, self._of_gang[gang] | pods)
        self._count(gang, pod_set, len(pods))

    def _leave(self, gang: str, pod_set: str, pods: AbstractSet[str]) -> None:
        self._journal.put(self._of_gang, gang, self._of_gang[gang] - pods)
        self._count(gang, pod_set, -len(pods))

    def _count(self, gang: str, pod_set: str, more: int) -> None:
        counts = {**self._counts[gang], pod_set: self._counts[gang].get(pod_set, 0) + more}
        self._journal.put(self._counts, gang, {name: count for name, count in counts.items() if count})


def _alike(gone: Sequence[Bound]) -> list[tuple[Requests, int]]:
    """Runs of the same requests: members of a gang share them, so what leaves a node is mostly one kind."""
    found: list[tuple[Requests, int]] = []
    for bound in gone:
        if found and found[-1][0] is bound.pod.requests:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((bound.pod.requests, 1))
    return found
