"""Containers that are said to crash do so, with a kubelet's back-off, until the pod or its behaviour changes."""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import crash_loops, pods
from agent.adapters.simulated.behaviour import BEHAVIOUR, Behaviour, behaviour_of
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.gangs import tops_of
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject


class Crashing:
    starts_what_was_loaded = True
    watches_statuses = True

    def __init__(self, control: Control) -> None:
        self._control = control
        self._looping: set[str] = set()  # uids

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind == "Pod":
            return (change.key,) if change.after is not None and self._begins(change.after) else ()
        if _said(change.before) == _said(change.after) or change.after is None:
            return ()
        everything = self._control.store.of_kind("", "Pod")
        mine = [pod for pod in everything if change.key in tops_of(self._control.store, pod)]
        return [key_of(pod) for pod in mine if self._begins(pod)]

    def reconcile(self, key: Key) -> None:
        pod = self._control.get(key)
        if pod is not None and self._begins(pod):
            uid = pod["metadata"]["uid"]
            self._looping.add(uid)
            self._control.after(crash_loops.LIVES, lambda: self._crash(key, uid))

    def _begins(self, pod: JsonObject) -> bool:
        if pods.phase(pod) != "Running" or pod["metadata"]["uid"] in self._looping:
            return False
        return self._crashes(pod) is not None

    def _crashes(self, pod: JsonObject) -> Behaviour | None:
        said = behaviour_of(self._control.store, pod)
        return said if said is not None and said.word == "crashes" else None

    def _crash(self, key: Key, uid: str) -> None:
        pod = self._same(key, uid)
        if pod is None:
            return
        said = self._crashes(pod)
        if said is None:
            self._recover(pod, uid)
            return
        if not self._control.patch(pod, crash_loops.crashed(pod, said.detail, self._control.now)):
            self._looping.discard(uid)
            return
        crashed = self._control.get(key) or pod
        if crash_loops.starts_again(crashed):
            why = f"Back-off restarting failed container in pod {key.name}_{key.namespace}({uid})"
            self._control.event(crashed, "Warning", "BackOff", why)
            self._control.after(crash_loops.back_off(crashed), lambda: self._restart(key, uid))

    def _restart(self, key: Key, uid: str) -> None:
        pod = self._same(key, uid)
        if pod is None:
            return
        if self._crashes(pod) is None:
            self._recover(pod, uid)
            return
        self._control.patch(pod, crash_loops.runs_again(pod, self._control.now, ready=False))
        self._control.after(crash_loops.LIVES, lambda: self._crash(key, uid))

    def _recover(self, pod: JsonObject, uid: str) -> None:
        self._looping.discard(uid)
        if not pods.ready(pod):
            self._control.patch(pod, crash_loops.runs_again(pod, self._control.now, ready=True))

    def _same(self, key: Key, uid: str) -> JsonObject | None:
        pod = self._control.get(key)
        if pod is not None and pod["metadata"]["uid"] == uid and not pods.terminating(pod) and not pods.finished(pod):
            return pod
        self._looping.discard(uid)
        return None


def _said(manifest: JsonObject | None) -> str | None:
    annotations = (manifest or {}).get("metadata", {}).get("annotations") or {}
    return annotations.get(BEHAVIOUR)
