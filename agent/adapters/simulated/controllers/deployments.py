"""Deployments: one ReplicaSet per template, and the roll from one to the next within surge and unavailability.

A scenario's ReplicaSets rarely repeat the template to the letter, or are left out. So the newest one counts as that of
the template the Deployment had when it was first seen, and pods without their ReplicaSet are adopted.
"""

from collections.abc import Iterable
from math import ceil, floor
from typing import Any

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import controller_key, key_of
from agent.adapters.simulated.store import Change
from agent.domain.base import digest_of
from agent.ports import JsonObject

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"


class Deployments:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control
        self._first: dict[str, str] = {}  # uid -> digest of the template that was there first

    def wants(self, change: Change) -> Iterable[Key]:
        if change.key.kind == "Deployment":
            if change.type == "ADDED":
                self._first[change.object["metadata"]["uid"]] = _digest(change.object)
            return (change.key,)
        owner = controller_key(change.object) if change.key.kind in ("ReplicaSet", "Pod") else None
        if owner is None or owner.kind not in ("Deployment", "ReplicaSet"):
            return ()
        if owner.kind == "Deployment":
            return (owner,)
        above = self._control.get(owner)
        top = controller_key(above) if above is not None else None
        return (top,) if top is not None and top.kind == "Deployment" else ()

    def reconcile(self, key: Key) -> None:
        deployment = self._control.get(key)
        if deployment is None or not deployment.get("spec"):
            return  # nothing says what it wants
        current = self._current(deployment)
        self._adopt(deployment, current)
        others = [each for each in self._sets(key) if key_of(each) != key_of(current)]
        if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
            self._recreate(deployment, current, others)
        else:
            self._roll(deployment, current, others)
        self._tell(deployment, key_of(current))

    # -- which ReplicaSet ----------------------------------------------------------------------------------------------

    def _sets(self, key: Key) -> list[JsonObject]:
        return sorted(self._control.store.owned_by(key, "ReplicaSet"), key=_revision)

    def _current(self, deployment: JsonObject) -> JsonObject:
        sets, digest = self._sets(key_of(deployment)), _digest(deployment)
        for each in reversed(sets):
            if each["metadata"].get("annotations", {}).get("watchkeeper.dev/template") == digest or (
                _template_of_set(each) == (deployment["spec"].get("template") or {})
            ):
                return self._made_newest(deployment, each, _revision(sets[-1]))
        if sets and self._first.get(deployment["metadata"]["uid"]) == digest:
            return [
                each for each in sets if "watchkeeper.dev/template" not in (each["metadata"].get("annotations") or {})
            ][-1]
        revision = max((_revision(each) for each in sets), default=0) + 1
        self._control.patch(deployment, {"metadata": {"annotations": {REVISION: str(revision)}}})
        return self._control.create(_replica_set(deployment, digest, revision)) or sets[-1]

    def _made_newest(self, deployment: JsonObject, current: JsonObject, newest: int) -> JsonObject:
        """A template that comes back is a new revision of the set that had it."""
        if _revision(current) < newest:
            revision = {"metadata": {"annotations": {REVISION: str(newest + 1)}}}
            self._control.patch(current, revision)
            self._control.patch(deployment, revision)
        return self._control.get(key_of(current)) or current

    def _adopt(self, deployment: JsonObject, current: JsonObject) -> None:
        selector, namespace = deployment["spec"].get("selector"), deployment["metadata"].get("namespace")
        for pod in self._control.store.of_kind("", "Pod"):
            owner = controller_key(pod)
            lost = owner is None or owner == key_of(deployment) or self._is_missing_set(owner)
            if (
                pod["metadata"].get("namespace") == namespace
                and lost
                and pods.selects(selector, pod["metadata"].get("labels"))
            ):
                self._control.patch(pod, {"metadata": {"ownerReferences": [pods.owner_reference(current)]}})

    def _is_missing_set(self, owner: Key) -> bool:
        return owner.kind == "ReplicaSet" and self._control.get(owner) is None

    # -- how many ------------------------------------------------------------------------------------------------------

    def _scale(self, replica_set: JsonObject, replicas: int) -> None:
        if _replicas(replica_set) != replicas:
            self._control.patch(replica_set, {"spec": {"replicas": replicas}})

    def _recreate(self, deployment: JsonObject, current: JsonObject, others: list[JsonObject]) -> None:
        for each in others:
            self._scale(each, 0)
        left = any(self._control.store.owned_by(key_of(each), "Pod") for each in others)
        if not left:
            self._scale(current, _replicas(deployment))

    def _roll(self, deployment: JsonObject, current: JsonObject, others: list[JsonObject]) -> None:
        wanted = _replicas(deployment)
        surge, unavailable = _allowances(deployment, wanted)
        old, have = sum(_replicas(each) for each in others), _replicas(current)
        self._scale(current, wanted if not old else min(wanted, max(have, wanted + surge - old)))
        sets = [self._control.get(key_of(each)) or each for each in (current, *others)]
        serving = sum(self._ready(each) for each in sets)
        spare = max(0, serving - (wanted - unavailable))
        for each in sets[1:]:
            replicas = _replicas(each)
            sick = replicas - self._ready(each)
            healthy_gone = min(spare, replicas - sick)
            spare -= healthy_gone
            self._scale(each, replicas - sick - healthy_gone)

    def _ready(self, replica_set: JsonObject) -> int:
        """Never more than the set is to have: its surplus is about to go."""
        mine = self._control.store.owned_by(key_of(replica_set), "Pod")
        return min(_replicas(replica_set), sum(1 for pod in mine if pods.ready(pod)))

    # -- what is there -------------------------------------------------------------------------------------------------

    def _tell(self, deployment: JsonObject, current: Key) -> None:
        mine = {
            key_of(each): [pod for pod in self._control.store.owned_by(key_of(each), "Pod") if pods.active(pod)]
            for each in self._sets(key_of(deployment))
        }
        everything = [pod for each in mine.values() for pod in each]
        ready, wanted = sum(1 for pod in everything if pods.ready(pod)), _replicas(deployment)
        _, unavailable = _allowances(deployment, wanted)
        enough = ready >= wanted - unavailable
        said = pods.said("Available", enough, "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable")
        status = {
            "observedGeneration": (self._control.get(key_of(deployment)) or deployment)["metadata"].get("generation"),
            "replicas": len(everything) or None,
            "updatedReplicas": len(mine.get(current, ())) or None,
            "readyReplicas": ready or None,
            "availableReplicas": ready or None,
            "unavailableReplicas": max(0, wanted - ready) or None,
            "conditions": pods.with_conditions(deployment, self._control.now, said),
        }
        self._control.patch(deployment, {"status": status})


def _replicas(manifest: JsonObject) -> int:
    return int(manifest["spec"].get("replicas", 1))


def _digest(deployment: JsonObject) -> str:
    return digest_of((deployment.get("spec") or {}).get("template") or {})[:10]


def _revision(replica_set: JsonObject) -> int:
    text = str((replica_set["metadata"].get("annotations") or {}).get(REVISION, "0"))
    return int(text) if text.isdecimal() else 0


def _template_of_set(replica_set: JsonObject) -> JsonObject:
    """As the Deployment would write it: without the hash."""
    template = dict(replica_set["spec"].get("template") or {})
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {name: value for name, value in (metadata.get("labels") or {}).items() if name != HASH_LABEL}
    return {**template, "metadata": metadata}


def _replica_set(deployment: JsonObject, digest: str, revision: int) -> JsonObject:
    metadata, spec = deployment["metadata"], deployment["spec"]
    template = spec.get("template") or {}
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: digest}
    made: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{digest}",
            "namespace": metadata.get("namespace"),
            "labels": labels,
            "annotations": {REVISION: str(revision), "watchkeeper.dev/template": digest},
            "ownerReferences": [pods.owner_reference(deployment)],
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
        },
    }
    return made


def _allowances(deployment: JsonObject, wanted: int) -> tuple[int, int]:
    """maxSurge rounds up, maxUnavailable down, as Kubernetes has it; both 0 would never get anywhere."""
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", "25%"), wanted, ceil)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), wanted, floor)
    return surge, unavailable if surge or unavailable else 1


def _share(value: Any, wanted: int, rounded: Any) -> int:
    text = str(value)
    return int(rounded(wanted * int(text[:-1]) / 100)) if text.endswith("%") else int(text)
