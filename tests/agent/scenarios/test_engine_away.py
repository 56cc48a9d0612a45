"""A policy engine that is away stops every action and loses no incident: it is judged when the engine is back."""

from pathlib import Path
from typing import Any

import pytest

from agent.scenarios.report import result_json
from agent.scenarios.runner import run_scenario
from tests.agent.scenarios.builders import scenario

WORLD = """
  duration: 90m
  cluster:
    - repeat: 12
      from: 1
      manifest:
        apiVersion: v1
        kind: Node
        metadata: {name: "gpu-{i}", labels: {kubernetes.io/hostname: "gpu-{i}"}}
        status: {allocatable: {cpu: "64", nvidia.com/gpu: "8"}, conditions: [{type: Ready, status: "True"}]}
  timeline:
    - {at: 1m, fault: {target: policy, kind: KIND, for: FOR}}
    - {at: 2m, log: {node: gpu-7, line: "NVRM: Xid (PCI:0000:b3:00): 79, GPU has fallen off the bus."}}
  expect: {}
"""


def played(text: str, folder: Path) -> dict[str, Any]:
    return result_json(run_scenario(scenario(text), "s.yaml", folder))


def done(kind: str, away: str, folder: Path) -> list[tuple[str, str]]:
    result = played(WORLD.replace("KIND", kind).replace("FOR", away), folder)
    return [(a["action"], a["at"]) for a in result["actions"]]


@pytest.mark.parametrize(("kind", "away"), [("error", "8m"), ("down", "8m"), ("down", "1h")])
def test_when_it_is_back_the_fault_is_remedied_on_fresh_evidence(kind: str, away: str, tmp_path: Path) -> None:
    actions = done(kind, away, tmp_path)
    assert [name for name, _ in actions] == ["cordon_node", "request_node_repair", "uncordon_node"]


def test_an_hour_of_errors_does_not_end_in_silence(tmp_path: Path) -> None:
    assert [name for name, _ in done("error", "1h", tmp_path)] == ["notify"]


@pytest.mark.parametrize(("away", "calls"), [("8m", 0), ("2h", 1)])
def test_an_engine_that_only_errs_hears_no_notify_so_a_person_is_called_past_it(
    away: str, calls: int, tmp_path: Path
) -> None:
    result = played(WORLD.replace("KIND", "error").replace("FOR", away).replace("90m", "15m"), tmp_path)
    assert result["escalations"] == calls


@pytest.mark.parametrize(
    ("target", "away", "settings", "calls"),
    [
        ("policy", "80m", "{}", 1),
        ("policy", "20m", "{}", 0),
        ("policy", "20m", "{call_when_away_s: 600}", 1),
        ("prometheus", "80m", "{}", 1),
        ("prometheus", "20m", "{}", 0),
        ("prometheus", "20m", "{call_when_away_s: 600}", 1),
    ],
)
def test_whoever_is_on_duty_is_called_once_when_the_agent_is_blind_for_long(
    target: str, away: str, settings: str, calls: int, tmp_path: Path
) -> None:
    text = WORLD.replace("target: policy", f"target: {target}").replace("KIND", "down").replace("FOR", away)
    result = played(text.replace("  duration", f"  settings: {settings}\n  duration"), tmp_path)
    assert result["escalations"] == calls
