"""A leader dies on a real cluster, and the one that takes charge has the log in PostgreSQL and nothing else of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_plane import ControlPlane
from fake_nodes import make_nodes
from postgresql import OWNER, READER, WRITER, Postgresql
from postgresql_log import empty_log
from running_agent import COMMAND, WIDE, Running
from servers import wait_for

from audit.log import Log

ASKS = {**WIDE, "autonomy": {"default": "act", "actions": {"cordon_node": "act_with_approval"}}}
PEOPLE = [{"name": "alice", "groups": ["gpu-oncall"]}]


@pytest.fixture
def database() -> Iterator[Postgresql]:
    server = Postgresql()
    server.sql("DROP DATABASE IF EXISTS audit WITH (FORCE)")
    server.sql(f"CREATE DATABASE audit OWNER {OWNER}")
    empty_log(server)
    yield server
    server.stop()


@pytest.fixture
def nodes(plane: ControlPlane) -> Iterator[list[str]]:
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watchkeeper"}})
    names = make_nodes(plane.api, 2, prefix="handed")
    yield names
    for name in names:
        plane.api.delete({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})


def pending(agent: Running) -> list[Any]:
    listed: list[Any] = agent.ask("approvals", "list")["approvals"]
    return [request for request in listed if request["state"] == "pending"]


def approve(agent: Running, request: str) -> None:
    words = ["approvals", "approve", request, "--as", "alice", "--reason", "seen", "--config", str(agent.settings)]
    subprocess.run([str(COMMAND), *words], check=True, capture_output=True, timeout=60, cwd=agent.folder)


def recorded(database: Postgresql, kind: str) -> list[Any]:
    with Log.open(database.url(READER)) as log:
        return [record.payload for record in log.query(kind=kind)]


def test_what_waited_for_a_person_waits_there_and_is_done_once(
    plane: ControlPlane, database: Postgresql, nodes: list[str], tmp_path: Path
) -> None:
    shared = {"log": database.url(WRITER), "policy_data": ASKS, "identities": PEOPLE}
    first = Running(tmp_path, plane.admin, "first", **shared)
    second: Running | None = None
    try:
        first.leads()
        assert first.post_xid(nodes[0]).status_code == 202
        (asked,) = wait_for("somebody is asked", lambda: pending(first) or None)
        first.process.kill()  # its file is on a machine that is gone
        second = Running(tmp_path, plane.admin, "second", **shared)
        second.leads()
        assert [request["id"] for request in pending(second)] == [asked["id"]]
        (incident,) = second.ask("incidents", "list")["incidents"]
        assert (incident["id"], incident["state"]) == (asked["incident"], "open")
        approve(second, asked["id"])
        cordoned = lambda: plane.api.get("v1", "Node", nodes[0])["spec"].get("unschedulable")  # noqa: E731
        wait_for("it is done", cordoned)
        wait_for("its end is on the record", lambda: recorded(database, "outcome"))
    finally:
        for agent in filter(None, (first, second)):
            agent.stop()
    intents = [each for each in recorded(database, "intent") if each["action"] == "cordon_node"]
    assert [(each["request"], each["object"]["name"]) for each in intents] == [(asked["id"], nodes[0])]
    assert len(recorded(database, "approval_requested")) == len(
        {r["request"] for r in recorded(database, "approval_requested")}
    )
    assert len({said["id"] for said in recorded(database, "incident")}) == 1
