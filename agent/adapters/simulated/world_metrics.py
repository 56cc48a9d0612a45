"""The world's own exporters, where a scenario asks for them: series that follow what the pods do.

Who owns a series is kept in `tsdb.py`: what the timeline names is the timeline's, and what it dropped stays away.
"""

from agent.adapters.kubernetes.translate import translate
from agent.adapters.simulated.clock import SimulatedClock
from agent.adapters.simulated.exporters import dcgm, kube_state, kueue
from agent.adapters.simulated.exposition import Labels
from agent.adapters.simulated.store import ObjectStore
from agent.adapters.simulated.tsdb import SeriesStore


class WorldMetrics:
    def __init__(self, store: ObjectStore, series: SeriesStore, clock: SimulatedClock) -> None:
        self._store = store
        self._series = series
        self._clock = clock
        self._version = -1
        self._devices: dcgm.Devices = {}
        self._shown: dict[Labels, float] = {}

    def follow(self) -> None:
        """Says what is true now, if anything has changed."""
        if self._version == self._store.version:
            return
        self._version = self._store.version
        nodes, everything = self._store.of_kind("", "Node"), self._store.of_kind("", "Pod")
        self._devices = dcgm.assigned(nodes, everything, self._devices)
        shown = {
            **dcgm.series(nodes, everything, self._devices),
            **kube_state.series(nodes, everything, self._store.of_kind("batch", "Job")),
            **kueue.series(translate(self._store.all(), self._clock.now()).view),
        }
        for labels, value in shown.items():
            self._series.set_by_world(labels, value, self._clock.now())
        for labels in self._shown:
            if labels not in shown:
                self._series.end_by_world(labels, self._clock.now())
        self._shown = shown
