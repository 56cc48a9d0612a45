"""A leader dies on a real cluster, and the one that takes charge has the log in PostgreSQL and nothing else of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_plane import ControlPlane
from fake_nodes import make_nodes
from postgresql import READER, WRITER, Postgresql
from postgresql_log import *  # noqa: F403
from running_agent import COMMAND, WIDE, Running
from servers import wait_for

from audit.log import Log

ASKS = {**WIDE, "autonomy": {"default": "act", "actions": {"cordon_node": "act_with_approval"}}}
PEOPLE = [{"name": "alice", "groups": ["gpu-oncall"]}]


@pytest.fixture
def nodes(plane: ControlPlane) -> Iterator[list[str]]:
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watchkeeper"}})
    names = make_nodes(plane.api, 2, prefix="handed")
    yield names
    for name in names:
        plane.api.delete({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})


def pending(agent: Running, node: str) -> list[Any]:
    """What is asked about that node: other tests' nodes on the same plane may be in trouble, too."""
    listed: list[Any] = agent.ask("approvals", "list")["approvals"]
    return [r for r in listed if r["state"] == "pending" and r["proposal"]["target"]["name"] == node]


def approve(agent: Running, request: str) -> None:
    words = ["approvals", "approve", request, "--as", "alice", "--reason", "seen", "--config", str(agent.settings)]
    subprocess.run([str(COMMAND), *words], check=True, capture_output=True, timeout=60, cwd=agent.folder)


def recorded(database: Postgresql, kind: str) -> list[Any]:
    with Log.open(database.url(READER)) as log:
        return [record.payload for record in log.query(kind=kind)]


def of_node(steps: list[Any], node: str) -> list[Any]:
    return [each for each in steps if each["target"]["name"] == node]


def test_what_waited_for_a_person_waits_there_and_is_done_once(
    plane: ControlPlane, database: Postgresql, nodes: list[str], tmp_path: Path
) -> None:
    shared = {"log": database.url(WRITER), "policy_data": ASKS, "identities": PEOPLE}
    first = Running(tmp_path, plane.admin, "first", **shared)
    second: Running | None = None
    try:
        first.leads()
        assert first.post_xid(nodes[0]).status_code == 202
        (asked,) = wait_for("somebody is asked", lambda: pending(first, nodes[0]) or None)
        first.process.kill()  # its file is on a machine that is gone
        second = Running(tmp_path, plane.admin, "second", **shared)
        second.leads()
        assert [request["id"] for request in pending(second, nodes[0])] == [asked["id"]]
        listed = second.ask("incidents", "list")["incidents"]
        (incident,) = [each for each in listed if each["subject"]["name"] == nodes[0]]
        assert (incident["id"], incident["state"]) == (asked["incident"], "open")
        approve(second, asked["id"])
        cordoned = lambda: plane.api.get("v1", "Node", nodes[0])["spec"].get("unschedulable")  # noqa: E731
        wait_for("it is done", cordoned)
        wait_for("its end is on the record", lambda: of_node(recorded(database, "outcome"), nodes[0]))
    finally:
        for agent in filter(None, (first, second)):
            agent.stop()
    intents = [each for each in of_node(recorded(database, "intent"), nodes[0]) if each["action"] == "cordon_node"]
    assert [each["request"] for each in intents] == [asked["id"]]
    assert len(recorded(database, "approval_requested")) == len(
        {r["request"] for r in recorded(database, "approval_requested")}
    )
    said = {each["id"] for each in recorded(database, "incident") if each["subject"]["name"] == nodes[0]}
    assert said == {asked["incident"]}
