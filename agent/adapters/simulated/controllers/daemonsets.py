"""DaemonSets: one pod on each node that it is meant for, made again wherever it goes missing.

A DaemonSet that the scenario wrote without a status and without pods is one that nobody has started yet.
"""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import controller_key, key_of
from agent.adapters.simulated.revisions import Revisions, hash_label, template_of
from agent.adapters.simulated.store import Change, Origin
from agent.adapters.simulated.taints import taints_of, tolerates
from agent.ports import JsonObject

KIND = ("apps", "DaemonSet")
TOLERATED = (  # by every DaemonSet's pods, as its controller adds
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/unschedulable",
)


class DaemonSets:
    starts_what_was_loaded = True
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control
        self._revisions = Revisions(control)
        self._as_written: set[Key] = set()  # those of the scenario, as long as nothing has happened to them

    def wants(self, change: Change) -> Iterable[Key]:
        keys = self._touched(change)
        if change.origin is not Origin.LOADED:
            self._as_written.difference_update(keys)
        elif change.key.kind != "DaemonSet":
            return ()
        return keys

    def _touched(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) == KIND:
            self._revisions.note(change)
            if change.origin is Origin.LOADED:
                self._as_written.add(change.key)
            return (change.key,)
        if change.key.kind == "Node" and not change.key.group:
            moved = _offers(change.before) != _offers(change.after)
            return [key_of(each) for each in self._control.store.of_kind(*KIND)] if moved else ()
        owner = controller_key(change.object) if change.key.kind == "Pod" else None
        return (owner,) if owner is not None and owner.kind == "DaemonSet" else ()

    def reconcile(self, key: Key) -> None:
        daemon_set = self._control.get(key)
        if daemon_set is None:
            return
        mine = self._control.store.owned_by(key, "Pod")
        if key in self._as_written and (mine or daemon_set.get("status")):
            return
        self._revisions.record(daemon_set)
        nodes = [node for node in self._control.store.of_kind("", "Node") if _eligible(daemon_set, node)]
        wanted = [node["metadata"]["name"] for node in nodes]
        for pod in mine:
            if pods.finished(pod) or (pods.active(pod) and pods.node_of(pod) not in wanted):
                self._control.delete(pod)
        there = {pods.node_of(pod) for pod in self._control.store.owned_by(key, "Pod")}
        for name in wanted:
            if name not in there:
                self._start(daemon_set, name)
        self._roll(daemon_set, len(wanted))
        self._tell(daemon_set, len(wanted))

    def _start(self, daemon_set: JsonObject, node: str) -> None:
        """Bound at once: the node is its only choice, and what it asks for is left free for it."""
        name = f"{daemon_set['metadata']['name']}-{self._control.suffix()}"
        made = pods.from_template(template_of(daemon_set), name, daemon_set, hash_label(daemon_set))
        bound = pods.binding(made, node, self._control.now)
        self._control.create({**made, "spec": {**made["spec"], **bound["spec"]}, "status": bound["status"]})

    def _roll(self, daemon_set: JsonObject, wanted: int) -> None:
        """One after the other, and none while another one is not there."""
        strategy = (daemon_set.get("spec") or {}).get("updateStrategy") or {}
        mine = self._control.store.owned_by(key_of(daemon_set), "Pod")
        outdated = [pod for pod in self._revisions.outdated(daemon_set, mine) if pods.active(pod)]
        away = wanted - sum(1 for pod in mine if pods.ready(pod) and pod not in outdated) - len(outdated)
        if outdated and away < 1 and strategy.get("type") != "OnDelete":
            self._control.delete(min(outdated, key=lambda pod: (pods.ready(pod), pods.node_of(pod) or "")))

    def _tell(self, daemon_set: JsonObject, wanted: int) -> None:
        mine = [pod for pod in self._control.store.owned_by(key_of(daemon_set), "Pod") if pods.active(pod)]
        ready = sum(1 for pod in mine if pods.ready(pod))
        outdated = len(self._revisions.outdated(daemon_set, mine))
        status = {
            "observedGeneration": daemon_set["metadata"].get("generation"),
            "desiredNumberScheduled": wanted,
            "currentNumberScheduled": len(mine),
            "updatedNumberScheduled": len(mine) - outdated,
            "numberMisscheduled": 0,
            "numberReady": ready,
            "numberAvailable": ready or None,
            "numberUnavailable": max(0, wanted - ready) or None,
        }
        self._control.patch(daemon_set, {"status": status})


def _eligible(daemon_set: JsonObject, node: JsonObject) -> bool:
    spec = template_of(daemon_set).get("spec") or {}
    labels = node["metadata"].get("labels") or {}
    if not (spec.get("nodeSelector") or {}).items() <= labels.items():
        return False
    taints = [each for each in taints_of(node) if each.get("effect") != "PreferNoSchedule"]
    return all(each.get("key") in TOLERATED or tolerates(spec.get("tolerations") or (), each) for each in taints)


def _offers(node: JsonObject | None) -> object:
    if node is None:
        return None
    return node["metadata"].get("labels"), (node.get("spec") or {}).get("taints")
