"""Taint eviction: a NoExecute taint sends off the pods of a node that do not tolerate it, as `kubectl taint` does it.

Who is not ready or not reachable is `nodes.py`'s business, and a node that bore its taint when the scenario began has
the pods that the scenario put there.
"""

from collections.abc import Iterable
from datetime import timedelta

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.store import Change
from agent.adapters.simulated.taints import NO_EXECUTE, OF_NODE_LIFECYCLE, stays_s, taints_of
from agent.ports import JsonObject


class TaintEviction:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind != "Node" or change.key.group or change.after is None:
            return ()
        return (change.key,) if _evicting(change.before) != _evicting(change.after) else ()

    def reconcile(self, key: Key) -> None:
        node = self._control.get(key)
        taints = _evicting(node)
        for pod in self._control.store.of_kind("", "Pod") if taints else ():
            if pods.node_of(pod) != key.name or not pods.active(pod):
                continue
            stays = stays_s(pod, taints)
            if stays == 0:
                self._evict(pod, key.name)
            elif stays is not None:
                uid = pod["metadata"]["uid"]
                self._control.after(timedelta(seconds=stays), lambda uid=uid: self._time_over(key, uid))  # type: ignore[misc]

    def _time_over(self, key: Key, uid: str) -> None:
        """Of a pod that may only stay for a while; a taint that was taken back meanwhile evicts nobody."""
        taints = _evicting(self._control.get(key))
        for pod in self._control.store.of_kind("", "Pod") if taints else ():
            if pod["metadata"]["uid"] == uid and pods.active(pod) and stays_s(pod, taints) is not None:
                self._evict(pod, key.name)

    def _evict(self, pod: JsonObject, node: str) -> None:
        self._control.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion: {node} is tainted")
        self._control.delete(pod)


def _evicting(node: JsonObject | None) -> list[JsonObject]:
    found = taints_of(node) if node is not None else []
    return [each for each in found if each.get("effect") == NO_EXECUTE and each.get("key") not in OF_NODE_LIFECYCLE]
