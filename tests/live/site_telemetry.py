"""What dcgm-exporter, kube-state-metrics, Kueue and the trainings themselves would say of a real API server's objects.

No GPU is there to be measured, so the numbers come from the simulated world's own exporters: what pods do follows from
what the API server says of them, and from the annotations by which a scenario says how they behave. Both worlds thus
speak to the agent by the same series, here through a real Prometheus that scrapes them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from kube import Api, Json

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated.clock import SimulatedClock
from agent.adapters.simulated.keys import key_of
from agent.adapters.simulated.overview import Overview
from agent.adapters.simulated.store import ObjectStore, Origin
from agent.adapters.simulated.timers import Timers
from agent.adapters.simulated.tsdb import SeriesStore
from agent.adapters.simulated.world_metrics import WorldMetrics
from agent.evidence.labels import node_of

KUEUE = "kueue.x-k8s.io/v1beta2"
TOLD_OF = (
    ("v1", "Node"), ("v1", "Pod"), ("v1", "ResourceQuota"), ("batch/v1", "Job"), ("apps/v1", "StatefulSet"),
    (KUEUE, "ResourceFlavor"), (KUEUE, "ClusterQueue"), (KUEUE, "LocalQueue"), (KUEUE, "Workload"),
)  # fmt: skip
SPELL = timedelta(minutes=5)  # how often what a notebook does may change
SCRAPED = timedelta(seconds=60)  # between two samples of the past: as finely as idleness is looked at


class SiteTelemetry:
    """`since`: from when on the pods of now are said to have been at it. Asked by the scraper and the test alike."""

    def __init__(self, api: Api, since: datetime) -> None:
        self._api = api
        self._clock = SimulatedClock(since)
        self._store = ObjectStore(0, self._clock)
        self._series = SeriesStore(since, SCRAPED)
        overview = Overview(self._store, self._clock)
        self._world = WorldMetrics(self._store, overview, self._series, self._clock, Timers())
        self._versions: dict[Key, tuple[str, str]] = {}
        self._lock = threading.Lock()

    def page(self) -> str:
        """Of this moment, as an exporter answers a scrape."""
        with self._lock:
            self._follow(datetime.now(UTC))
            now_us = self._series.offset_us(self._clock.now())
            return "".join(f"{name} {value}\n" for name, value in self._values(now_us))

    def past(self, node: str, until: datetime, **labels: str) -> str:
        """What would have been scraped of one node's GPUs until then, in OpenMetrics, with the scraper's labels."""
        with self._lock:
            self._follow(self._clock.now())
            while self._clock.now() + SPELL < until:
                self._clock.reach(self._clock.now() + SPELL)
                self._world.follow()
            told = [(dict(pairs), segments) for pairs, segments in self._series.contents()]
            series = [(_name({**named, **labels}), segments) for named, segments in told if node_of(named) == node]
            start, lines = self._series.moment(0), []
            while start < until:
                at_us = self._series.offset_us(start)
                values = [(name, _value(segments, at_us)) for name, segments in series]
                lines += [f"{name} {value} {start.timestamp():.3f}\n" for name, value in values if value is not None]
                start += SCRAPED
        return "".join(lines) + "# EOF\n"

    def told(self, exposition: str) -> None:
        """The timeline's word: it goes over what the world would say of the same GPU."""
        with self._lock:
            self._clock.reach(datetime.now(UTC))
            self._series.set_text(exposition, None, self._clock.now())

    def mended(self, node: str) -> None:
        """After its reboot the gauges of the node's GPUs read 0 again."""
        with self._lock:
            self._clock.reach(datetime.now(UTC))
            self._series.heal(node, None, self._clock.now())

    def _follow(self, now: datetime) -> None:
        self._clock.reach(now)
        self._take_in()
        self._world.follow()

    def _take_in(self) -> None:
        seen = set()
        for api_version, kind in TOLD_OF:
            for each in self._api.list(api_version, kind):
                manifest = {"apiVersion": api_version, "kind": kind, **each}
                seen.add(key_of(manifest))
                self._keep(manifest)
        for gone in sorted(set(self._versions) - seen):
            del self._versions[gone]
            self._store.remove(gone, Origin.WORLD)

    def _keep(self, manifest: Json) -> None:
        key, metadata = key_of(manifest), manifest["metadata"]
        known, now = self._versions.get(key), (metadata["uid"], metadata["resourceVersion"])
        if known == now:
            return
        self._versions[key] = now
        if known is not None and known[0] == now[0]:
            self._store.replace(key, manifest, Origin.WORLD)
            return
        if known is not None:
            self._store.remove(key, Origin.WORLD)
        self._store.create(manifest, Origin.WORLD)

    def _values(self, at_us: int) -> Iterator[tuple[str, float]]:
        for pairs, segments in self._series.contents():
            value = _value(segments[-1:], at_us)
            if value is not None:
                yield _name(dict(pairs)), value


def _value(segments: list[Any], at_us: int) -> float | None:
    """Of the last that has begun by then: [from, value, growth per second, has it ended]."""
    begun = [segment for segment in segments if segment[0] <= at_us]
    if not begun or begun[-1][3]:
        return None
    from_us, value, per_second, _ = begun[-1]
    return float(value + per_second * (at_us - from_us) / 1e6)


def _name(named: dict[str, str]) -> str:
    labels = ",".join(f'{label}="{value}"' for label, value in sorted(named.items()) if label != "__name__")
    return f"{named['__name__']}{{{labels}}}"
