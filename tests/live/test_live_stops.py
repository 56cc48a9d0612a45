"""SIGTERM in the middle of something: the agent ends within the grace that a kubelet gives it, and what it left is
taken up by the next process, no step twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from control_plane import ControlPlane
from fake_nodes import make_nodes
from postgresql import READER, WRITER, Postgresql
from postgresql_log import *  # noqa: F403
from running_agent import STOP_TIMEOUT_S, Running
from servers import wait_for

from audit.log import Log

STORM = 40  # steps enough that a quick machine is still at them when it is stopped
OUTAGE_NOTICED_S = 2.0


@pytest.fixture
def nodes(plane: ControlPlane) -> Iterator[list[str]]:
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watchkeeper"}})
    names = make_nodes(plane.api, STORM, prefix="stops")
    yield names
    for name in names:
        plane.api.delete({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})


@pytest.fixture
def running(plane: ControlPlane, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    begun: list[Running] = []

    def start(name: str = "one", **settings: Any) -> Running:
        begun.append(Running(tmp_path, plane.admin, name, **settings))
        return begun[-1]

    yield start
    for agent in begun:
        agent.stop()


def ends_in_time(agent: Running) -> None:
    begun = time.monotonic()
    assert agent.stop() == 0, agent.said()
    assert time.monotonic() - begun < STOP_TIMEOUT_S


def cordoned(plane: ControlPlane, nodes: list[str]) -> int:
    """In one look: the storm is over in a second or two."""
    found = plane.api.list("v1", "Node")
    return sum(bool(each["spec"].get("unschedulable")) for each in found if each["metadata"]["name"] in nodes)


def assert_each_once(log: Log, nodes: list[str]) -> None:
    """Other tests' nodes on the same plane may be in trouble too: that is not counted here."""
    intents, outcomes = ([r.payload for r in log.query(kind=kind)] for kind in ("intent", "outcome"))
    begun, ended = (
        [e for e in each if e["action"] == "cordon_node" and e["target"]["name"] in nodes]
        for each in (intents, outcomes)
    )
    of: Any = Counter(each["target"]["name"] for each in begun)
    assert of == Counter(nodes)
    assert Counter(each["outcome"] for each in ended) == {"succeeded": len(nodes)}


@pytest.mark.parametrize("after", [1, 5])
def test_in_the_middle_of_a_storm_of_steps(
    plane: ControlPlane, nodes: list[str], running: Callable[..., Running], after: int
) -> None:
    agent = running()
    agent.leads()
    assert agent.post_xids(nodes).status_code == 202
    wait_for("the first steps are done", lambda: cordoned(plane, nodes) >= after)
    ends_in_time(agent)
    assert cordoned(plane, nodes) < len(nodes), "it was over before it was stopped"
    with Log.open(agent.folder / "one.db") as log:
        kinds = Counter(record.kind for record in log.query() if record.kind in ("intent", "outcome"))
        assert kinds["intent"] == kinds["outcome"], "the step in hand ended, with its outcome"
    again = running()
    again.leads()
    wait_for("all are cordoned", lambda: cordoned(plane, nodes) == len(nodes), 120.0)
    ends_in_time(again)
    with Log.open(agent.folder / "one.db") as log:
        assert_each_once(log, nodes)


class Dawdles(BaseHTTPRequestHandler):
    """A model that is asked and says nothing."""

    asked = threading.Event()

    def do_POST(self) -> None:
        self.asked.set()
        time.sleep(120)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing here either."""


def test_while_a_model_is_asked(plane: ControlPlane, nodes: list[str], running: Callable[..., Running]) -> None:
    """Nobody waits for it; what it was asked about is open still, and a person gets it in the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Dawdles)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    agent = running(model_endpoint=f"http://127.0.0.1:{server.server_port}/v1", model_name="slow")
    agent.leads()
    assert agent.post_xid(nodes[0], 999).status_code == 202
    assert Dawdles.asked.wait(90.0), "the model is asked"
    ends_in_time(agent)
    server.shutdown()
    server.server_close()
    again = running()
    again.leads()

    def asked_about() -> dict[str, Any] | None:
        """Of what else the nodes may say meanwhile nothing is known here."""
        listed = again.ask("incidents", "list")["incidents"]
        return next((each for each in listed if each["subject"]["name"] == nodes[0]), None)

    found = wait_for("it is taken up", asked_about)
    ended = wait_for("a person has it", lambda: (each := asked_about()) and each["state"] != "open" and each, 90.0)
    assert ended["id"] == found["id"]


def test_while_the_log_is_away(
    plane: ControlPlane, nodes: list[str], running: Callable[..., Running], database: Postgresql
) -> None:
    agent = running(log=database.url(WRITER))
    agent.leads()
    database.kill()
    for name in nodes[:2]:
        agent.post_xid(name)
    time.sleep(OUTAGE_NOTICED_S)
    ends_in_time(agent)
    assert cordoned(plane, nodes) == 0
    database.start()
    again = running(log=database.url(WRITER))
    again.leads()
    wait_for("both are cordoned", lambda: cordoned(plane, nodes[:2]) == 2, 120.0)
    ends_in_time(again)
    with Log.open(database.url(READER)) as log:
        assert_each_once(log, nodes[:2])
