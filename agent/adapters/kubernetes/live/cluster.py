"""The Cluster port on a real API server: its verbs, one request each, with a time limit and a typed fault.

Whatever is changed names our field manager, and where the caller says which object it judged, that very object: by
uid, by resourceVersion. What is changed is told the followers at once, so that a look after an act shows the act.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from agent.adapters.kubernetes.kinds import Kind
from agent.adapters.kubernetes.live.access import Access
from agent.adapters.kubernetes.live.connection import WRITE_TIMEOUT_S, Connection, Told
from agent.adapters.kubernetes.live.deeds import DeedWriter
from agent.adapters.kubernetes.live.discovery import Catalogue, Resource
from agent.adapters.kubernetes.live.feed import LiveFeed
from agent.adapters.kubernetes.live.paging import Pages
from agent.adapters.kubernetes.live.watching import watched
from agent.domain.cluster import ObjectRef
from agent.ports import (
    Changed,
    Clock,
    ClusterFault,
    ClusterUnavailable,
    Conflict,
    Gone,
    Invalid,
    JsonObject,
    NotFound,
    NotServed,
    WatchEvent,
)

MANAGER = "watchkeeper"
POLL_S = 1  # how long `watch` waits for what has not happened yet; whoever follows for long asks for a feed
LIST_TRIES = 3  # a list whose pages the server has forgotten half way is begun again
_MERGE, _APPLY = "application/merge-patch+json", "application/apply-patch+yaml"

log = logging.getLogger("watchkeeper.apiserver")


def _heard(door: str, place: str, reason: str) -> None:
    log.warning("%s: %s: %s", door, place, reason)


def _unheeded(kind: str) -> None:
    """Nobody waits for changes."""


def _always() -> None:
    """Nobody keeps it from writing."""


class LiveCluster:
    """An agent.ports.Cluster. `instance` names this agent in the Events that it writes.

    `on_change` is called, on any thread, with the kind of which a watch has told something.
    """

    def __init__(
        self,
        access: Access,
        clock: Clock,
        *,
        told: Told = _heard,
        on_change: Callable[[str], None] = _unheeded,
        instance: str = MANAGER,
    ) -> None:
        self._on_change = on_change
        self._connection = Connection(access.configuration, clock, told)
        self.may_write: Callable[[], None] = _always
        """Asked in the middle of each write, as the last thing: raises where it must not be made any more."""

        self._catalogue = Catalogue(self._connection)
        self._feeds: list[LiveFeed] = []
        self._deeds = DeedWriter(self._connection, clock, instance)

    @property
    def skew_s(self) -> float:
        """How far our clock is ahead of the server's, as its last answer said."""
        return self._connection.skew_s

    def lag_s(self) -> Mapping[str, float]:
        """By followed kind: for how many seconds the server has said nothing of it, not even that nothing changed."""
        return {kind: lag for feed in self._feeds for kind, lag in feed.lag_s().items()}

    def served(self, group: str) -> Mapping[str, frozenset[str]]:
        """The kinds of an API group by version, as the server said last."""
        return self._catalogue.kinds(group)

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """By followed kind: how often it was listed, and how often following it broke."""
        return {kind: counted for feed in self._feeds for kind, counted in feed.counts().items()}

    def close(self) -> None:
        """Ends what follows the cluster; what was done is still told first."""
        for feed in self._feeds:
            feed.close()
        self._deeds.close()
        self._connection.close()

    # -- reading -------------------------------------------------------------------------------------------------------

    def get(self, ref: ObjectRef) -> JsonObject:
        try:
            return self._connection.read(self._catalogue.of(ref).path(ref))
        except NotServed:
            self._catalogue.doubt()
            raise

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[JsonObject]:
        resource = self._catalogue.find(api_version, kind)
        wanted = [("labelSelector", ",".join(f"{name}={value}" for name, value in labels.items()))] if labels else []
        for attempt in range(LIST_TRIES):
            try:
                return [each for page in Pages(self._connection, resource, namespace, wanted) for each in page]
            except NotServed:
                self._catalogue.doubt()
                raise
            except Gone:
                if attempt == LIST_TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")

    def watch(self, api_version: str, kind: str, *, resource_version: str) -> Iterator[WatchEvent]:
        """A poll of a second."""
        resource = self._catalogue.find(api_version, kind)
        with watched(self._connection, resource, resource_version, POLL_S) as events:
            yield from (event for event in events if event.type != "BOOKMARK")

    def follow(self, kinds: Sequence[Kind], fields: str = "") -> LiveFeed:
        """Lists and watches these kinds from now on, each object in the first of the versions that is served.

        `fields` is a field selector, for all of them.
        """
        feed = LiveFeed(self._connection, self._catalogue, kinds, fields, self._on_change)
        self._feeds.append(feed)
        return feed

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
        resource, begun = self._begin(ref)
        said = _with_uid(ref, body, uid)
        if subresource is None and "status" in resource.subresources:
            said = {name: value for name, value in said.items() if name != "status"}
        query = [*_dry(dry_run), ("fieldManager", field_manager)]
        after = self._write("PATCH", begun, resource.path(ref, subresource or ""), query, said, _MERGE)
        return self._done(after, ref, "patch_status" if subresource else "patch", dry_run)

    def apply(
        self,
        manifest: JsonObject,
        *,
        subresource: Literal["status"] | None = None,
        dry_run: bool = False,
        force: bool = False,
        field_manager: str = MANAGER,
    ) -> JsonObject:
        """Server-side apply: the fields of `manifest` are ours from now on, and those that we no longer name go.

        Raises FieldConflict where another manager owns one of them, unless `force`.
        """
        ref = _ref(manifest)
        resource, begun = self._begin(ref)
        query = [*_dry(dry_run), ("fieldManager", field_manager), ("force", "true" if force else "false")]
        after = self._write("PATCH", begun, resource.path(ref, subresource or ""), query, manifest, _APPLY)
        return self._done(after, ref, "apply", dry_run)

    def scale(
        self, ref: ObjectRef, replicas: int, *, dry_run: bool = False, uid: str | None = None, seen: int | None = None
    ) -> JsonObject:
        """Written as it was read: what somebody else writes in between is a Conflict."""
        resource, begun = self._begin(ref)
        if "scale" not in resource.subresources:
            self.get(ref)
            raise NotFound(f"{ref} has no scale subresource")
        path = resource.path(ref, "scale")
        scale = self._connection.read(path)
        if uid is not None:
            _check_uid(ref, scale, uid)
        _check_replicas(ref, scale, seen)
        wanted = {**scale, "spec": {**(scale.get("spec") or {}), "replicas": replicas}}
        query = [*_dry(dry_run), ("fieldManager", MANAGER)]
        after = self._write("PUT", begun, path, query, wanted)
        after["spec"] = {"replicas": 0, **(after.get("spec") or {})}  # none is written as nothing
        if not dry_run:
            self._deeds.note(ref, {"metadata": scale["metadata"]}, "scale")
            self._refresh(ref)
        return after

    def evict(self, ref: ObjectRef, *, dry_run: bool = False, uid: str | None = None) -> None:
        resource, begun = self._begin(ref)
        if "eviction" not in resource.subresources:
            raise Invalid(f"{ref}: only pods are evicted")
        if uid is not None:
            _check_uid(ref, self.get(ref), uid)  # the server itself would try the mismatch again for ten seconds
        options: JsonObject = {"preconditions": {"uid": uid}} if uid is not None else {}
        metadata = {"name": ref.name, "namespace": ref.namespace}
        eviction: JsonObject = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        wanted = {**eviction, "deleteOptions": options}
        self._write("POST", begun, resource.path(ref, "eviction"), _dry(dry_run), wanted)
        if not dry_run:
            self._deeds.note(ref, {"metadata": {"uid": uid} if uid else {}}, "evict")
            self._refresh(ref)

    def bind(self, ref: ObjectRef, node: str) -> None:
        resource, begun = self._begin(ref)
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        metadata = {"name": ref.name, "namespace": ref.namespace}
        binding: JsonObject = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
        query = [("fieldManager", MANAGER)]
        self._write("POST", begun, resource.path(ref, "binding"), query, binding)
        self._refresh(ref)

    def create(self, manifest: JsonObject, *, dry_run: bool = False) -> JsonObject:
        ref = _ref(manifest)
        resource, begun = self._begin(ref)
        resource.path(ref)  # whether it says its namespace
        query = [*_dry(dry_run), ("fieldManager", MANAGER)]
        made = self._write("POST", begun, resource.collection(ref.namespace), query, manifest)
        return self._done(made, ref, "create", dry_run)

    def delete(self, ref: ObjectRef, *, uid: str | None = None, dry_run: bool = False) -> None:
        """In the background: what it owns goes after it. Finalizers may keep it for as long as they like."""
        resource, begun = self._begin(ref)
        options: JsonObject = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if dry_run:
            options["dryRun"] = ["All"]  # of a delete with a body the server does not heed the query
        self._write("DELETE", begun, resource.path(ref), [], options)
        if not dry_run:
            self._deeds.note(ref, {"metadata": {"uid": uid} if uid else {}}, "delete")

    # -- after a change ------------------------------------------------------------------------------------------------

    def _begin(self, ref: ObjectRef) -> tuple[Resource, float]:
        begun = time.monotonic()
        return self._catalogue.of(ref), begun

    def _write(
        self,
        method: str,
        begun: float,
        path: str,
        query: Sequence[tuple[str, str]],
        body: JsonObject,
        content_type: str = "application/json",
    ) -> JsonObject:
        """Within the time of the whole verb: what was looked up before it counts."""
        left_s = WRITE_TIMEOUT_S - (time.monotonic() - begun)
        if left_s <= 0:
            raise ClusterUnavailable(f"{method} {path}: not sent: {WRITE_TIMEOUT_S:g} s went by in looking it up")
        try:
            return self._connection.write(method, path, query, body, content_type, left_s, self.may_write)
        except NotServed:
            self._catalogue.doubt()
            raise

    def _done(self, after: JsonObject, ref: ObjectRef, verb: str, dry_run: bool) -> JsonObject:
        if not dry_run:
            for feed in self._feeds:
                feed.changed(after)
            self._deeds.note(ref, after, verb)
        return after

    def _refresh(self, ref: ObjectRef) -> None:
        """For a verb whose answer is not the object: how it is now, or that it is gone, where somebody follows it."""
        if not any(feed.follows(Kind(ref.api_version, ref.kind)) for feed in self._feeds):
            return
        try:
            now = self.get(ref)
        except ClusterFault as fault:  # what was done is done, whether it can be seen or not: the watch will tell
            log.debug("%s is not read again: %s", ref, fault)
            return
        for feed in self._feeds:
            feed.changed(now)


def _with_uid(ref: ObjectRef, body: JsonObject, uid: str | None) -> JsonObject:
    """The uid in a merge patch is a precondition: it may not change."""
    metadata: Any = body.get("metadata", {}) if isinstance(body, dict) else None
    if not isinstance(metadata, dict):
        raise Invalid(f"{ref}: a merge patch is an object, and so is its metadata")
    return body if uid is None else {**body, "metadata": {**metadata, "uid": uid}}


def _check_uid(ref: ObjectRef, found: JsonObject, uid: str) -> None:
    now = found["metadata"].get("uid")
    if now != uid:
        raise Conflict(f"{ref} is {now} now, not {uid}")


def _check_replicas(ref: ObjectRef, scale: JsonObject, seen: int | None) -> None:
    told = (scale.get("spec") or {}).get("replicas", 0)  # none is written as nothing
    if seen is not None and told != seen:
        raise Changed(f"{ref} is to have {told} replicas now, not {seen}")


def _dry(dry_run: bool) -> list[tuple[str, str]]:
    return [("dryRun", "All")] if dry_run else []


def _ref(manifest: JsonObject) -> ObjectRef:
    metadata = manifest.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    words = (manifest.get("apiVersion"), manifest.get("kind"), named.get("name"))
    if not all(isinstance(word, str) and word for word in words):
        raise Invalid("a manifest names its apiVersion, its kind and metadata.name")
    return ObjectRef(
        api_version=str(words[0]), kind=str(words[1]), namespace=named.get("namespace") or None, name=str(words[2])
    )
