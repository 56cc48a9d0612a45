"""The Cluster port over the object store: the API server's verbs, conflicts and refusals.

Every mutation is journalled as an effect. What follows from a mutation is left to the controllers, which run when time
moves on: like a real API server, this one answers before anything has happened.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from agent.adapters.kubernetes.owners import Key, group_of, key_of
from agent.adapters.simulated import disruption, pods
from agent.adapters.simulated.admission import check_shape, check_update
from agent.adapters.simulated.applying import applied
from agent.adapters.simulated.behaviour import as_seen
from agent.adapters.simulated.clock import SimulatedClock
from agent.adapters.simulated.effects import Effect
from agent.adapters.simulated.faults import FaultBoard
from agent.adapters.simulated.keys import key_of as key_of_manifest, ref_of
from agent.adapters.simulated.merge import copied, merged
from agent.adapters.simulated.store import Change, ObjectStore, Origin
from agent.domain.base import rfc3339
from agent.domain.cluster import ObjectRef
from agent.ports import (
    Changed,
    ClusterUnavailable,
    Conflict,
    Invalid,
    JsonObject,
    NotFound,
    ServerError,
    TooManyRequests,
    WatchEvent,
)

MANAGER = "watchkeeper"
SCALABLE = ("Deployment", "StatefulSet", "ReplicaSet", "LeaderWorkerSet", "ReplicationController")


class SimulatedCluster:
    def __init__(self, store: ObjectStore, clock: SimulatedClock, faults: FaultBoard, effects: list[Effect]) -> None:
        self._store = store
        self._clock = clock
        self._faults = faults
        self._effects = effects
        self._applied: dict[tuple[Key, str], JsonObject] = {}  # what each manager applied last

    @property
    def resource_version(self) -> str:
        """Of the cluster as a whole; it changes with every object."""
        return str(self._store.version)

    # -- reading -------------------------------------------------------------------------------------------------------

    def get(self, ref: ObjectRef) -> JsonObject:
        self._gate()
        return as_seen(self._found(ref))

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[JsonObject]:
        self._gate()
        wanted = (labels or {}).items()
        return [
            as_seen(each)
            for each in self._store.of_kind(group_of(api_version), kind)
            if each["apiVersion"] == api_version
            and (namespace is None or each["metadata"].get("namespace") == namespace)
            and wanted <= (each["metadata"].get("labels") or {}).items()
        ]

    def watch(self, api_version: str, kind: str, *, resource_version: str) -> Iterator[WatchEvent]:
        self._gate()
        if not resource_version.isdigit():
            raise Invalid(f"resourceVersion {resource_version!r} is no version of this server")
        for change in self._store.changes[int(resource_version) :]:
            if change.key.group == group_of(api_version) and change.key.kind == kind:
                yield _event(change)

    def changes_since(self, version: int) -> tuple[WatchEvent, ...]:
        """The changes of all kinds in one answer, as a watch on each would tell them."""
        self._gate()
        return tuple(_event(change) for change in self._store.changes[version:])

    def changes(self, since: int) -> Iterator[WatchEvent]:
        """The changes of all kinds after that version, in one answer."""
        self._gate()
        for change in self._store.changes[since:]:
            yield _seen(change)

    # -- writing -------------------------------------------------------------------------------------------------------

    def patch(
        self,
        ref: ObjectRef,
        body: JsonObject,
        *,
        subresource: Literal["status"] | None = None,
        dry_run: bool = False,
        uid: str | None = None,
        field_manager: str = MANAGER,
    ) -> JsonObject:
        self._gate(writing=True)
        before = self._found(ref, uid)
        self._check_version(ref, before, body)
        if subresource == "status":
            part = {"status": body.get("status")}
        else:
            part = {name: value for name, value in body.items() if name != "status"}
        wanted = merged(before, copied(part))
        check_update(before, wanted)
        after = wanted if wanted == before else _managed(wanted, field_manager, rfc3339(self._clock.now()))
        if dry_run:
            return as_seen(self._store.revised(before, after))
        self._note(field_manager, "patch_status" if subresource else "patch", ref, body)
        return as_seen(self._store.replace(key_of(ref), after, Origin.AGENT))

    def apply(
        self,
        manifest: JsonObject,
        *,
        subresource: Literal["status"] | None = None,
        dry_run: bool = False,
        force: bool = False,
        field_manager: str = MANAGER,
    ) -> JsonObject:
        """Server-side apply, always by force (applying.py)."""
        self._gate(writing=True)
        ref = ref_of(manifest)
        before = self._found(ref, manifest["metadata"].get("uid"))
        self._check_version(ref, before, manifest)
        part = subresource or "spec"
        said: JsonObject = {part: manifest[part]} if part in manifest else {}
        wanted = applied(before, said, self._applied.get((key_of(ref), field_manager)))
        check_update(before, wanted)
        after = wanted if wanted == before else _managed(wanted, field_manager, rfc3339(self._clock.now()))
        if dry_run:
            return as_seen(self._store.revised(before, after))
        self._applied[key_of(ref), field_manager] = copied(said)
        self._note(field_manager, "apply", ref, manifest)
        return as_seen(self._store.replace(key_of(ref), after, Origin.AGENT))

    def scale(
        self, ref: ObjectRef, replicas: int, *, dry_run: bool = False, uid: str | None = None, seen: int | None = None
    ) -> JsonObject:
        self._gate(writing=True)
        before = self._found(ref, uid)
        if ref.kind not in SCALABLE and not isinstance((before.get("spec") or {}).get("replicas"), int):
            raise NotFound(f"{ref} has no scale subresource")
        told = (before.get("spec") or {}).get("replicas", 1)
        if seen is not None and told != seen:
            raise Changed(f"{ref} is to have {told} replicas now, not {seen}")
        after = _managed(merged(before, {"spec": {"replicas": replicas}}), MANAGER, rfc3339(self._clock.now()))
        check_update(before, after)
        if not dry_run:
            self._note(MANAGER, "scale", ref, {"spec": {"replicas": replicas}})
            after = self._store.replace(key_of(ref), after, Origin.AGENT)
        metadata = {name: after["metadata"].get(name) for name in ("name", "namespace", "uid", "resourceVersion")}
        status = {"replicas": (after.get("status") or {}).get("replicas", 0)}
        scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata}
        return {**scale, "spec": {"replicas": replicas}, "status": status}

    def evict(self, ref: ObjectRef, *, dry_run: bool = False, uid: str | None = None) -> None:
        self._gate(writing=True)
        pod = self._found(ref, uid)
        guarding = self._budgets_over(pod)
        if dry_run or pods.terminating(pod):
            return
        self._note(MANAGER, "evict", ref, {})
        for budget in guarding:
            left = disruption.allowed(budget, self._store.of_kind("", "Pod"), self._store.get) - 1
            self._store.merge(key_of_manifest(budget), {"status": {"disruptionsAllowed": left}}, Origin.WORLD)
        if pods.node_of(pod) is None:
            self._store.remove(key_of(ref), Origin.AGENT)  # no kubelet has anything to end
        else:
            self._store.merge(key_of(ref), pods.deletion(self._clock.now()), Origin.AGENT)

    def bind(self, ref: ObjectRef, node: str) -> None:
        self._gate(writing=True)
        pod = self._found(ref)
        if pods.node_of(pod):
            raise Conflict(f"{ref} is bound to {pods.node_of(pod)} already")
        if self._store.get(Key("", "Node", "", node)) is None:
            raise NotFound(f"there is no node {node}")
        self._note(MANAGER, "bind", ref, {"target": {"kind": "Node", "name": node}})
        self._store.merge(key_of(ref), pods.binding(pod, node, self._clock.now()), Origin.AGENT)

    def create(self, manifest: JsonObject, *, dry_run: bool = False) -> JsonObject:
        self._gate(writing=True)
        check_shape(manifest)
        if self._store.get(key_of_manifest(manifest)) is not None:
            raise Conflict(f"{ref_of(manifest)} exists already")
        made = _managed(manifest, MANAGER, rfc3339(self._clock.now()))
        if dry_run:
            return copied(made)
        self._note(MANAGER, "create", ref_of(manifest), manifest)
        return copied(self._store.create(made, Origin.AGENT))

    # -- checks --------------------------------------------------------------------------------------------------------

    def _gate(self, *, writing: bool = False) -> None:
        refusals: dict[str, Callable[[], Exception]] = {
            "down": lambda: ClusterUnavailable("the API server does not answer"),
            "error": lambda: ServerError("the API server answers 500"),
        }
        if writing:
            refusals["conflict"] = lambda: Conflict("the object was modified; please apply your changes again")
        self._faults.gate("apiserver", refusals)

    def _found(self, ref: ObjectRef, uid: str | None = None) -> JsonObject:
        found = self._store.get(key_of(ref))
        if found is None:
            raise NotFound(f"{ref} is not there")
        if uid is not None and found["metadata"]["uid"] != uid:
            raise Conflict(f"{ref} is {found['metadata']['uid']} now, not {uid}")
        return found

    def _check_version(self, ref: ObjectRef, before: JsonObject, body: JsonObject) -> None:
        if not isinstance(body, dict) or not isinstance(body.get("metadata", {}), dict):
            raise Invalid(f"{ref}: a merge patch is an object, and so is its metadata")
        expected = body.get("metadata", {}).get("resourceVersion")
        if expected is not None and expected != before["metadata"]["resourceVersion"]:
            raise Conflict(f"{ref}: resourceVersion is {before['metadata']['resourceVersion']}, not {expected}")

    def _budgets_over(self, pod: JsonObject) -> Sequence[JsonObject]:
        """The budgets that this eviction draws on. Raises TooManyRequests when one of them has nothing left."""
        if pods.phase(pod) != "Running":
            return []  # as Kubernetes has it: what serves nobody may always go
        guarding = [
            each for each in self._store.of_kind("policy", "PodDisruptionBudget") if disruption.guards(each, pod)
        ]
        if len(guarding) > 1:
            raise ServerError(
                f"{ref_of(pod)} has more than one PodDisruptionBudget, which an eviction does not support"
            )
        for budget in guarding:
            if disruption.allowed(budget, self._store.of_kind("", "Pod"), self._store.get) < 1:
                raise TooManyRequests(
                    f"cannot evict {ref_of(pod)}: it would violate the disruption budget {budget['metadata']['name']}"
                )
        return guarding

    def _note(self, who: str, verb: str, ref: ObjectRef, body: JsonObject) -> None:
        self._effects.append(Effect(who, verb, ref, copied(body), self._clock.now()))


def _seen(change: Change) -> WatchEvent:
    seen = as_seen(change.object)
    seen["metadata"]["resourceVersion"] = str(change.version)
    return WatchEvent(change.type, seen)


def _managed(manifest: JsonObject, manager: str, moment: str) -> JsonObject:
    """metadata.managedFields says who wrote, and when last; not which fields."""
    others = [each for each in manifest["metadata"].get("managedFields") or [] if each.get("manager") != manager]
    entry = {"manager": manager, "operation": "Update", "time": moment}
    return {**manifest, "metadata": {**manifest["metadata"], "managedFields": [*others, entry]}}


def _event(change: Change) -> WatchEvent:
    seen = as_seen(change.object)
    seen["metadata"]["resourceVersion"] = str(change.version)
    return WatchEvent(change.type, seen)
