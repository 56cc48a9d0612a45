"""A small evaluator of PromQL over the series store; parsing is promql_parser's.

It knows what this product and its users' first rules ask for. Everything else is refused by name, never guessed at.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import promql_parser as promql

from agent.adapters.simulated.promql_operators import (
    Labels,
    UnsupportedQuery,
    Value,
    Vector,
    combined,
    negated,
    unknown,
    without,
)
from agent.adapters.simulated.range_functions import RANGE_FUNCTIONS
from agent.adapters.simulated.series import SECOND_US, Segment, SeriesLog
from agent.adapters.simulated.tsdb import SeriesStore

Samples = tuple[Sequence[int], Sequence[float]]  # the numbers of the moments, and the value at each


class _Fresh(NamedTuple):
    """The moments that are near enough to a scrape, oldest first: their numbers, themselves, and their scrapes."""

    numbers: tuple[int, ...]
    ats_us: tuple[int, ...]
    scrapes_us: tuple[int, ...]


LOOKBACK_US = 300 * SECOND_US  # how old a sample an instant may show; Prometheus' own default


@lru_cache(maxsize=512)  # the product asks some dozens; a scenario's rules may ask more
def parse(query: str) -> Any:
    try:
        return promql.parse(query)
    except ValueError as wrong:
        raise UnsupportedQuery(f"{query!r}: {wrong}") from wrong


def evaluate(store: SeriesStore, expression: Any, at_us: int) -> Value:
    """The value of a parsed expression at one moment."""
    evaluator = _EVALUATORS.get(type(expression))
    if evaluator is None:
        raise unknown(expression)
    return evaluator(store, expression, at_us)


def _moment(selector: Any, at_us: int) -> int:
    if selector.at is not None:
        raise unknown(selector)
    return at_us - (selector.offset // timedelta(microseconds=1) if selector.offset else 0)


def _selected(store: SeriesStore, selector: Any, at_us: int) -> Vector:
    """The newest scrape of each series, unless it is too old or the series is gone by now."""
    at_us = _moment(selector, at_us)
    scrape_us = at_us // store.step_us * store.step_us
    found: Vector = {}
    for log in store.select(selector) if at_us - scrape_us < LOOKBACK_US else ():
        value = log.shown(scrape_us, at_us)
        if value is not None:
            found[log.labels] = value
    return found


def selected_at(store: SeriesStore, selector: Any, at_us: int) -> list[tuple[SeriesLog, float]]:
    """What `evaluate` gives at one moment, in the order of the labels."""
    at_us = _moment(selector, at_us)
    scrape_us = at_us // store.step_us * store.step_us
    logs = store.select(selector) if at_us - scrape_us < LOOKBACK_US else []
    return [(log, value) for log in logs if (value := log.shown(scrape_us, at_us)) is not None]


def selected_over(
    store: SeriesStore, selector: Any, moments_us: Sequence[int]
) -> list[tuple[SeriesLog, Sequence[int], Sequence[float]]]:
    """What `evaluate` gives at each of these moments, oldest first, by series: one walk for all of them."""
    shown = [(at, at // store.step_us * store.step_us) for at in (_moment(selector, each) for each in moments_us)]
    kept = [(n, at, scrape) for n, (at, scrape) in enumerate(shown) if at - scrape < LOOKBACK_US]
    if not kept:
        return []
    fresh, found = _Fresh(*zip(*kept, strict=True)), []
    for log in store.select(selector):
        numbers, values = _samples(log, fresh)
        if numbers:
            found.append((log, numbers, values))
    return found


def stands_since(store: SeriesStore, selector: Any) -> int | None:
    """From which scrape on every moment shows the same, as long as nobody writes; None where something grows.

    Where there is no series, that is so from the beginning.
    """
    logs = store.select(selector)
    if selector.offset or selector.at or store.step_us >= LOOKBACK_US or any(log.grows for log in logs):
        return None
    return max((log.current.from_us for log in logs), default=0)


def _samples(log: SeriesLog, fresh: _Fresh) -> Samples:
    """The moments at which the series has a value: of each segment the scrapes that it lasts, found by halving."""
    segments = log.segments()
    starts = [bisect_left(fresh.scrapes_us, segment.from_us) for segment in segments] + [len(fresh.scrapes_us)]
    numbers: list[int] = []
    values: list[float] = []
    for now, segment in enumerate(segments):
        first, end = starts[now], starts[now + 1]
        if first == end or segment.gone:
            continue
        shown: Sequence[int] = range(first, end)
        if now + 1 < len(segments) and fresh.ats_us[end - 1] >= segments[now + 1].from_us:
            shown = [n for n in shown if not _gone_by(segments, now, fresh.ats_us[n])]
        numbers += [fresh.numbers[n] for n in shown]
        steady = not segment.per_second
        values += [segment.value] * len(shown) if steady else [segment.at(fresh.scrapes_us[n]) for n in shown]
    return numbers, values


def _gone_by(segments: Sequence[Segment], now: int, at_us: int) -> bool:
    """Has the series ended since that scrape?"""
    while now + 1 < len(segments) and segments[now + 1].from_us <= at_us:
        now += 1
    return segments[now].gone


def _called(store: SeriesStore, call: Any, at_us: int) -> Vector:
    function = RANGE_FUNCTIONS.get(call.func.name)
    if function is None or len(call.args) != 1 or not isinstance(call.args[0], promql.MatrixSelector):
        raise unknown(call)
    matrix = call.args[0]
    end_us = _moment(matrix.vector_selector, at_us)
    start_us = end_us - matrix.range // timedelta(microseconds=1)
    found: Vector = {}
    for log in store.select(matrix.vector_selector):
        runs = list(log.runs(start_us, end_us, store.step_us))
        value = function(runs, start_us, end_us) if runs else None
        if value is not None:
            found[log.labels if call.func.name == "last_over_time" else without(log.labels, ("__name__",))] = value
    return found


# -- aggregation -------------------------------------------------------------------------------------------------------

_AGGREGATES: Mapping[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
}


def _aggregated(store: SeriesStore, expression: Any, at_us: int) -> Vector:
    name = str(expression.op)
    vector = evaluate(store, expression.expr, at_us)
    if not isinstance(vector, dict) or name not in (*_AGGREGATES, "topk"):
        raise unknown(expression)
    groups: dict[Labels, Vector] = {}
    for labels, value in vector.items():
        groups.setdefault(_group(labels, expression.modifier), {})[labels] = value
    if name == "topk":
        most = evaluate(store, expression.param, at_us)
        if not isinstance(most, float):
            raise unknown(expression)
        return {labels: value for group in groups.values() for labels, value in _largest(group, int(most))}
    return {labels: _AGGREGATES[name](list(group.values())) for labels, group in groups.items()}


def _group(labels: Labels, modifier: Any) -> Labels:
    if modifier is None:
        return ()
    if modifier.type == promql.AggModifierType.By:
        return tuple(pair for pair in labels if pair[0] in modifier.labels)
    return without(labels, ("__name__", *modifier.labels))


def _largest(group: Vector, most: int) -> list[tuple[Labels, float]]:
    return sorted(group.items(), key=lambda pair: (-pair[1], pair[0]))[: max(0, most)]


_EVALUATORS: Mapping[type, Callable[[SeriesStore, Any, int], Value]] = {
    promql.NumberLiteral: lambda store, expression, at_us: float(expression.val),
    promql.ParenExpr: lambda store, expression, at_us: evaluate(store, expression.expr, at_us),
    promql.UnaryExpr: lambda store, expression, at_us: negated(evaluate(store, expression.expr, at_us)),
    promql.VectorSelector: _selected,
    promql.Call: _called,
    promql.AggregateExpr: _aggregated,
    promql.BinaryExpr: lambda store, expression, at_us: combined(
        expression, evaluate(store, expression.lhs, at_us), evaluate(store, expression.rhs, at_us)
    ),
}
