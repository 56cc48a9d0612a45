"""A small evaluator of PromQL over the series store; parsing is promql_parser's.

It knows what this product and its users' first rules ask for. Everything else is refused by name, never guessed at.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import promql_parser as promql

from agent.adapters.simulated.range_functions import RANGE_FUNCTIONS
from agent.adapters.simulated.series import SECOND_US
from agent.adapters.simulated.tsdb import SeriesStore
from agent.ports import MetricsUnavailable

LOOKBACK_US = 300 * SECOND_US  # how old a sample an instant may show; Prometheus' own default

Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]
Value = Vector | float


class UnsupportedQuery(MetricsUnavailable, ValueError):
    """The expression is no PromQL, or PromQL that the simulated store does not know."""


def parse(query: str) -> Any:
    try:
        return promql.parse(query)
    except ValueError as wrong:
        raise UnsupportedQuery(f"{query!r}: {wrong}") from wrong


def evaluate(store: SeriesStore, expression: Any, at_us: int) -> Value:
    """The value of a parsed expression at one moment."""
    evaluator = _EVALUATORS.get(type(expression))
    if evaluator is None:
        raise _unknown(expression)
    return evaluator(store, expression, at_us)


def _unknown(expression: Any) -> UnsupportedQuery:
    return UnsupportedQuery(f"{expression.prettify()!r}: the simulated store does not know this part of PromQL")


def _moment(selector: Any, at_us: int) -> int:
    if selector.at is not None:
        raise _unknown(selector)
    return at_us - (selector.offset.total_seconds() * SECOND_US if selector.offset else 0).__trunc__()


def _selected(store: SeriesStore, selector: Any, at_us: int) -> Vector:
    """The newest scrape of each series, unless it is too old or the series is gone by now."""
    at_us = _moment(selector, at_us)
    scrape_us = at_us // store.step_us * store.step_us
    found: Vector = {}
    for log in store.select(selector) if at_us - scrape_us < LOOKBACK_US else ():
        segment = log.at(scrape_us)
        if segment is not None and log.at(at_us) is not None:
            found[log.labels] = segment.at(scrape_us)
    return found


def _called(store: SeriesStore, call: Any, at_us: int) -> Vector:
    function = RANGE_FUNCTIONS.get(call.func.name)
    if function is None or len(call.args) != 1 or not isinstance(call.args[0], promql.MatrixSelector):
        raise _unknown(call)
    matrix = call.args[0]
    end_us = _moment(matrix.vector_selector, at_us)
    start_us = end_us - int(matrix.range.total_seconds() * SECOND_US)
    found: Vector = {}
    for log in store.select(matrix.vector_selector):
        runs = list(log.runs(start_us, end_us, store.step_us))
        value = function(runs, start_us, end_us) if runs else None
        if value is not None:
            found[log.labels if call.func.name == "last_over_time" else _without(log.labels, ("__name__",))] = value
    return found


def _without(labels: Labels, names: tuple[str, ...]) -> Labels:
    return tuple(pair for pair in labels if pair[0] not in names)


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
        raise _unknown(expression)
    groups: dict[Labels, Vector] = {}
    for labels, value in vector.items():
        groups.setdefault(_group(labels, expression.modifier), {})[labels] = value
    if name == "topk":
        most = evaluate(store, expression.param, at_us)
        if not isinstance(most, float):
            raise _unknown(expression)
        return {labels: value for group in groups.values() for labels, value in _largest(group, int(most))}
    return {labels: _AGGREGATES[name](list(group.values())) for labels, group in groups.items()}


def _group(labels: Labels, modifier: Any) -> Labels:
    if modifier is None:
        return ()
    if modifier.type == promql.AggModifierType.By:
        return tuple(pair for pair in labels if pair[0] in modifier.labels)
    return _without(labels, ("__name__", *modifier.labels))


def _largest(group: Vector, most: int) -> list[tuple[Labels, float]]:
    return sorted(group.items(), key=lambda pair: (-pair[1], pair[0]))[: max(0, most)]


# -- operators ---------------------------------------------------------------------------------------------------------

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def _divided(left: float, right: float) -> float:
    if right:
        return left / right
    return float("nan") if left == 0 or left != left else float("inf") * left  # noqa: PLR0124 - NaN differs from itself


_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
}


def _negated(value: Value) -> Value:
    if isinstance(value, float):
        return -value
    return {_without(labels, ("__name__",)): -each for labels, each in value.items()}


def _combined(store: SeriesStore, expression: Any, at_us: int) -> Value:
    name = str(expression.op)
    left, right = evaluate(store, expression.lhs, at_us), evaluate(store, expression.rhs, at_us)
    if isinstance(left, dict) and isinstance(right, dict):
        return _sets(expression, name, left, right)
    if name in _ARITHMETIC:
        return _calculated(_ARITHMETIC[name], left, right)
    if name in _COMPARISONS:
        as_bool = expression.modifier is not None and expression.modifier.return_bool
        return _compared(_COMPARISONS[name], left, right, as_bool=as_bool)
    raise _unknown(expression)


def _calculated(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, dict) and isinstance(right, float):
        return {_without(labels, ("__name__",)): function(value, right) for labels, value in left.items()}
    if isinstance(right, dict) and isinstance(left, float):
        return {_without(labels, ("__name__",)): function(left, value) for labels, value in right.items()}
    assert isinstance(left, float) and isinstance(right, float)  # noqa: S101 - two vectors went elsewhere
    return function(left, right)


def _compared(test: Callable[[float, float], bool], left: Value, right: Value, *, as_bool: bool) -> Value:
    """A comparison keeps what passes; with `bool` it says 1 or 0 instead."""
    if isinstance(left, float) and isinstance(right, float):
        return float(test(left, right))
    vector = left if isinstance(left, dict) else right
    assert isinstance(vector, dict)  # noqa: S101 - one side is a vector here
    passed = {
        labels: test(value, right) if isinstance(right, float) else test(float(left), value)  # type: ignore[arg-type]
        for labels, value in vector.items()
    }
    if as_bool:
        return {_without(labels, ("__name__",)): float(passed[labels]) for labels in vector}
    return {labels: value for labels, value in vector.items() if passed[labels]}


def _sets(expression: Any, name: str, left: Vector, right: Vector) -> Vector:
    if name not in ("and", "or", "unless"):
        raise _unknown(expression)
    matching = expression.modifier.matching if expression.modifier is not None else None
    present = {_signature(labels, matching) for labels in right}
    if name == "and":
        return {labels: value for labels, value in left.items() if _signature(labels, matching) in present}
    if name == "unless":
        return {labels: value for labels, value in left.items() if _signature(labels, matching) not in present}
    known = {_signature(labels, matching) for labels in left}
    return {**left, **{labels: v for labels, v in right.items() if _signature(labels, matching) not in known}}


def _signature(labels: Labels, matching: Any) -> Labels:
    if matching is None:
        return _without(labels, ("__name__",))
    if matching.type == promql.LabelModifierType.Include:
        return tuple(pair for pair in labels if pair[0] in matching.labels)
    return _without(labels, ("__name__", *matching.labels))


_EVALUATORS: Mapping[type, Callable[[SeriesStore, Any, int], Value]] = {
    promql.NumberLiteral: lambda store, expression, at_us: float(expression.val),
    promql.ParenExpr: lambda store, expression, at_us: evaluate(store, expression.expr, at_us),
    promql.UnaryExpr: lambda store, expression, at_us: _negated(evaluate(store, expression.expr, at_us)),
    promql.VectorSelector: _selected,
    promql.Call: _called,
    promql.AggregateExpr: _aggregated,
    promql.BinaryExpr: _combined,
}
