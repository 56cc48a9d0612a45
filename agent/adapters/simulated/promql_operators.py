"""PromQL's operators on vectors and scalars: comparison, arithmetic, sets, and the sign. Pure."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import promql_parser as promql

from agent.ports import MetricsUnavailable

Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]
Value = Vector | float


class UnsupportedQuery(MetricsUnavailable, ValueError):
    """The expression is no PromQL, or PromQL that the simulated store does not know."""


def unknown(expression: Any) -> UnsupportedQuery:
    return UnsupportedQuery(f"{expression.prettify()!r}: the simulated store does not know this part of PromQL")


def without(labels: Labels, names: tuple[str, ...]) -> Labels:
    return tuple(pair for pair in labels if pair[0] not in names)


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


def negated(value: Value) -> Value:
    if isinstance(value, float):
        return -value
    return {without(labels, ("__name__",)): -each for labels, each in value.items()}


def combined(expression: Any, left: Value, right: Value) -> Value:
    """The value of a parsed binary expression, given those of its sides."""
    name = str(expression.op)
    if isinstance(left, dict) and isinstance(right, dict):
        return _sets(expression, name, left, right)
    if name in _ARITHMETIC:
        return _calculated(_ARITHMETIC[name], left, right)
    if name in _COMPARISONS:
        as_bool = expression.modifier is not None and expression.modifier.return_bool
        return _compared(_COMPARISONS[name], left, right, as_bool=as_bool)
    raise unknown(expression)


def _calculated(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, dict) and isinstance(right, float):
        return {without(labels, ("__name__",)): function(value, right) for labels, value in left.items()}
    if isinstance(right, dict) and isinstance(left, float):
        return {without(labels, ("__name__",)): function(left, value) for labels, value in right.items()}
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
        return {without(labels, ("__name__",)): float(passed[labels]) for labels in vector}
    return {labels: value for labels, value in vector.items() if passed[labels]}


def _sets(expression: Any, name: str, left: Vector, right: Vector) -> Vector:
    if name not in ("and", "or", "unless"):
        raise unknown(expression)
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
        return without(labels, ("__name__",))
    if matching.type == promql.LabelModifierType.Include:
        return tuple(pair for pair in labels if pair[0] in matching.labels)
    return without(labels, ("__name__", *matching.labels))
