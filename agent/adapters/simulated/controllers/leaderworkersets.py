"""LeaderWorkerSets: a StatefulSet of leaders, and for each leader one of its workers, which the leader's pod owns.

A group is restarted as a whole: when a worker goes, its leader goes, and with it all the others. The pods of a queued
set are held back by Kueue's gate until their group's Workload is admitted. First form: no rollout of a new template.
"""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.gangs import KUEUE_GROUP, POD_GROUP_LABEL, pods_under, tops_of
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.queued import GATE, LEADER_WORKER_SET, PREBUILT_LABEL, queue_of, workload_name
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject

NAME_LABEL = "leaderworkerset.sigs.k8s.io/name"
GROUP_LABEL = "leaderworkerset.sigs.k8s.io/group-index"
WORKER_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"
SIZE_ANNOTATION = "leaderworkerset.sigs.k8s.io/size"
LEADER_ANNOTATION = "leaderworkerset.sigs.k8s.io/leader-name"
_NO_GROUP_RESTART = ("None", "Default")


class LeaderWorkerSets:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control
        self._broken: dict[Key, set[str]] = {}  # leaders whose group has lost a pod since the last look, by their set

    def wants(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) == LEADER_WORKER_SET:
            return (change.key,)
        if change.key.kind not in ("Pod", "StatefulSet"):
            return ()
        tops = [key for key in tops_of(self._control.store, change.object) if key.kind == LEADER_WORKER_SET[1]]
        leader = (change.object["metadata"].get("annotations") or {}).get(LEADER_ANNOTATION)
        if leader and _goes(change):
            for top in tops:
                self._broken.setdefault(top, set()).add(str(leader))
        return tops

    def reconcile(self, key: Key) -> None:
        lws = self._control.get(key)
        if lws is None:
            return
        for leader in sorted(self._broken.pop(key, ())):
            self._restart_group(lws, leader)
        sets = self._control.store.owned_by(key, "StatefulSet")
        if not sets and not self._control.store.owned_by(key, "Pod"):
            sets = [made] if (made := self._control.create(_leaders(lws))) is not None else []
        for each in sets:
            self._control.patch(each, {"spec": {"replicas": int(lws["spec"].get("replicas", 1))}})
            for pod in self._control.store.owned_by(key_of(each), "Pod"):
                self._follow_leader(lws, pod)
        self._tell(lws)

    def _follow_leader(self, lws: JsonObject, leader: JsonObject) -> None:
        """Its workers start with it, or once it is ready."""
        if not pods.active(leader):
            return
        self._name_group(lws, leader)
        current = self._control.get(key_of(leader)) or leader
        waits = lws["spec"].get("startupPolicy") == "LeaderReady" and not pods.ready(current)
        if not waits and _size(lws) > 1:
            self._control.create(_workers(lws, current))

    def _name_group(self, lws: JsonObject, leader: JsonObject) -> None:
        """What the StatefulSet cannot say of a single leader: its group, and so its Workload."""
        group = _group_of(leader)
        labels = leader["metadata"].get("labels") or {}
        if labels.get(GROUP_LABEL) is None:
            self._control.patch(leader, {"metadata": {"labels": {GROUP_LABEL: group, **self._named(lws, group)}}})

    def _named(self, lws: JsonObject, group: str) -> dict[str, str]:
        if queue_of(lws) is None:
            return {}
        name = workload_name(lws, int(group))
        known = self._control.get(Key(KUEUE_GROUP, "Workload", lws["metadata"].get("namespace") or "", name))
        return {} if known is None else {POD_GROUP_LABEL: name, PREBUILT_LABEL: name}

    def _restart_group(self, lws: JsonObject, leader: str) -> None:
        if (lws["spec"].get("leaderWorkerTemplate") or {}).get("restartPolicy") in _NO_GROUP_RESTART:
            return
        found = self._control.get(Key("", "Pod", lws["metadata"].get("namespace") or "", leader))
        if found is not None and pods.active(found):
            self._control.event(
                lws, "Normal", "RecreateGroupOnPodRestart", f"Worker pod lost, deleted leader pod {leader}"
            )
            self._control.delete(found)

    def _tell(self, lws: JsonObject) -> None:
        mine = [pod for pod in pods_under(self._control.store, key_of(lws)) if pods.active(pod)]
        ready: dict[str, int] = {}
        for pod in mine:
            if pods.ready(pod):
                group = _group_of(pod)
                ready[group] = ready.get(group, 0) + 1
        whole = sum(1 for count in ready.values() if count >= _size(lws))
        replicas = int(lws["spec"].get("replicas", 1))
        reason, message = ("AllGroupsReady", "All replicas are ready") if whole >= replicas else _PROGRESSING
        said = [pods.said("Available", whole >= replicas, reason, message)]
        said.append(pods.said("Progressing", whole < replicas, reason, message))
        conditions = pods.with_conditions(lws, self._control.now, *said)
        self._control.patch(lws, {"status": {"replicas": replicas, "readyReplicas": whole, "conditions": conditions}})


_PROGRESSING = ("GroupsAreProgressing", "Replicas are progressing")


def _goes(change: Change) -> bool:
    after = change.after
    return after is None or (pods.terminating(after) and not pods.terminating(change.before or after))


def _size(lws: JsonObject) -> int:
    return int((lws["spec"].get("leaderWorkerTemplate") or {}).get("size", 1))


def _group_of(pod: JsonObject) -> str:
    """By its label; a leader's is the number at the end of its name."""
    told = (pod["metadata"].get("labels") or {}).get(GROUP_LABEL)
    text = str(told) if told is not None else pod["metadata"]["name"].rpartition("-")[2]
    return text if text.isdecimal() else "0"


def _template(lws: JsonObject, field: str, labels: dict[str, str], annotations: dict[str, str]) -> JsonObject:
    whole = lws["spec"]["leaderWorkerTemplate"]
    template = whole.get(field) or whole.get("workerTemplate") or {}
    metadata = template.get("metadata") or {}
    spec = dict(template.get("spec") or {})
    if queue_of(lws) is not None:
        spec["schedulingGates"] = [*(spec.get("schedulingGates") or ()), {"name": GATE}]
    told = {"labels": {**(metadata.get("labels") or {}), NAME_LABEL: lws["metadata"]["name"], **labels}}
    return {"metadata": {**told, "annotations": {**(metadata.get("annotations") or {}), **annotations}}, "spec": spec}


def _stateful_set(lws: JsonObject, name: str, owner: JsonObject, spec: JsonObject) -> JsonObject:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": name,
            "namespace": lws["metadata"].get("namespace"),
            "labels": {NAME_LABEL: lws["metadata"]["name"]},
            "ownerReferences": [pods.owner_reference(owner)],
        },
        "spec": {"podManagementPolicy": "Parallel", **spec},
    }


def _leaders(lws: JsonObject) -> JsonObject:
    name = lws["metadata"]["name"]
    template = _template(lws, "leaderTemplate", {WORKER_LABEL: "0"}, {SIZE_ANNOTATION: str(_size(lws))})
    selector = {"matchLabels": {NAME_LABEL: name, WORKER_LABEL: "0"}}
    replicas = int(lws["spec"].get("replicas", 1))
    return _stateful_set(lws, name, lws, {"replicas": replicas, "selector": selector, "template": template})


def _workers(lws: JsonObject, leader: JsonObject) -> JsonObject:
    name, group = leader["metadata"]["name"], _group_of(leader)
    known = leader["metadata"].get("labels") or {}
    labels = {label: known[label] for label in (POD_GROUP_LABEL, PREBUILT_LABEL) if label in known}
    template = _template(lws, "workerTemplate", {GROUP_LABEL: group, **labels}, {LEADER_ANNOTATION: name})
    selector = {"matchLabels": {NAME_LABEL: lws["metadata"]["name"], GROUP_LABEL: group}}
    spec = {"replicas": _size(lws) - 1, "ordinals": {"start": 1}, "selector": selector, "template": template}
    return _stateful_set(lws, name, leader, spec)
