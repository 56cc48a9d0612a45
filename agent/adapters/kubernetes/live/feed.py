"""Several kinds followed together, and what changed among them since somebody asked last.

Of each object only the last change is kept, so that what waits here is never more than the cluster. While a watch is
broken nothing is told at all: half a view that looks whole is what wrong actions are made of.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from agent.adapters.kubernetes.kinds import Kind
from agent.adapters.kubernetes.live.connection import Connection
from agent.adapters.kubernetes.live.discovery import Catalogue
from agent.adapters.kubernetes.live.following import HEALED_WITHIN_S, Follower
from agent.adapters.kubernetes.owners import Key, group_of
from agent.ports import ClusterUnavailable, JsonObject, WatchEvent

FIRST_LOOK_S = 60.0  # for the lists of a large cluster


class LiveFeed:
    """An agent.ports.Feed. One reader; its followers have threads of their own."""

    def __init__(
        self,
        connection: Connection,
        catalogue: Catalogue,
        kinds: Sequence[Kind],
        fields: str,
        on_change: Callable[[str], None],
    ) -> None:
        self._on_change = on_change
        self._lock = threading.Lock()
        self._pending: dict[Key, WatchEvent] = {}
        self._seen = False
        versions: dict[tuple[str, str], list[str]] = {}
        for each in kinds:
            versions.setdefault((group_of(each.api_version), each.kind), []).append(each.api_version)
        self._followers = {
            group_and_kind: Follower(connection, catalogue, group_and_kind[1], served, fields, self._note)
            for group_and_kind, served in versions.items()
        }
        for follower in self._followers.values():
            follower.start()

    def news(self) -> Sequence[WatchEvent]:
        patience_s = HEALED_WITHIN_S if self._seen else FIRST_LOOK_S
        end = time.monotonic() + patience_s
        for follower in self._followers.values():
            fault = follower.wait(max(0.0, end - time.monotonic()))
            if fault is not None:
                raise ClusterUnavailable(f"the {follower.kind}s are not followed now: {fault}") from fault
        self._seen = True
        with self._lock:
            found, self._pending = self._pending, {}
        return list(found.values())

    def lag_s(self) -> Mapping[str, float]:
        return {each.kind: each.lag_s() for each in self._followers.values()}

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """By kind: how often it was listed, and how often following it broke."""
        return {each.kind: (each.lists, each.breaks) for each in self._followers.values()}

    def follows(self, kind: Kind) -> bool:
        return (group_of(kind.api_version), kind.kind) in self._followers

    def changed(self, after: JsonObject) -> None:
        """What a write of ours answered, so that the next look shows it."""
        follower = self._followers.get((group_of(str(after.get("apiVersion"))), str(after.get("kind"))))
        if follower is not None:
            follower.changed(after)

    def close(self) -> None:
        for follower in self._followers.values():
            follower.stop()

    def _note(self, event: WatchEvent) -> None:
        metadata = event.object.get("metadata") or {}
        names = (str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))
        key = Key(group_of(str(event.object.get("apiVersion"))), str(event.object.get("kind")), *names)
        with self._lock:
            self._pending[key] = event
        self._on_change(key.kind)
