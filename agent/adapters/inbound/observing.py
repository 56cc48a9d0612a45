"""Looks at the API server for what nobody sends: Events, and node conditions that turned bad or good.

What is new is told by uid and resourceVersion, so nothing is told twice while the process lives, and what it forgets at
a restart the inbox remembers. A live server's Events are followed (all but those that the agent wrote itself); one that
only lists and watches is asked at each look. A malformed object costs itself only.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from agent.adapters.inbound.conditions import changed_conditions
from agent.adapters.inbound.delivery import Malformed
from agent.adapters.inbound.events import read_event
from agent.domain.cluster import ClusterView, Node
from agent.domain.signal import Signal
from agent.ports import Cluster, ClusterFault, Feed, JsonObject, WatchEvent

_GONE = 410  # the server has forgotten the changes since our version

Refused = Callable[[str, str, str], None]
"""Told (door, place, reason) of what could not be read."""


class Observer:
    """One per agent; not thread-safe."""

    def __init__(self, cluster: Cluster, on_refused: Refused, feed: Feed | None = None) -> None:
        """`feed` tells the changes of Events, where the cluster has one for them."""
        self._cluster = cluster
        self._feed = feed
        self._on_refused = on_refused
        self._versions: dict[str, str] = {}  # of Events, by uid
        self._reached: int | None = None  # the newest version of an Event; None before there was one
        self._nodes: dict[str, Node] = {}

    def observe(self, view: ClusterView, now: datetime) -> list[Signal]:
        """What is new since the last look. Raises ClusterFault when the API server does not answer."""
        return [*self._events(now), *self._conditions(view, now)]

    def _events(self, now: datetime) -> list[Signal]:
        fresh = [event for event in self._news() if self._versions.get(_uid(event)) != _version(event)]
        self._versions |= {_uid(event): _version(event) for event in fresh}
        signals = []
        for event in sorted(fresh, key=_uid):
            try:
                signals.append(read_event(event, now))
            except Malformed as malformed:
                self._on_refused("events", f"Event {_uid(event)}: {malformed.place}", malformed.reason)
        return signals

    def _news(self) -> list[JsonObject]:
        """All Events at the first look and wherever the server has forgotten how far we were; then what changed."""
        if self._feed is not None:
            return self._latest(self._feed.news())
        try:
            return self._listed() if self._reached is None else self._changed(self._reached)
        except ClusterFault as fault:
            if fault.status != _GONE:
                raise
            return self._listed()

    def _listed(self) -> list[JsonObject]:
        objects = self._cluster.list("v1", "Event")
        present = {_uid(event) for event in objects}
        self._versions = {uid: version for uid, version in self._versions.items() if uid in present}
        self._reached = max((_number(event) for event in objects), default=None)
        return objects

    def _changed(self, since: int) -> list[JsonObject]:
        changes = list(self._cluster.watch("v1", "Event", resource_version=str(since)))
        self._reached = max((_number(change.object) for change in changes), default=since)
        return self._latest(changes)

    def _latest(self, changes: Sequence[WatchEvent]) -> list[JsonObject]:
        found: dict[str, JsonObject] = {}
        for change in changes:
            if change.type == "DELETED":
                self._versions.pop(_uid(change.object), None)
                found.pop(_uid(change.object), None)
            elif change.type in ("ADDED", "MODIFIED"):
                found[_uid(change.object)] = change.object
        return list(found.values())

    def _conditions(self, view: ClusterView, now: datetime) -> list[Signal]:
        before, self._nodes = self._nodes, dict(view.nodes)
        return [s for name in sorted(view.nodes) for s in changed_conditions(before.get(name), view.nodes[name], now)]


def _uid(event: JsonObject) -> str:
    metadata = event.get("metadata", {})
    return str(metadata.get("uid") or f"{metadata.get('namespace')}/{metadata.get('name')}")


def _version(event: JsonObject) -> str:
    return str(event.get("metadata", {}).get("resourceVersion", ""))


def _number(event: JsonObject) -> int:
    text = _version(event)
    return int(text) if text.isdecimal() else 0
