"""StatefulSets: pods by ordinal, the highest goes first; a new template is rolled out one pod at a time."""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import controller_key
from agent.adapters.simulated.revisions import Revisions, hash_label, template_of
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject


class StatefulSets:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control
        self._revisions = Revisions(control)

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind == "StatefulSet":
            self._revisions.note(change)
            return (change.key,)
        owner = controller_key(change.object) if change.key.kind == "Pod" else None
        return (owner,) if owner is not None and owner.kind == "StatefulSet" else ()

    def reconcile(self, key: Key) -> None:
        stateful = self._control.get(key)
        if stateful is None:
            return
        wanted = int((stateful.get("spec") or {}).get("replicas", 1))
        revision = self._revisions.record(stateful)
        mine = self._control.store.owned_by(key, "Pod")
        for pod in mine:
            if pods.finished(pod):
                self._control.delete(pod)
        working = sorted((pod for pod in mine if pods.active(pod)), key=lambda pod: _ordinal(pod, key.name))
        for pod in working[wanted:]:
            self._control.delete(pod)
        self._make_missing(stateful, key, working[:wanted], wanted)
        self._roll(stateful, working[:wanted], wanted)
        self._tell(stateful, key, revision)

    def _make_missing(self, stateful: JsonObject, key: Key, working: list[JsonObject], wanted: int) -> None:
        first = int((stateful["spec"].get("ordinals") or {}).get("start", 0))
        missing, ordinal = wanted - len(working), first
        labels = hash_label(stateful)
        while missing > 0 and ordinal < first + wanted:
            name = f"{key.name}-{ordinal}"
            ordinal += 1
            if any(pod["metadata"]["name"] == name for pod in working):
                continue
            missing -= 1  # where the old pod of that name is still going, its end brings us back
            self._control.create(pods.from_template(template_of(stateful), name, stateful, labels))

    def _roll(self, stateful: JsonObject, working: list[JsonObject], wanted: int) -> None:
        if ((stateful.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete":
            return
        outdated = self._revisions.outdated(stateful, working)
        others_ready = sum(1 for pod in working if pods.ready(pod) and pod not in outdated)
        if outdated and others_ready == wanted - len(outdated):
            self._control.delete(outdated[-1])

    def _tell(self, stateful: JsonObject, key: Key, revision: str) -> None:
        mine = [pod for pod in self._control.store.owned_by(key, "Pod") if pods.active(pod)]
        ready = sum(1 for pod in mine if pods.ready(pod))
        status: JsonObject = {"replicas": len(mine), "readyReplicas": ready or None, "availableReplicas": ready or None}
        status |= {"updateRevision": revision, "observedGeneration": stateful["metadata"].get("generation")}
        self._control.patch(stateful, {"status": status})


def _ordinal(pod: JsonObject, stem: str) -> tuple[int, str]:
    name = pod["metadata"]["name"]
    text = name.removeprefix(f"{stem}-")
    return (int(text) if text.isdecimal() else 0, name)
