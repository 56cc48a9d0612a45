"""The cluster as controllers and exporters see it: the store's objects, translated once for each version.

Objects are never changed in place, so what was read of one stands as long as the store gives the same one. Events are
no part of it: nobody decides by what was said.
"""

from dataclasses import replace

from agent.adapters.kubernetes.fields import MalformedObject
from agent.adapters.kubernetes.memo import Memo
from agent.adapters.kubernetes.owners import Key
from agent.adapters.kubernetes.parsed import Parsed, parse
from agent.adapters.kubernetes.translate import assemble
from agent.adapters.simulated.clock import SimulatedClock
from agent.adapters.simulated.store import Change, ObjectStore
from agent.domain.cluster import ClusterView


class Overview:
    def __init__(self, store: ObjectStore, clock: SimulatedClock) -> None:
        self._store = store
        self._clock = clock
        self._version = 0
        self._parsed: dict[Key, Parsed] = {}
        self._memo = Memo()
        self._view: ClusterView | None = None

    def view(self) -> ClusterView:
        now = self._clock.now()
        if self._view is None or self._version != self._store.version:
            news = [change for change in self._store.changes[self._version :] if change.key.kind != "Event"]
            for change in news:
                self._heed(change)
            self._version = self._store.version
            if news or self._view is None:
                self._view = assemble([self._parsed[key] for key in sorted(self._parsed)], now, self._memo).view
        return replace(self._view, taken_at=now)

    def _heed(self, change: Change) -> None:
        self._parsed.pop(change.key, None)
        if change.after is not None:
            try:
                self._parsed[change.key] = parse(change.after)
            except MalformedObject:
                return  # a scheduler does not see what nobody can read
