"""The simulated world: an API server, its controllers, Prometheus and a repair system on one clock and one seed.

A runner drives it: it loads the initial objects, tells what the timeline does, and lets time reach the next moment.
Before the start nothing runs; history is only written down. The agent sees `clock`, `cluster`, `metrics`, `repairs`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import rfc8785

from agent.adapters.kubernetes.owners import key_of as key_of_ref
from agent.adapters.simulated.admitted_pods import with_priority
from agent.adapters.simulated.behaviour import behaviour_of
from agent.adapters.simulated.clock import SimulatedClock
from agent.adapters.simulated.cluster import SimulatedCluster
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.controllers.roster import controllers
from agent.adapters.simulated.effects import Effect
from agent.adapters.simulated.faults import FaultBoard
from agent.adapters.simulated.keys import key_of, shown
from agent.adapters.simulated.merge import copied, merged
from agent.adapters.simulated.metrics import SimulatedMetrics
from agent.adapters.simulated.pinning import Pinning, names_pinning
from agent.adapters.simulated.plane import ControlPlane
from agent.adapters.simulated.repairs import SimulatedRepairs
from agent.adapters.simulated.store import ObjectStore, Origin
from agent.adapters.simulated.timers import Timers
from agent.adapters.simulated.tsdb import SeriesStore
from agent.adapters.simulated.wellformed import check_wellformed
from agent.adapters.simulated.world_metrics import WorldMetrics
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.reservations import Reservations
from agent.ports import JsonObject


class World:
    def __init__(
        self,
        seed: int,
        start: datetime,
        scrape_interval: timedelta,
        repair: Mapping[str, Any] | None = None,
        world_metrics: bool = False,
        reservations: Reservations | None = None,
    ) -> None:
        self.clock = SimulatedClock(start)
        self.effects: list[Effect] = []
        self._start = self.clock.now()
        self._scrape_interval = scrape_interval
        self._timers = Timers()
        self._faults = FaultBoard(self.clock)
        self._pinning = Pinning()
        self._store = ObjectStore(seed, self.clock)
        self._series = SeriesStore(self._start, scrape_interval)
        boards = (self._timers, self._faults, self._pinning, self._series)
        control = Control(seed, self._store, self.clock, *boards, reservations)
        self._overview = control.overview
        self._plane = ControlPlane(control, controllers(control))
        control.wake = self._plane.wake
        self._store.listeners += [self._pinning.note, self._plane.note]
        self.cluster = SimulatedCluster(self._store, self.clock, self._faults, self.effects)
        self.metrics = SimulatedMetrics(self._series, self._faults)
        exporters = WorldMetrics(self._store, control.overview, self._series, self.clock, self._timers)
        self._exporters = exporters if world_metrics else None
        self.repairs = SimulatedRepairs(repair or {}, control, self._series, self.effects)

    # -- time ----------------------------------------------------------------------------------------------------------

    def begin_at(self, moment: datetime) -> None:
        """Sets the clock to a moment before the start, for a timeline with history. Before anything else."""
        if self._store.version or self._timers.next_due() is not None:
            raise ValueError("begin_at: the world has begun")
        self.clock.rewind(moment)

    def advance_to(self, moment: datetime) -> None:
        """Runs everything that is due up to then, in order. A moment that has passed still lets controllers work."""
        if moment < self._start:
            self.clock.reach(moment)
            return
        self.clock.reach(self._start)
        self._settle()
        while (due := self._timers.next_due()) is not None and due <= moment:
            self.clock.reach(due)
            self._timers.run_next()
            self._settle()
        self.clock.reach(moment)

    def _settle(self) -> None:
        self._plane.settle()
        if self._exporters is not None:
            self._exporters.follow()

    def next_event_at(self) -> datetime | None:
        """When something happens next: a controller with work, a timer, a scrape."""
        now = self.clock.now()
        if self._plane.busy:
            return max(now, self._start)
        scrape = self._start + ((now - self._start) // self._scrape_interval + 1) * self._scrape_interval
        timer = self._timers.next_due()
        return scrape if timer is None else min(scrape, max(now, timer))

    # -- what the scenario does ----------------------------------------------------------------------------------------

    def load(self, manifests: Iterable[JsonObject]) -> None:
        """The initial objects as they are, pods with their class's priority. Raises ValueError, naming the object."""
        for manifest in manifests:
            if self._store.get(key_of(manifest)) is not None:
                raise ValueError(f"{shown(key_of(manifest))} is there twice")
            check_wellformed(manifest)
            self._store.create(manifest, Origin.LOADED)
        for pod in self._store.of_kind("", "Pod"):
            self._store.replace(key_of(pod), with_priority(self._store, pod), Origin.LOADED)

    def apply(self, manifest: JsonObject) -> None:
        """Creates the object, or merges into it (RFC 7386): what the manifest does not name stays.

        Raises ValueError, naming the object, and then nothing has changed.
        """
        key = key_of(manifest)
        known = self._store.get(key)
        wanted = manifest if known is None else merged(known, {**manifest, "apiVersion": known["apiVersion"]})
        check_wellformed(wanted)
        if known is None:
            made = with_priority(self._store, wanted) if key.kind == "Pod" else wanted
            self._store.create(made, Origin.SCENARIO)
            return
        if names_pinning(manifest):
            self._pinning.pin_again(key)
        self._store.replace(key, copied(wanted), Origin.SCENARIO)

    def delete(self, ref: ObjectRef) -> None:
        """At once and without grace. An object that is not there is gone already."""
        key = key_of_ref(ref)
        if self._store.get(key) is not None:
            self._store.remove(key, Origin.SCENARIO)

    def set_metrics(self, exposition_text: str, rate_per_second: float | None = None) -> None:
        """From now on these series have these values, and grow at that rate. Raises ValueError, naming the line."""
        self._series.set_text(exposition_text, rate_per_second, self.clock.now())

    def drop_metrics(self, series_matchers: Iterable[str]) -> None:
        self._series.drop(series_matchers, self.clock.now())

    def inject_fault(self, target: str, kind: str, until: datetime) -> None:
        self._faults.inject(target, kind, until)

    # -- what a runner reads -------------------------------------------------------------------------------------------

    def object(self, ref: ObjectRef) -> JsonObject | None:
        """An object as it is, past all faults; None where there is none. For judging, not for the agent."""
        found = self._store.get(key_of_ref(ref))
        return None if found is None else copied(found)

    def view(self) -> ClusterView:
        """The cluster as it is, past all faults. For counting, not for the agent."""
        return self._overview.view()

    def behaving(self, words: frozenset[str]) -> frozenset[tuple[str, str]]:
        """Pods that behave in one of these ways, by namespace and name. For counting, not for the agent."""
        found = []
        for pod in self._store.of_kind("", "Pod"):
            said = behaviour_of(self._store, pod)
            if said is not None and said.word in words:
                found.append((pod["metadata"].get("namespace") or "", pod["metadata"]["name"]))
        return frozenset(found)

    def objects(self) -> list[JsonObject]:
        return [copied(each) for each in self._store.all()]

    def dump(self) -> bytes:
        """Everything there is, in canonical JSON: two runs that are alike have equal dumps."""
        return rfc8785.dumps(
            {
                "objects": self._store.all(),
                "series": self._series.contents(),
                "repairs": self.repairs.contents(),
                "version": self._store.version,
            }
        )
