"""StatefulSets: pods by ordinal, the highest goes first; a new template is rolled out one pod at a time."""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import controller_key
from agent.adapters.simulated.store import Change
from agent.domain.base import digest_of
from agent.ports import JsonObject

HASH_LABEL = "controller-revision-hash"


class StatefulSets:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control
        self._first: dict[str, str] = {}  # uid -> digest of the template that was there first

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind == "StatefulSet":
            if change.type == "ADDED":
                self._first[change.object["metadata"]["uid"]] = _digest(change.object)
            return (change.key,)
        owner = controller_key(change.object) if change.key.kind == "Pod" else None
        return (owner,) if owner is not None and owner.kind == "StatefulSet" else ()

    def reconcile(self, key: Key) -> None:
        stateful = self._control.get(key)
        if stateful is None:
            return
        wanted = int((stateful.get("spec") or {}).get("replicas", 1))
        mine = self._control.store.owned_by(key, "Pod")
        for pod in mine:
            if pods.finished(pod):
                self._control.delete(pod)
        working = sorted((pod for pod in mine if pods.active(pod)), key=lambda pod: _ordinal(pod, key.name))
        for pod in working[wanted:]:
            self._control.delete(pod)
        self._make_missing(stateful, key, working[:wanted], wanted)
        self._roll(stateful, working[:wanted], wanted)
        self._tell(stateful, key, wanted)

    def _make_missing(self, stateful: JsonObject, key: Key, working: list[JsonObject], wanted: int) -> None:
        first = int((stateful["spec"].get("ordinals") or {}).get("start", 0))
        missing, ordinal = wanted - len(working), first
        labels = {HASH_LABEL: _digest(stateful)}
        while missing > 0 and ordinal < first + wanted:
            name = f"{key.name}-{ordinal}"
            ordinal += 1
            if any(pod["metadata"]["name"] == name for pod in working):
                continue
            missing -= 1  # where the old pod of that name is still going, its end brings us back
            self._control.create(pods.from_template(stateful["spec"].get("template") or {}, name, stateful, labels))

    def _roll(self, stateful: JsonObject, working: list[JsonObject], wanted: int) -> None:
        digest, first = _digest(stateful), self._first.get(stateful["metadata"]["uid"])
        outdated = [p for p in working if (p["metadata"].get("labels") or {}).get(HASH_LABEL, first) != digest]
        if first == digest:
            outdated = [
                p for p in outdated if (p["metadata"].get("labels") or {}).get(HASH_LABEL) in self._first.values()
            ]
        others_ready = sum(1 for pod in working if pods.ready(pod) and pod not in outdated)
        if outdated and others_ready == wanted - len(outdated):
            self._control.delete(outdated[-1])

    def _tell(self, stateful: JsonObject, key: Key, wanted: int) -> None:
        mine = [pod for pod in self._control.store.owned_by(key, "Pod") if pods.active(pod)]
        ready = sum(1 for pod in mine if pods.ready(pod))
        status = {"replicas": len(mine), "readyReplicas": ready or None, "availableReplicas": ready or None}
        self._control.patch(
            stateful, {"status": {**status, "observedGeneration": stateful["metadata"].get("generation")}}
        )


def _digest(stateful: JsonObject) -> str:
    return digest_of((stateful.get("spec") or {}).get("template") or {})[:10]


def _ordinal(pod: JsonObject, stem: str) -> tuple[int, str]:
    name = pod["metadata"]["name"]
    text = name.removeprefix(f"{stem}-")
    return (int(text) if text.isdecimal() else 0, name)
