"""Strings that hold `${ CEL }`, and structures of them: compiled once, rendered over facts."""

import json
import re
from collections.abc import Callable
from typing import Any

from agent.adapters.playbooks.expressions import Expression, Names, compiled

_HOLE = re.compile(r"\$\{([^{}]*)\}")

Render = Callable[[Names], Any]


def template(value: Any, place: str, names: frozenset[str]) -> Render:
    """How to render `value` (any JSON). Raises PlaybookError."""
    if isinstance(value, str):
        return _text(value, place, names)
    if isinstance(value, dict):
        parts = {key: template(part, f"{place}.{key}", names) for key, part in value.items()}
        return lambda facts: {key: render(facts) for key, render in parts.items()}
    if isinstance(value, list | tuple):
        items = [template(part, f"{place}[{index}]", names) for index, part in enumerate(value)]
        return lambda facts: [render(facts) for render in items]
    return lambda facts: value


def _text(text: str, place: str, names: frozenset[str]) -> Render:
    holes = [compiled(found[1].strip(), place, names) for found in _HOLE.finditer(text)]
    if not holes:
        return lambda facts: text
    whole = _HOLE.fullmatch(text.strip())
    if whole is not None:
        return holes[0].value
    between = _HOLE.split(text)[::2]
    return lambda facts: _joined(between, holes, facts)


def _joined(between: list[str], holes: list[Expression], facts: Names) -> str:
    said = [_shown(hole.value(facts)) for hole in holes]
    return "".join(part for pair in zip(between, [*said, ""], strict=True) for part in pair)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return json.dumps(value)
