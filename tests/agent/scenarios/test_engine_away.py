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


def done(kind: str, away: str, folder: Path) -> list[tuple[str, str]]:
    result: dict[str, Any] = result_json(
        run_scenario(scenario(WORLD.replace("KIND", kind).replace("FOR", away)), "s.yaml", folder)
    )
    return [(a["action"], a["at"]) for a in result["actions"]]


@pytest.mark.parametrize(("kind", "away"), [("error", "8m"), ("down", "8m"), ("down", "1h")])
def test_when_it_is_back_the_fault_is_remedied_on_fresh_evidence(kind: str, away: str, tmp_path: Path) -> None:
    actions = done(kind, away, tmp_path)
    assert [name for name, _ in actions] == ["cordon_node", "request_node_repair", "uncordon_node"]


def test_an_hour_of_errors_does_not_end_in_silence(tmp_path: Path) -> None:
    assert [name for name, _ in done("error", "1h", tmp_path)] == ["notify"]
