"""Two agents on one cluster without leader election, as nobody should run them: each step is done once all the same.

They share a log in PostgreSQL and nothing else; both are told of the same fault at once, and both want to act.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from control_plane import ControlPlane
from fake_nodes import make_nodes
from postgresql import READER, WRITER, Postgresql
from postgresql_log import *  # noqa: F403
from running_agent import Running
from servers import wait_for

from audit.log import Log

FAULTS = 4


@pytest.fixture
def both(plane: ControlPlane, database: Postgresql, tmp_path: Path) -> Iterator[list[Running]]:
    shared = {"log": database.url(WRITER), "leader_election": False}
    agents = [Running(tmp_path, plane.admin, name, **shared) for name in ("one", "other")]
    yield agents
    for agent in agents:
        agent.stop()


@pytest.fixture
def nodes(plane: ControlPlane) -> Iterator[list[str]]:
    names = make_nodes(plane.api, FAULTS, prefix="twice")
    yield names
    for name in names:
        plane.api.delete({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})


def test_each_step_is_done_once(
    plane: ControlPlane, nodes: list[str], database: Postgresql, both: list[Running]
) -> None:
    """Other tests' nodes on the same plane may be in trouble too: that is not counted here."""
    for agent in both:
        agent.leads()
    for node in nodes:
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda agent, node=node: agent.post_event(node, f"fault-{node}"), both))
        assert [answer.status_code for answer in answers] == [202, 202]
    for node in nodes:
        wait_for(f"{node} is cordoned", lambda node=node: _cordoned(plane, node))
    with Log.open(database.url(READER)) as log:
        intents, said = ([r.payload for r in log.query(kind=kind)] for kind in ("intent", "incident"))
    cordons = Counter(each["object"]["name"] for each in intents if each["action"] == "cordon_node")
    assert {name: count for name, count in cordons.items() if name in nodes} == dict.fromkeys(nodes, 1)
    opened = {each["id"]: each["subject"]["name"] for each in said}
    of_ours = sorted(name for name in opened.values() if name in nodes)
    assert of_ours == nodes  # the same fault has the same name in both
    assert all(agent.process.poll() is None for agent in both)


def _cordoned(plane: ControlPlane, node: str) -> bool:
    return bool(plane.api.get("v1", "Node", node)["spec"].get("unschedulable"))
