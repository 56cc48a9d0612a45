"""The world's scheduler: scheduler_core decides, here pods are bound and told why not.

A pod that could not be placed, or that the scenario wrote as Unschedulable, is tried again when the cluster has
changed in a way that could make room: a node came or became usable, a pod left, quota changed.
"""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key, key_of as key_of_ref
from agent.adapters.scheduler.binding import place_waiting
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.store import Change, Origin
from agent.ports import JsonObject

SCHEDULE = Key("", "", "", "schedule")  # one round for everybody, however many changes asked for it
_QUOTA_KINDS = ("ClusterQueue", "Cohort", "ResourceFlavor", "Queue", "ResourceQuota")


class PodScheduler:
    starts_what_was_loaded = True
    watches_statuses = True

    def __init__(self, control: Control) -> None:
        self._control = control
        self._parked: dict[Key, str] = {}  # pods that wait for a change, by uid

    def wants(self, change: Change) -> Iterable[Key]:
        if makes_room(change):
            self._parked.clear()
            return (SCHEDULE,)
        if change.key.kind != "Pod" or change.after is None or pods.node_of(change.after):
            return ()
        if pods.unschedulable(change.after) and change.origin in (Origin.LOADED, Origin.SCENARIO):
            self._parked[change.key] = change.after["metadata"]["uid"]
            return ()
        return () if change.status_only else (SCHEDULE,)

    def reconcile(self, key: Key) -> None:
        waiting = {key_of(pod): pod for pod in self._control.store.of_kind("", "Pod") if self._waits(pod)}
        if all(self._is_parked(pod) for pod in waiting.values()):
            return
        view = self._control.overview.view()
        awake = {view.pods[k.namespace, k.name].gang or k for k, pod in waiting.items() if not self._is_parked(pod)}
        wanted = [view.pods[k.namespace, k.name] for k in waiting]
        wanted = [pod for pod in wanted if (pod.gang or key_of_ref(pod.ref)) in awake]
        placement = place_waiting(view, wanted)
        for ref, node in placement.nodes.items():
            self._bind(waiting[key_of_ref(ref)], node)
        for ref, why in placement.refused.items():
            self._refuse(waiting[key_of_ref(ref)], why)

    def _waits(self, pod: JsonObject) -> bool:
        wants = pods.active(pod) and not pods.node_of(pod) and not pods.gated(pod)
        return wants and not self._control.pinning.pinned(pod)

    def _is_parked(self, pod: JsonObject) -> bool:
        return self._parked.get(key_of(pod)) == str(pod["metadata"]["uid"])

    def _bind(self, pod: JsonObject, node: str) -> None:
        if self._control.patch(pod, pods.binding(pod, node, self._control.now)):
            name = f"{pod['metadata'].get('namespace')}/{pod['metadata']['name']}"
            self._control.event(pod, "Normal", "Scheduled", f"Successfully assigned {name} to {node}")

    def _refuse(self, pod: JsonObject, why: str) -> None:
        self._parked[key_of(pod)] = pod["metadata"]["uid"]
        said = pods.said("PodScheduled", False, "Unschedulable", why)
        status = {"phase": "Pending", "conditions": pods.with_conditions(pod, self._control.now, said)}
        if self._control.patch(pod, {"status": status}):
            self._control.event(pod, "Warning", "FailedScheduling", why)


def makes_room(change: Change) -> bool:
    """Could a pod that did not fit before fit after this?"""
    if change.origin is Origin.LOADED:
        return False
    if change.key.kind == "Pod":
        return _leaves(change)
    if change.key.kind == "Node" and not change.key.group:
        return change.after is not None and _offers(change.before) != _offers(change.after) and _usable(change.after)
    return change.key.kind in _QUOTA_KINDS and not change.status_only


def _leaves(change: Change) -> bool:
    before, after = change.before, change.after
    if before is None or not pods.node_of(before) or pods.finished(before):
        return False
    return after is None or pods.finished(after)


def _offers(node: JsonObject | None) -> JsonObject:
    if node is None:
        return {}
    spec, status = node.get("spec") or {}, node.get("status") or {}
    return {
        "labels": node["metadata"].get("labels"),
        "taints": spec.get("taints"),
        "closed": not _usable(node),
        "allocatable": status.get("allocatable"),
    }


def _usable(node: JsonObject) -> bool:
    ready = pods.condition(node, "Ready")
    return not (node.get("spec") or {}).get("unschedulable") and (ready is None or ready.get("status") == "True")
