"""A line about a node that the cluster does not have: a person hears of it, and nothing is done on a guess."""

from pathlib import Path

import pytest

from agent.scenarios.format import load_scenario
from agent.scenarios.report import result_json
from agent.scenarios.runner import run_scenario
from tests.agent.scenarios.builders import scenario

FILE = Path(__file__).parents[2] / "scenarios" / "xid-79-on-a-node-that-nobody-has.yaml"
WORLD = """
  duration: 20m
  cluster:
    - repeat: 12
      from: 1
      manifest:
        apiVersion: v1
        kind: Node
        metadata: {name: "gpu-{i}", labels: {kubernetes.io/hostname: "gpu-{i}"}}
        status: {allocatable: {cpu: "64", nvidia.com/gpu: "8"}, conditions: [{type: Ready, status: "True"}]}
  timeline:
    - {at: 2m, log: {node: NODE, line: "NVRM: Xid (PCI:0000:b3:00): CODE, pid=1, name=python, what happened."}}
  expect: {}
"""


@pytest.mark.parametrize(
    ("node", "code", "calls"),
    [("gpu-7-ib.dc1.example", 79, 1), ("gpu-70", 79, 1), ("gpu-7-ib.dc1.example", 31, 0)],
    ids=["spelled otherwise", "unknown", "an application's fault harms no GPU"],
)
def test_who_is_called(node: str, code: int, calls: int, tmp_path: Path) -> None:
    text = WORLD.replace("NODE", node).replace("CODE", str(code))
    result = result_json(run_scenario(scenario(text), "s.yaml", tmp_path))
    assert result["escalations"] == calls
    assert [a["action"] for a in result["actions"]] == ["notify"] * calls, "gpu-7 is not cordoned for its namesake"


def test_the_scenario_holds(tmp_path: Path) -> None:
    result = result_json(run_scenario(load_scenario(FILE), str(FILE), tmp_path))
    assert result["passed"]
    assert {i["playbook"] for i in result["incidents"]} >= {"node-unknown"}
