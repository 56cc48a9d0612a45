"""The Metrics port: instant and range reads of the simulated Prometheus."""

from datetime import datetime, timedelta

from agent.adapters.simulated.faults import FaultBoard
from agent.adapters.simulated.promql import evaluate, parse
from agent.adapters.simulated.promql_operators import Labels
from agent.adapters.simulated.tsdb import SeriesStore
from agent.ports import MetricsUnavailable, Series

POINTS_LIMIT = 11_000  # per series, as Prometheus has it


class SimulatedMetrics:
    def __init__(self, store: SeriesStore, faults: FaultBoard) -> None:
        self._store = store
        self._faults = faults

    def instant(self, query: str, at: datetime) -> list[Series]:
        self._gate()
        value = evaluate(self._store, parse(query), self._store.offset_us(at))
        if isinstance(value, float):
            return [Series({}, ((at, value),))]
        return [Series(dict(labels), ((at, number),)) for labels, number in sorted(value.items())]

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        self._gate()
        if step <= timedelta(0) or (end - start) // step > POINTS_LIMIT:
            raise ValueError(f"range from {start} to {end}: step {step} gives no or more than {POINTS_LIMIT} points")
        expression = parse(query)
        points: dict[Labels, list[tuple[datetime, float]]] = {}
        at = start
        while at <= end:
            value = evaluate(self._store, expression, self._store.offset_us(at))
            for labels, number in {(): value}.items() if isinstance(value, float) else value.items():
                points.setdefault(labels, []).append((at, number))
            at += step
        return [Series(dict(labels), tuple(points[labels])) for labels in sorted(points)]

    def _gate(self) -> None:
        def refusal() -> Exception:
            return MetricsUnavailable("Prometheus does not answer")

        self._faults.gate("prometheus", dict.fromkeys(("down", "error", "conflict"), refusal))
