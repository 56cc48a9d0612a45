"""The objects, as an API server keeps them: versions, generations, uids, and every change in order.

Nothing here decides whether a change is allowed (`admission.py`) or what follows from it (`controllers/`). Stored
objects are never changed in place, so whoever is inside the world may read them without copying.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated.clock import SimulatedClock
from agent.adapters.simulated.keys import key_of, owner_keys, shown
from agent.adapters.simulated.merge import copied, merged
from agent.domain.base import rfc3339
from agent.ports import JsonObject

BOOKKEEPING = ("resourceVersion", "managedFields", "generation")  # metadata that says nothing about the object


class Origin(StrEnum):
    """Who made a change: controllers treat what a scenario wrote differently from what happened."""

    LOADED = "loaded"  # the initial state
    SCENARIO = "scenario"  # the timeline
    AGENT = "agent"  # through the ports
    WORLD = "world"  # controllers, kubelets, repairs


@dataclass(frozen=True, slots=True)
class Change:
    version: int
    type: str  # ADDED | MODIFIED | DELETED, as a watch says it
    key: Key
    before: JsonObject | None
    after: JsonObject | None  # None when deleted
    origin: Origin

    @property
    def object(self) -> JsonObject:
        """As it is now, or as it last was."""
        found = self.after if self.after is not None else self.before
        assert found is not None  # noqa: S101 - one of them always stands
        return found

    @property
    def status_only(self) -> bool:
        if self.before is None or self.after is None:
            return False
        return intent_of(self.before) == intent_of(self.after)


def intent_of(manifest: JsonObject) -> JsonObject:
    """The object without its status and without bookkeeping."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in BOOKKEEPING}
    return {name: value for name, value in manifest.items() if name not in ("status", "metadata")} | {
        "metadata": metadata
    }


def _counts(manifest: JsonObject) -> tuple[object, ...]:
    """What a new generation is a change of: the spec; of a Deployment, whose pods may show them, annotations too."""
    if manifest.get("kind") != "Deployment":
        return (manifest.get("spec"),)
    return manifest.get("spec"), manifest["metadata"].get("annotations") or {}


class ObjectStore:
    def __init__(self, seed: int, clock: SimulatedClock) -> None:
        self._seed = seed
        self._clock = clock
        self._objects: dict[Key, JsonObject] = {}
        self._kinds: dict[tuple[str, str], dict[Key, JsonObject]] = {}
        self._owned: dict[Key, dict[Key, None]] = {}
        self._births = 0
        self.changes: list[Change] = []
        self.listeners: list[Callable[[Change], None]] = []

    @property
    def version(self) -> int:
        return len(self.changes)

    # -- reading -------------------------------------------------------------------------------------------------------

    def get(self, key: Key) -> JsonObject | None:
        return self._objects.get(key)

    def of_kind(self, group: str, kind: str) -> list[JsonObject]:
        """All of a kind, by namespace and name."""
        found = self._kinds.get((group, kind), {})
        return [found[key] for key in sorted(found)]

    def owned_by(self, owner: Key, kind: str | None = None) -> list[JsonObject]:
        keys = self._owned.get(owner, {})
        return [self._objects[key] for key in sorted(keys) if kind is None or key.kind == kind]

    def all(self) -> list[JsonObject]:
        return [self._objects[key] for key in sorted(self._objects)]

    # -- writing -------------------------------------------------------------------------------------------------------

    def create(self, manifest: JsonObject, origin: Origin) -> JsonObject:
        key = key_of(manifest)
        return self._put(key, None, self._born(key, manifest), origin)

    def merge(self, key: Key, patch: JsonObject, origin: Origin) -> JsonObject:
        before = self._objects[key]
        return self.replace(key, merged(before, copied(patch)), origin)

    def replace(self, key: Key, manifest: JsonObject, origin: Origin) -> JsonObject:
        before = self._objects[key]
        after = self.revised(before, manifest)
        return before if after is before else self._put(key, before, after, origin)

    def revised(self, before: JsonObject, manifest: JsonObject) -> JsonObject:
        """`manifest` with the generation it would have; `before` itself when nothing would change."""
        metadata = {**manifest["metadata"], "resourceVersion": before["metadata"]["resourceVersion"]}
        if _counts(before) != _counts(manifest):
            metadata["generation"] = int(before["metadata"].get("generation") or 1) + 1
        after = {**manifest, "metadata": metadata}
        return before if after == before else after

    def remove(self, key: Key, origin: Origin) -> None:
        before = self._objects.pop(key)
        self._kinds[key.group, key.kind].pop(key)
        for owner in owner_keys(before):
            self._owned.get(owner, {}).pop(key, None)
        self._record(Change(self.version + 1, "DELETED", key, before, None, origin))

    def _put(self, key: Key, before: JsonObject | None, after: JsonObject, origin: Origin) -> JsonObject:
        version = self.version + 1
        after = {**after, "metadata": {**after["metadata"], "resourceVersion": str(version)}}
        self._objects[key] = after
        self._kinds.setdefault((key.group, key.kind), {})[key] = after
        self._index_owners(key, before, after)
        self._record(Change(version, "ADDED" if before is None else "MODIFIED", key, before, after, origin))
        return after

    def _index_owners(self, key: Key, before: JsonObject | None, after: JsonObject) -> None:
        for owner in owner_keys(before) if before else ():
            self._owned.get(owner, {}).pop(key, None)
        for owner in owner_keys(after):
            self._owned.setdefault(owner, {})[key] = None

    def _record(self, change: Change) -> None:
        self.changes.append(change)
        for listener in self.listeners:
            listener(change)

    def _born(self, key: Key, manifest: JsonObject) -> JsonObject:
        """A new object with what the API server fills in. What the manifest says already stays."""
        self._births += 1
        metadata = copied(manifest["metadata"])
        metadata.setdefault("uid", str(uuid5(NAMESPACE_URL, f"watchkeeper:{self._seed}:{self._births}:{shown(key)}")))
        metadata.setdefault("creationTimestamp", self._birthday(manifest))
        metadata.setdefault("generation", 1)
        return {**copied(manifest), "metadata": metadata}

    def _birthday(self, manifest: JsonObject) -> str:
        """A pod that was running when the scenario began is as old as what made it; everything else is new."""
        if (manifest.get("status") or {}).get("phase") == "Running":
            for owner in owner_keys(manifest):
                if owner in self._objects:
                    return str(self._objects[owner]["metadata"]["creationTimestamp"])
        return rfc3339(self._clock.now())


def names(objects: Iterable[JsonObject]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]
