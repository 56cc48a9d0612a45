"""Nodes that are said to flap: gone for a while, there again for a longer one, until somebody has repaired them."""

from collections.abc import Iterable
from datetime import timedelta

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.behaviour import behaviour_of
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject

AWAY = timedelta(seconds=90)  # shorter than the five minutes after which the pods would be given up
THERE = timedelta(minutes=4)


class Flapping:
    starts_what_was_loaded = True
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control
        self._flapping: set[Key] = set()

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind != "Node" or change.key.group or change.after is None or change.key in self._flapping:
            return ()
        return (change.key,) if self._flaps(change.after) else ()

    def reconcile(self, key: Key) -> None:
        node = self._control.get(key)
        if node is not None and self._flaps(node) and key not in self._flapping:
            self._flapping.add(key)
            self._control.after(THERE, lambda: self._go(key))

    def _flaps(self, node: JsonObject) -> bool:
        said = behaviour_of(self._control.store, node)
        return said is not None and said.word == "flaps"

    def _go(self, key: Key) -> None:
        node = self._control.get(key)
        if node is None or not self._flaps(node):
            self._flapping.discard(key)
            return
        self._say(node, pods.said("Ready", False, "KubeletNotReady", "container runtime is down"))
        self._control.after(AWAY, lambda: self._return(key))

    def _return(self, key: Key) -> None:
        node = self._control.get(key)
        if node is not None:
            self._say(node, pods.said("Ready", True, "KubeletReady", "kubelet is posting ready status"))
        self._control.after(THERE, lambda: self._go(key))

    def _say(self, node: JsonObject, condition: JsonObject) -> None:
        conditions = pods.with_conditions(node, self._control.now, condition)
        self._control.patch(node, {"status": {"conditions": conditions}})
