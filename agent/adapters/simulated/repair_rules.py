"""How the site's repair system does with each operation, as a scenario says it: of all machines, or of one. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import promql_parser

OPERATIONS = ("diagnose", "reset_gpu", "reboot", "replace", "support")
OUTCOMES = ("succeeded", "failed", "stuck")


@dataclass(frozen=True, slots=True)
class Rule:
    """What the scenario says about one operation."""

    takes: timedelta = timedelta(minutes=5)
    outcome: str = "succeeded"
    heals: bool = True


def rules_of(settings: Mapping[str, Any]) -> dict[str, Rule]:
    """Raises ValueError, naming the field."""
    rules = {}
    for operation, raw in settings.items():
        where = f"repair.{operation}"
        if operation not in OPERATIONS:
            raise ValueError(f"{where}: the operations are {', '.join(OPERATIONS)}")
        if not isinstance(raw, Mapping) or set(raw) - {"takes", "outcome", "heals"}:
            raise ValueError(f"{where}: expected an object with takes, outcome and heals, found {raw!r}")
        rule = Rule(_duration(where, raw.get("takes", "5m")), raw.get("outcome", "succeeded"), raw.get("heals", True))
        if rule.outcome not in OUTCOMES:
            raise ValueError(f"{where}.outcome: {rule.outcome!r} is none of {', '.join(OUTCOMES)}")
        if not isinstance(rule.heals, bool):
            raise ValueError(f"{where}.heals: expected true or false, found {rule.heals!r}")
        rules[operation] = rule
    return rules


def _duration(where: str, value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        return promql_parser.parse_duration(str(value))
    except ValueError as wrong:
        raise ValueError(f"{where}.takes: {wrong}") from wrong


def rules_in(text: str) -> dict[str, Rule]:
    """Of an annotation, which holds them as JSON. Raises ValueError, naming the field."""
    try:
        said = json.loads(text)
    except ValueError as wrong:
        raise ValueError(f"{text!r} is no JSON: {wrong}") from wrong
    if not isinstance(said, dict):
        raise ValueError(f"{text!r}: expected an object with an entry for each operation")
    return rules_of(said)
