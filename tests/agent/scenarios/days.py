"""A generated day, played and judged, for the quick suite and for the long one."""

from pathlib import Path
from typing import Any

from agent.scenarios.format import Scenario
from agent.scenarios.report import Result
from agent.scenarios.runner import run_scenario

DAY = {"nodes": 32, "gpus": 256, "tenants": 3, "troubles": 12}


def asking_for(seed: int, generate: dict[str, Any] | None = None, **spec: Any) -> Scenario:
    asked = {"seed": seed, "start": "2026-11-02T09:00:00Z", "generate": generate or DAY, **spec}
    return Scenario.model_validate(
        {"apiVersion": "watchkeeper.dev/v1alpha1", "kind": "Scenario", "metadata": {"name": "day"}, "spec": asked}
    )


def played(seed: int, folder: Path, generate: dict[str, Any] | None = None) -> Result:
    return run_scenario(asking_for(seed, generate), "day", folder)


def faults(result: Result) -> list[str]:
    """What must hold on every day, beside the day's own expectation."""
    run = result.run
    assert run is not None
    found = [*result.judgement.failures, *(wrong.why for wrong in result.judgement.wrong_actions)]
    found += [f"{gang.ref} runs {gang.running} of {gang.minimum}" for gang in run.gangs if not gang.whole]
    return found if run.log.intact else [*found, "the log is not intact"]
