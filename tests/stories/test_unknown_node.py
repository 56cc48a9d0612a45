"""A line about a node that the cluster does not have: a person hears of it, and nothing is done on a guess."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from telling import FELL_OFF, Story, cluster

from agent.adapters.refusals import OF_A_DOOR_AT_MOST
from agent.scenarios.format import load_scenario
from agent.scenarios.report import result_json
from agent.scenarios.runner import run_scenario
from agent.stages.sense import STRANGERS_AT_MOST
from agent.watch import TURNED_AWAY
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


def test_a_flood_of_made_up_nodes_calls_for_some_and_is_on_the_record(begin: Callable[..., Story]) -> None:
    story = begin(cluster().nodes("gpu-1", "gpu-2"))
    lines = [json.dumps({"node": f"made-up-{number}", "line": FELL_OFF}) for number in range(300)]
    assert story.posts("logs", "\n".join(lines), "application/x-ndjson").status_code == 202
    story.passes(minutes=1)
    assert len({said["id"] for said in story.records("incident")}) == STRANGERS_AT_MOST
    refused = story.records("refused")
    assert len(refused) == OF_A_DOOR_AT_MOST and "Node/made-up-" in refused[0]["reason"]
    (told,) = [said for said in story.told("oncall") if TURNED_AWAY in said]  # and that there is more, once an hour
    assert "told to nobody" in told
    story.passes(minutes=11)
    assert sum(said.get("count", 1) for said in story.records("refused")) == 300 - STRANGERS_AT_MOST
