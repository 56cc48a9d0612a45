"""Node lifecycle: the pods of a node that is not ready are not ready, and after a while they are given up.

Only a node that changes its state does this; one that was not ready when the scenario began is as the scenario says.
"""

from collections.abc import Iterable
from datetime import timedelta

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import controller_key
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject

EVICT_AFTER = timedelta(seconds=300)  # Kubernetes' default toleration of not-ready and unreachable
REASON = "NodeNotReady"


class NodeLifecycle:
    starts_what_was_loaded = False
    watches_statuses = True

    def __init__(self, control: Control) -> None:
        self._control = control
        self._spells: dict[Key, int] = {}  # how often the node's health has changed

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind != "Node" or change.key.group or _healthy(change.before) == _healthy(change.after):
            return ()
        return (change.key,)

    def reconcile(self, key: Key) -> None:
        node = self._control.get(key)
        spell = self._spells[key] = self._spells.get(key, 0) + 1
        if node is None:
            for pod in self._pods_on(key.name):
                self._control.delete(pod)
        elif _healthy(node):
            for pod in self._pods_on(key.name):
                self._mark(pod, "NodeReady", ready=True)
        else:
            for pod in self._pods_on(key.name):
                self._mark(pod, REASON, ready=False)
            self._control.after(EVICT_AFTER, lambda: self._give_up(key, spell))

    def _mark(self, pod: JsonObject, reason: str, *, ready: bool) -> None:
        """Ready again only where it was this controller that said otherwise."""
        said = pods.condition(pod, "Ready") or {}
        theirs = said.get("status") == "True" if not ready else said.get("reason") == REASON
        if theirs and pods.phase(pod) == "Running":
            changed = pods.with_conditions(pod, self._control.now, pods.said("Ready", ready, reason))
            self._control.patch(pod, {"status": {"conditions": changed}})

    def _give_up(self, key: Key, spell: int) -> None:
        if self._spells[key] != spell:
            return  # it came back in between; if it failed again, that has a timer of its own
        for pod in self._pods_on(key.name):
            if _stays(pod):
                continue
            self._control.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion: {key.name} is not ready")
            self._control.delete(pod)

    def _pods_on(self, node: str) -> list[JsonObject]:
        everything = self._control.store.of_kind("", "Pod")
        return [pod for pod in everything if pods.node_of(pod) == node and not pods.finished(pod)]


def _stays(pod: JsonObject) -> bool:
    """A DaemonSet's pods tolerate whatever befalls their node."""
    owner = controller_key(pod)
    return owner is not None and owner.kind == "DaemonSet"


def _healthy(node: JsonObject | None) -> bool:
    ready = None if node is None else pods.condition(node, "Ready")
    return node is not None and (ready is None or ready.get("status") == "True")
