"""What a performance begins with: the world, the agent's settings, and what the log already holds.

Here is also said which part of the file is to blame when one of them cannot be made.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from agent.adapters.kubernetes.kinds import KINDS
from agent.adapters.simulated.merge import merged
from agent.adapters.simulated.world import World
from agent.config import Settings, why_bad
from agent.domain.approval import Person
from agent.domain.base import rfc3339
from agent.ports import ClusterFault
from agent.scenarios.format import HistoryEntry, Scenario, ScenarioInvalid
from agent.scenarios.manifest import bodies

API_VERSIONS: Final = {kind.kind: kind.api_version for kind in reversed(KINDS)}  # for a target that leaves it out


def world_of(scenario: Scenario, seed: int) -> World:
    """The world as the scenario begins, its clock at the first thing that the timeline tells."""
    spec = scenario.spec
    repair: dict[str, Any] = {str(operation): behaviour.model_dump() for operation, behaviour in spec.repair.items()}
    reservations = settings_of(scenario, Path(), ()).reservations
    world = World(seed, spec.start, spec.scrape_interval, repair, spec.world_metrics, reservations)
    first = min((entry.at for entry in spec.timeline), default=timedelta(0))
    try:
        world.begin_at(spec.start + min(first, timedelta(0)))
        world.load(bodies(spec.cluster))
    except (ValueError, ClusterFault) as error:
        raise ScenarioInvalid(scenario.metadata.name, (f"spec.cluster: {error}",)) from error
    return world


def settings_of(scenario: Scenario, database: Path, people: tuple[Person, ...]) -> Settings:
    """The file's settings; autonomy and policy data go over them, and nothing of this machine's environment counts."""
    spec = scenario.spec
    given = dict(spec.settings)
    autonomy = {"autonomy": {"default": spec.autonomy}}
    given["policy_data"] = merged(merged(given.get("policy_data", {}), autonomy), spec.policy_data)
    given |= {"database": database, "world": "simulated", "simulated_seed": spec.seed}
    given["identities"] = (*people, *given.get("identities", ()))
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ScenarioInvalid(scenario.metadata.name, (f"spec.settings.{key}: {why_bad(first)}",)) from error


def past_action(past: HistoryEntry, start: datetime) -> dict[str, Any]:
    """An action of before, in the form in which the ledger counts what was done."""
    target = past.target.model_dump(by_alias=True, exclude_none=True)
    return {
        "history": True,
        "action": past.action,
        "target": {"apiVersion": API_VERSIONS.get(target["kind"], "v1"), **target},
        "parameters": past.parameters,
        "outcome": past.outcome,
        "incident": past.incident,
        "at": rfc3339(start + past.at),
    }
