"""Single fields of Kueue's objects as the core counts them; what is wrong is named with its place."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.scheduler.amounts import amount
from scheduler_core.model import Requirement

W = TypeVar("W", bound=StrEnum)

_SELECTING = ("In", "NotIn", "Exists", "DoesNotExist")


def word(at: Fields, field: str, words: type[W], default: W) -> W:
    told = at.text(field)
    if not told:
        return default
    if told not in tuple(words):
        raise at.wrong(field, f"expected one of {', '.join(words)}, found {told!r}")
    return words(told)


def counted(at: Fields, field: str, resource: str) -> int | None:
    """What there is: rounded down. None where it is not said."""
    value = at.values.get(field)
    return None if value is None else whole(at, field, resource, value, up=False)


def whole(at: Fields, field: str, resource: str, value: Any, *, up: bool) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise at.wrong(field, f"expected a quantity, found {value!r}")
    try:
        return amount(resource, value, up=up)
    except ValueError:
        raise at.wrong(field, f"expected a quantity, found {value!r}") from None


def texts(at: Fields, field: str) -> tuple[str, ...]:
    value = at.values.get(field)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise at.wrong(field, "expected a list of texts")
    return tuple(value)


class Selector:
    """A label selector (meta/v1): all of it must hold, and an empty one holds of everything."""

    def __init__(self, at: Fields) -> None:
        self._labels = at.strings("matchLabels")
        self._expressions = []
        for each in at.objects("matchExpressions"):
            operator = each.required_text("operator")
            if operator not in _SELECTING:
                raise each.wrong("operator", f"expected one of {', '.join(_SELECTING)}, found {operator!r}")
            self._expressions.append(Requirement(each.required_text("key"), operator, texts(each, "values")))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selector) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # nobody keeps them by what they select

    def selects(self, labels: Mapping[str, str]) -> bool:
        same = all(labels.get(key) == value for key, value in self._labels.items())
        return same and all(each.matches(labels) for each in self._expressions)
