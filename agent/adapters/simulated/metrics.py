"""The Metrics port: instant and range reads of the simulated Prometheus."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import promql_parser as promql

from agent.adapters.simulated.faults import FaultBoard
from agent.adapters.simulated.promql import evaluate, parse, selected_at, selected_over, stands_since
from agent.adapters.simulated.promql_operators import Labels
from agent.adapters.simulated.tsdb import SeriesStore
from agent.ports import MetricsUnavailable, Series

Sample = tuple[Mapping[str, str], float]  # labels, value

POINTS_LIMIT = 11_000  # per series, as Prometheus has it


class SimulatedMetrics:
    def __init__(self, store: SeriesStore, faults: FaultBoard) -> None:
        self._store = store
        self._faults = faults
        self._read: dict[str, tuple[datetime, int, list[Series]]] = {}  # by query: when, and as of which write
        self._standing: dict[str, tuple[int, int, list[Sample]]] = {}  # by query: as of which write, and since when

    def instant(self, query: str, at: datetime) -> list[Series]:
        self._gate()
        expression, at_us = parse(query), self._store.offset_us(at)
        if isinstance(expression, promql.VectorSelector):
            return self._plain(query, expression, at, at_us)
        value = evaluate(self._store, expression, at_us)
        if isinstance(value, float):
            return [Series({}, ((at, value),))]
        return [Series(dict(labels), ((at, number),)) for labels, number in sorted(value.items())]

    def _plain(self, query: str, selector: Any, at: datetime, at_us: int) -> list[Series]:
        """Many ask the same at one moment; it is answered once."""
        writes = self._store.writes.get(selector.name or "", 0)
        known = self._read.get(query)
        if known is None or known[:2] != (at, writes) or not selector.name:
            selected = self._selected(query, selector, at_us)
            known = self._read[query] = at, writes, [Series(named, ((at, number),)) for named, number in selected]
        return list(known[2])

    def _selected(self, query: str, selector: Any, at_us: int) -> list[Sample]:
        """Series that stand still are read once, and again when one of their metric is written.

        What was before they stood still is another matter."""
        writes = self._store.writes.get(selector.name or "", 0)
        known = self._standing.get(query)
        if known is not None and known[0] == writes and known[1] <= at_us - at_us % self._store.step_us:
            return known[2]
        found: list[Sample] = [(log.named, value) for log, value in selected_at(self._store, selector, at_us)]
        since_us = stands_since(self._store, selector) if selector.name else None
        if since_us is not None and since_us <= at_us - at_us % self._store.step_us:
            self._standing[query] = (writes, since_us, found)
        return found

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        self._gate()
        if step <= timedelta(0) or (end - start) // step > POINTS_LIMIT:
            raise ValueError(f"range from {start} to {end}: step {step} gives no or more than {POINTS_LIMIT} points")
        expression = parse(query)
        moments = [start + number * step for number in range(max(0, (end - start) // step + 1))]
        if isinstance(expression, promql.VectorSelector):
            plain = selected_over(self._store, expression, [self._store.offset_us(at) for at in moments])
            return [
                Series(log.named, tuple(zip(map(moments.__getitem__, numbers), values, strict=True)))
                for log, numbers, values in plain
            ]
        points: dict[Labels, list[tuple[datetime, float]]] = {}
        for at in moments:
            value = evaluate(self._store, expression, self._store.offset_us(at))
            for labels, number in {(): value}.items() if isinstance(value, float) else value.items():
                points.setdefault(labels, []).append((at, number))
        return [Series(dict(labels), tuple(points[labels])) for labels in sorted(points)]

    def _gate(self) -> None:
        def refusal() -> Exception:
            return MetricsUnavailable("Prometheus does not answer")

        self._faults.gate("prometheus", dict.fromkeys(("down", "error", "conflict"), refusal))
