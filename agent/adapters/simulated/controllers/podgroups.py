"""Native PodGroups (KEP-4671): whether the group has been scheduled. Its pods are whoever's makes them.

The condition tells of the first time and never goes back, as the API has it: it is not health.
"""

from collections.abc import Iterable

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.gang_size import NATIVE, minimum_of
from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject

KIND = "PodGroup"
CONDITION = "PodGroupInitiallyScheduled"


class PodGroups:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) == (NATIVE, KIND):
            return (change.key,)
        named = _group_of(change.object) if change.key.kind == "Pod" else None
        return (Key(NATIVE, KIND, change.key.namespace, named),) if named else ()

    def reconcile(self, key: Key) -> None:
        group = self._control.get(key)
        if group is None or pods.holds(group, CONDITION):
            return
        everything = self._control.store.of_kind("", "Pod")
        mine = [pod for pod in everything if _group_of(pod) == key.name and _namespace(pod) == key.namespace]
        mine = [pod for pod in mine if pods.active(pod)]
        placed, minimum = sum(1 for pod in mine if pods.node_of(pod)), minimum_of(Fields.of(group))
        if not mine:
            return
        if placed >= minimum > 0:
            said = pods.said(CONDITION, True, "Scheduled", f"{placed} of at least {minimum} pods have a node")
        else:
            said = pods.said(CONDITION, False, "Unschedulable", f"{placed} of at least {minimum} pods have a node")
        self._control.patch(group, {"status": {"conditions": pods.with_conditions(group, self._control.now, said)}})


def _group_of(pod: JsonObject) -> str | None:
    group = (pod.get("spec") or {}).get("schedulingGroup") or {}
    return group.get("podGroupName") or None


def _namespace(pod: JsonObject) -> str:
    return str(pod["metadata"].get("namespace") or "")
