"""Kubelets: a bound pod starts after a while, a deleted one is gone after its grace.

They start only what was bound by somebody in the world. A pod that the scenario wrote with a status is as the scenario
says, and stays so.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.store import Change, Origin
from agent.ports import JsonObject

SLOW_FACTOR = 10  # how much longer everything takes a kubelet with latency


class Kubelets:
    starts_what_was_loaded = True
    watches_statuses = True

    def __init__(self, control: Control) -> None:
        self._control = control
        self._to_start: dict[Key, str] = {}  # pod -> uid
        self._ending: set[str] = set()  # uids whose grace runs

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind == "Pod" and change.after is not None:
            if _newly_bound(change):
                self._to_start[change.key] = change.after["metadata"]["uid"]
            return (change.key,)
        if change.key.kind == "Node":
            return tuple(key for key in self._to_start if self._waits_for(key, change.key.name))
        return ()

    def _waits_for(self, key: Key, node: str) -> bool:
        pod = self._control.get(key)
        return pod is not None and pods.node_of(pod) == node

    def reconcile(self, key: Key) -> None:
        pod = self._control.get(key)
        if pod is None:
            return
        uid = pod["metadata"]["uid"]
        if pods.terminating(pod):
            if uid not in self._ending:
                self._ending.add(uid)
                self._control.after(self._delay(pods.GRACE), lambda: self._end(key, uid))
        elif self._to_start.get(key) == uid and pods.phase(pod) in ("", "Pending"):
            del self._to_start[key]
            self._control.after(self._delay(pods.START_DELAY), lambda: self._start(key, uid))

    def _delay(self, usual: timedelta) -> timedelta:
        fault = self._control.faults.active("kubelet")
        return usual * SLOW_FACTOR if fault is not None and fault.kind == "latency" else usual

    def _down_until(self) -> datetime | None:
        fault = self._control.faults.active("kubelet")
        return None if fault is None or fault.kind == "latency" else fault.until

    def _start(self, key: Key, uid: str) -> None:
        pod = self._same(key, uid)
        if pod is None or pods.terminating(pod) or pods.phase(pod) not in ("", "Pending"):
            return
        down_until = self._down_until()
        if down_until is not None:
            self._control.timers.at(down_until, lambda: self._start(key, uid))
            return
        node = self._control.get(Key("", "Node", "", pods.node_of(pod) or ""))
        if node is None or pods.holds(node, "Ready", "False") or pods.holds(node, "Ready", "Unknown"):
            self._to_start[key] = uid  # the node's next change brings it back
            return
        self._control.patch(pod, pods.started(pod, self._control.now))

    def _end(self, key: Key, uid: str) -> None:
        pod = self._same(key, uid)
        if pod is None:
            return
        down_until = self._down_until()
        if down_until is not None:
            self._control.timers.at(down_until, lambda: self._end(key, uid))
            return
        self._ending.discard(uid)
        self._control.store.remove(key_of(pod), Origin.WORLD)

    def _same(self, key: Key, uid: str) -> JsonObject | None:
        pod = self._control.get(key)
        return pod if pod is not None and pod["metadata"]["uid"] == uid else None


def _newly_bound(change: Change) -> bool:
    pod = change.after
    if pod is None or not pods.node_of(pod) or (change.before is not None and pods.node_of(change.before)):
        return False
    if change.origin in (Origin.LOADED, Origin.SCENARIO):
        return not pods.phase(pod)  # a pod written without a status is one that nobody has started yet
    return True
