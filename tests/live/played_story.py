"""A scenario file played on a real API server: its objects are made, and its timeline is told chapter by chapter.

The same file runs in the simulation. There its moments are minutes apart; here a chapter is everything of one moment,
told when the test says so. What a real site says by itself is not told: alerts come from Prometheus and Alertmanager,
answers from people. Nodes that the file names for what is to happen to them get the names that the test gives, since
which of equal nodes a scheduler takes is its own affair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kube import Api, Json, Refused, reference
from servers import wait_for
from site_telemetry import SiteTelemetry

from agent.adapters.simulated.merge import merged
from agent.domain.base import rfc3339
from agent.domain.duration import parse_duration
from agent.scenarios.format import Scenario, load_scenario
from agent.scenarios.manifest import bodies
from agent.scenarios.timeline import moments

SAID_BY_THE_SITE = ("alert", "approve")
MADE_AT_ONCE = 8


class Story:
    def __init__(self, file: Path, api: Api) -> None:
        self.scenario: Scenario = load_scenario(file)
        self._api = api
        self._left = moments(self.scenario.spec.timeline)
        self.names: dict[str, str] = {}  # the file's name of a node -> the one here

    @property
    def settings(self) -> Json:
        """Of the agent, as the file has them for the simulation."""
        spec = self.scenario.spec
        policy_data = merged({"autonomy": {"default": spec.autonomy}}, spec.policy_data)
        return {**spec.settings, "policy_data": policy_data}

    def lay(self) -> None:
        """What there is at the beginning. Nodes come with a status, all others get theirs from their controllers."""
        laid = bodies(self.scenario.spec.cluster)
        nodes = [each for each in laid if each["kind"] == "Node"]
        for each in laid:
            if each["kind"] != "Node":
                self._api.apply(each)
        with ThreadPoolExecutor(MADE_AT_ONCE) as pool:
            list(pool.map(self._api.create, nodes))

    def tell(self, at: str, telemetry: SiteTelemetry | None = None) -> None:
        """The chapter of this moment."""
        chapter = [moment for moment in self._left if moment.at == parse_duration(at)]
        assert chapter, f"nothing happens at {at}"
        self._left = [moment for moment in self._left if moment not in chapter]
        for moment in chapter:
            entry = moment.entry
            if entry.apply is not None:
                self._apply(self._named(entry.apply.body()))
            elif entry.delete is not None:
                self._api.delete(entry.delete.json_object() | _about(entry.delete), propagationPolicy="Background")
            elif entry.metrics is not None and telemetry is not None:
                telemetry.told(self._named(entry.metrics))
            else:
                assert entry.key in SAID_BY_THE_SITE, moment.place

    def untold(self) -> list[str]:
        return [moment.place for moment in self._left if moment.entry.key not in SAID_BY_THE_SITE]

    def _apply(self, manifest: Json) -> None:
        """As the scenario format has it: made when absent, else merged."""
        about = manifest["metadata"]
        known = self._api.find(manifest["apiVersion"], manifest["kind"], about["name"], about.get("namespace", ""))
        if known is None:
            self._api.create(manifest)
        else:
            self._api.merge(manifest, manifest)

    def _named(self, told: Any) -> Any:
        if isinstance(told, str):
            return renamed(told, self.names)
        if isinstance(told, dict):
            return {key: self._named(value) for key, value in told.items()}
        return [self._named(each) for each in told] if isinstance(told, list) else told


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Whole names only: gpu-1 is no part of gpu-12."""
    if not names:
        return text
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<![\w-])(?:{pattern})(?![\w-])", lambda found: names[found[0]], text)


def set_back(api: Api, of: Json, past: timedelta, *kinds: str) -> None:
    """As if these conditions had come about so long ago: what is only waiting need not be waited for."""
    about = of["metadata"]
    where = (of["apiVersion"], of["kind"], about["name"], about.get("namespace", ""))
    since = rfc3339(datetime.now(UTC).replace(microsecond=0) - past)

    def written() -> bool:
        now = api.get(*where)
        said = [dict(each) for each in now["status"]["conditions"]]
        for each in said:
            if each["type"] in kinds:
                each["lastTransitionTime"] = since
        change = {"metadata": {"resourceVersion": now["metadata"]["resourceVersion"]}, "status": {"conditions": said}}
        try:
            api.merge(reference(*where), change, "status")
        except Refused as refused:
            if refused.code != 409:
                raise
            return False
        return True

    wait_for(f"{where} is as old as that", written)


def _about(ref: Any) -> Json:
    return {"metadata": {"name": ref.name, "namespace": ref.namespace or ""}}
