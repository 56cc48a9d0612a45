"""The world's own exporters, where a scenario asks for them: series that follow what the pods do.

Here is only when they are looked at, and which series have changed. Who owns a series is kept in `tsdb.py`: what the
timeline names is the timeline's, and what it dropped stays away.
"""

from collections.abc import Hashable
from datetime import datetime

from agent.adapters.simulated.clock import SimulatedClock
from agent.adapters.simulated.exporters.activity import next_spell
from agent.adapters.simulated.exporters.sources import Exporters, Series
from agent.adapters.simulated.overview import Overview
from agent.adapters.simulated.store import ObjectStore
from agent.adapters.simulated.timers import Timers
from agent.adapters.simulated.tsdb import SeriesStore


class WorldMetrics:
    def __init__(
        self, store: ObjectStore, overview: Overview, series: SeriesStore, clock: SimulatedClock, timers: Timers
    ) -> None:
        self._store = store
        self._overview = overview
        self._series = series
        self._clock = clock
        self._timers = timers
        self._exporters = Exporters(store)
        self._version = -1
        self._next_spell: datetime | None = None
        self._shown: dict[Hashable, tuple[Hashable, Series]] = {}

    def follow(self) -> None:
        """Says what is true now, if anything has changed."""
        now = self._clock.now()
        if self._version == self._store.version and self._next_spell is not None and now < self._next_spell:
            return
        self._version = self._store.version
        before, self._shown = self._shown, {}
        for source in self._exporters.sources(self._overview.view(), now):
            mark, old = before.pop(source.name, (None, {}))
            new = old if source.mark == mark else source.series(old)
            self._shown[source.name] = (source.mark, new)
            self._write(old, new, now)
        for _, gone in before.values():
            self._write(gone, {}, now)
        self._wake_at(next_spell(now))

    def _write(self, old: Series, new: Series, now: datetime) -> None:
        if old is new:
            return
        for labels, sample in new.items():
            if old.get(labels) != sample:
                self._series.set_by_world(labels, sample.value, now, sample.per_second)
        for labels in old:
            if labels not in new:
                self._series.end_by_world(labels, now)

    def _wake_at(self, moment: datetime) -> None:
        if self._next_spell != moment:
            self._next_spell = moment
            self._timers.at(moment, lambda: None)  # the world looks at its exporters whenever a timer has run
