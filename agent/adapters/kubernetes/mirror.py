"""A copy of the cluster's objects, kept current by watching: the first look lists, later looks read what changed.

What the objects mean is left to translate.py. A live server is followed by threads of its own (live/following.py);
one that only lists and watches is asked here, and a kind that it does not serve is asked for again now and then, since
a CRD may be installed while we run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from agent.adapters.kubernetes.fields import MalformedObject
from agent.adapters.kubernetes.kinds import Kind
from agent.adapters.kubernetes.owners import Key, group_of
from agent.adapters.kubernetes.parsed import Parsed, parse
from agent.ports import Cluster, ClusterFault, Feed, JsonObject, NotFound, WatchEvent

UNSERVED_RETRY_S = 60  # a CRD is rarely new; a view is taken every few seconds
CONTROLLER = "watchkeeper.dev/agent"  # who says what our Events say
_GONE = 410  # the server has forgotten the changes since our version


@runtime_checkable
class TellsAll(Protocol):
    """A cluster that can tell the changes of all kinds in one answer, as the simulated one does."""

    def changes_since(self, version: int) -> Iterable[WatchEvent]: ...


@runtime_checkable
class Followed(Protocol):
    """A cluster that changes by itself: its feed lists and watches, whoever asks or not."""

    def follow(self, kinds: Sequence[Kind], fields: str = "") -> Feed: ...


def feed_of(cluster: Cluster, kinds: Sequence[Kind], fields: str = "") -> Feed | None:
    """None for a cluster that has none. `fields` is a field selector."""
    return (
        cluster.follow(kinds, fields) if isinstance(cluster, Followed) and not isinstance(cluster, TellsAll) else None
    )


def events_of(cluster: Cluster) -> Feed | None:
    """All Events but those that we write ourselves: what we did is no news to us."""
    return feed_of(cluster, (Kind("v1", "Event"),), f"reportingComponent!={CONTROLLER}")


@dataclass(slots=True)
class _Following:
    """How far one kind has been followed; None before it was listed."""

    version: int | None = None
    unserved_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """One object as it was last seen: parsed, or why it could not be."""

    version: int
    rank: int
    result: Parsed | MalformedObject


class Mirror:
    def __init__(self, cluster: Cluster, kinds: Sequence[Kind]) -> None:
        self._cluster = cluster
        self._feed = feed_of(cluster, kinds)
        self._reached = 0
        self._kinds = {kind: _Following() for kind in kinds}
        self._rank = {kind: -index for index, kind in enumerate(kinds)}
        self.copies: dict[Key, Copy] = {}
        self._before: dict[Key, Copy | None] = {}  # of what has changed since somebody asked for the changes

    def changes(self) -> dict[Key, tuple[Copy | None, Copy | None]]:
        """What is other than when this was last asked, as it was then and as it is; whoever asks has heard of it."""
        found = {key: (before, self.copies.get(key)) for key, before in self._before.items()}
        self._before = {}
        return {key: (before, now) for key, (before, now) in found.items() if before is not now}

    def _put(self, key: Key, copy: Copy) -> None:
        self._before.setdefault(key, self.copies.get(key))
        self.copies[key] = copy

    def _drop(self, key: Key) -> bool:
        self._before.setdefault(key, self.copies.get(key))
        return self.copies.pop(key, None) is not None

    def refresh(self, now: datetime) -> bool:
        """Reads what changed; True if anything did. Raises ClusterFault; what was read until then is kept, and is told
        by `changes` all the same."""
        if self._feed is not None:
            return self._apply_news(self._feed.news())
        if isinstance(self._cluster, TellsAll):
            return self._apply_all(self._cluster.changes_since(self._reached))
        changed = False
        for kind, following in self._kinds.items():
            if following.unserved_until and now < following.unserved_until:
                continue
            changed = self._follow(kind, following, now) or changed
        return changed

    def _apply_all(self, events: Iterable[WatchEvent]) -> bool:
        changed = False
        for event in events:
            self._reached = max(self._reached, _version(event.object))
            kind = Kind(str(event.object.get("apiVersion")), str(event.object.get("kind")))
            if kind in self._kinds:
                changed = self._apply(kind, event) or changed
        return changed

    def _apply_news(self, news: Sequence[WatchEvent]) -> bool:
        """What a feed tells is the truth, in one version of each kind, even where the server's versions went back."""
        for event in news:
            key = _key(event.object)
            if event.type == "DELETED":
                self._drop(key)
            else:
                self._put(key, Copy(_version(event.object), 0, _result(event.object)))
        return bool(news)

    def _follow(self, kind: Kind, following: _Following, now: datetime) -> bool:
        try:
            if following.version is None:
                return self._list(kind, following)
            return self._watch(kind, following, following.version)
        except NotFound:
            following.version, following.unserved_until = None, now + timedelta(seconds=UNSERVED_RETRY_S)
            return self._forget(kind)
        except ClusterFault as fault:
            if fault.status != _GONE:
                raise
            self._forget(kind)
            return self._list(kind, following)

    def _list(self, kind: Kind, following: _Following) -> bool:
        objects = self._cluster.list(kind.api_version, kind.kind)
        for raw in objects:
            self._keep(kind, raw)
        following.version = max((_version(raw) for raw in objects), default=0)
        following.unserved_until = None
        return bool(objects)

    def _watch(self, kind: Kind, following: _Following, since: int) -> bool:
        changed = False
        for event in self._cluster.watch(kind.api_version, kind.kind, resource_version=str(since)):
            following.version = max(following.version or 0, _version(event.object))
            changed = self._apply(kind, event) or changed
        return changed

    def _apply(self, kind: Kind, event: WatchEvent) -> bool:
        if event.type == "DELETED":
            return self._drop(_key(event.object))
        return event.type in ("ADDED", "MODIFIED") and self._keep(kind, event.object)

    def _keep(self, kind: Kind, raw: JsonObject) -> bool:
        """Keeps the newest, and of two spellings of the same version the preferred one."""
        key, version, rank = _key(raw), _version(raw), self._rank[kind]
        known = self.copies.get(key)
        if known and (known.version, known.rank) >= (version, rank):
            return False
        self._put(key, Copy(version, rank, _result(raw)))
        return True

    def _forget(self, kind: Kind) -> bool:
        gone = [key for key, copy in self.copies.items() if copy.rank == self._rank[kind]]
        for key in gone:
            self._drop(key)
        return bool(gone)


def _result(raw: JsonObject) -> Parsed | MalformedObject:
    try:
        return parse(raw)
    except MalformedObject as error:
        return error


def _key(raw: JsonObject) -> Key:
    """As the server names it; tolerant, since a malformed object must be kept apart from the others."""
    metadata = raw.get("metadata") or {}
    words = (metadata.get("namespace"), metadata.get("name")) if isinstance(metadata, dict) else (None, None)
    return Key(group_of(str(raw.get("apiVersion") or "")), str(raw.get("kind")), *(str(w or "") for w in words))


def _version(raw: JsonObject) -> int:
    metadata = raw.get("metadata")
    text = str(metadata.get("resourceVersion") or "") if isinstance(metadata, dict) else ""
    return int(text) if text.isdecimal() else 0
