"""A scenario that asks for a drawn day, with the day in it: what was drawn stands before what the file itself says."""

from pathlib import Path
from typing import Any

from agent.scenarios.format import Scenario, ScenarioInvalid
from agent.scenarios.generate.day import draw
from agent.scenarios.generate.trace import BUILT_IN, statistics_of

LISTS = ("actions", "proposed", "allowed", "forbidden", "final")


def with_day(scenario: Scenario, seed: int | None = None) -> Scenario:
    """`scenario` itself when it asks for none. Raises ScenarioInvalid."""
    spec = scenario.spec
    if spec.generate is None:
        return scenario
    try:
        trace = spec.generate.trace
        statistics = statistics_of(Path(trace)) if trace else BUILT_IN
        ends = spec.duration if "duration" in spec.model_fields_set else None
        day = draw(spec.generate, spec.seed if seed is None else seed, spec.start, statistics, ends)
    except ValueError as error:
        raise ScenarioInvalid(scenario.metadata.name, (f"spec.generate: {error}",)) from error
    written = scenario.model_dump(by_alias=True, exclude_unset=True)
    own = written["spec"]
    own |= {
        "generate": None,
        "worldMetrics": True,
        "cluster": [*day.cluster, *own.get("cluster", ())],
        "timeline": [*day.timeline, *own.get("timeline", ())],
        "expect": _both(day.expect, own.get("expect", {})),
        "duration": own.get("duration", day.duration),
    }
    return Scenario.model_validate(written)


def _both(drawn: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    return {**drawn, **own, **{key: [*drawn[key], *own.get(key, ())] for key in LISTS}}
