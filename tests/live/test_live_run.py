"""`watchkeeper run` on a real control plane: it observes, acts, hands over, stops in order, and outlives its server."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from control_plane import ControlPlane
from fake_nodes import make_nodes
from kube import Json
from running_agent import Running
from servers import installed, wait_for

from agent.adapters.kubernetes.rbac import rules

LEASE_OVER_S = 15.0
RESTART_AT_MOST_S = 60.0
TOKEN_LASTS_S = 35  # and ten more: until then the agent leads, on a machine that does much else, too


@pytest.fixture(scope="module")
def site(plane: ControlPlane) -> ControlPlane:
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watchkeeper"}})
    return plane


@pytest.fixture
def nodes(site: ControlPlane, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Four of this test's own."""
    names = make_nodes(site.api, 4, prefix=request.node.name.replace("_", "-")[5:40])
    yield names
    for name in names:
        site.api.delete({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})


@pytest.fixture
def running(site: ControlPlane, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    begun: list[Running] = []

    def start(name: str = "one", kubeconfig: Path | None = None, **settings: Any) -> Running:
        begun.append(Running(tmp_path, kubeconfig or site.admin, name, **settings))
        return begun[-1]

    yield start
    for agent in begun:
        agent.stop()


def cordoned(site: ControlPlane, name: str) -> bool:
    return bool(site.api.get("v1", "Node", name)["spec"].get("unschedulable"))


def await_cordon(site: ControlPlane, name: str, timeout_s: float = 120.0) -> None:
    """Two seconds on a machine that does nothing else."""
    wait_for(f"{name} is cordoned", lambda: cordoned(site, name), timeout_s)


def incident_of(agent: Running, name: str) -> Json | None:
    """Of what else the plane's nodes may say nothing is known here."""
    listed = agent.ask("incidents", "list")["incidents"]
    return next((each for each in listed if each["subject"]["name"] == name), None)


def lease(site: ControlPlane) -> Json:
    found: Json = site.api.get("coordination.k8s.io/v1", "Lease", "watchkeeper", "watchkeeper")["spec"]
    return found


def test_it_acts_and_gives_the_lease_back_when_it_is_stopped(
    site: ControlPlane, nodes: list[str], running: Callable[..., Running]
) -> None:
    agent = running()
    ready = agent.leads()
    assert ready["apiserver"]["answers"] and ready["leadership"]["holder"] == lease(site)["holderIdentity"]
    assert agent.post_xid(nodes[0]).status_code == 202
    await_cordon(site, nodes[0])
    assert agent.stop() == 0
    assert lease(site)["holderIdentity"] == ""
    assert agent.ask("audit", "fsck")["ok"] is True
    outcomes = agent.ask("audit", "query", "--text", "cordon_node")["records"]
    assert "outcome" in {each["kind"] for each in outcomes}


def test_what_it_tells_of_itself_is_what_promtool_wants(nodes: list[str], running: Callable[..., Running]) -> None:
    installed("prometheus")
    agent = running()
    agent.leads()
    agent.post_xid(nodes[0])
    answer = wait_for("an action is counted", lambda: _told(agent, 'watchkeeper_actions_total{action="cordon_node"'))
    ran = subprocess.run(["promtool", "check", "metrics"], input=answer, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")
    assert 'watchkeeper_watch_lag_seconds{kind="Node"}' in answer
    assert "watchkeeper_leader 1.0" in answer


def _told(agent: Running, line: str) -> str | None:
    answer = agent.get("/metrics")
    return answer.text if answer is not None and line in answer.text else None


def test_without_a_level_it_observes(site: ControlPlane, nodes: list[str], running: Callable[..., Running]) -> None:
    """A first try, by rights that allow no change."""
    reading = [_rule(rule) for rule in rules() if rule.role != "watchkeeper-acts"]
    agent = running(kubeconfig=site.as_account("observer", reading), policy_data={})
    assert agent.leads()["observes"] is True
    agent.post_xid(nodes[0])
    wait_for("it is proposed", lambda: agent.ask("audit", "query", "--text", "unschedulable")["records"])
    found = wait_for("the incident is listed", lambda: incident_of(agent, nodes[0]))
    assert found["state"] in ("refused", "open")
    assert not cordoned(site, nodes[0])


def _rule(rule: Any) -> Json:
    right = rule.right
    return {"apiGroups": [right.group], "resources": [right.resource], "verbs": list(right.verbs)}


def test_two_start_one_leads_and_the_other_takes_over(
    site: ControlPlane, nodes: list[str], running: Callable[..., Running]
) -> None:
    first = running("first")
    first.leads()
    second = running("second")
    standby = second.until("it stands by", lambda r: r.get("ready") and r["leadership"]["role"] == "standby")
    assert standby["leadership"]["holder"] == lease(site)["holderIdentity"]
    refused = second.post_xid(nodes[0])
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    first.process.kill()  # it gives nothing back
    begun = time.monotonic()
    second.leads()
    assert time.monotonic() - begun > LEASE_OVER_S - 10.0
    assert second.post_xid(nodes[0]).status_code == 202
    await_cordon(site, nodes[0])


def test_a_leader_whose_server_is_frozen_stops_and_goes_on_after(
    site: ControlPlane, nodes: list[str], running: Callable[..., Running]
) -> None:
    agent = running()
    agent.leads()
    site.api_server.freeze()
    try:
        agent.until("it is suspended", lambda r: r["leadership"]["role"] == "suspended")
        assert agent.post_xid(nodes[0]).status_code == 202  # stored all the same
    finally:
        site.api_server.thaw()
    agent.until("it leads again", lambda r: r["leadership"]["role"] == "leading")
    await_cordon(site, nodes[0], 120.0)


def test_a_leader_that_was_frozen_wakes_up_as_a_standby(
    site: ControlPlane, nodes: list[str], running: Callable[..., Running]
) -> None:
    """With a step to do in its inbox: what it does not know when it wakes up, its own clock tells it."""
    first = running("first")
    first.leads()
    second = running("second")
    second.until("it stands by", lambda r: r.get("ready") and r["leadership"]["role"] == "standby")
    first.process.send_signal(signal.SIGSTOP)
    try:
        second.leads()
        assert second.post_xid(nodes[0]).status_code == 202
        await_cordon(site, nodes[0])
    finally:
        first.process.send_signal(signal.SIGCONT)
    first.until("it stands by", lambda r: r.get("ready") and r["leadership"]["role"] == "standby")
    assert first.post_xid(nodes[1]).status_code == 503
    begun = first.ask("audit", "query", "--kind", "intent")["records"]
    assert [each for each in begun if any(name in json.dumps(each) for name in nodes)] == []
    assert second.ready()["leadership"]["role"] == "leading"


def test_each_line_about_an_incident_has_its_ids(
    site: ControlPlane, nodes: list[str], running: Callable[..., Running]
) -> None:
    agent = running()
    agent.leads()
    agent.post_xid(nodes[0])
    await_cordon(site, nodes[0])
    incident = wait_for("the incident is listed", lambda: incident_of(agent, nodes[0]))
    assert agent.stop() == 0
    lines = [json.loads(line) for line in agent.log.read_text(encoding="utf-8").splitlines()]
    about = [line for line in lines if incident["id"] in json.dumps(line)]
    assert {line.get("incident") for line in about} == {incident["id"]}
    steps = [line for line in about if line["message"] in ("intent: cordon_node", "outcome: succeeded cordon_node")]
    assert len(steps) == 2 and {line["action"] for line in steps} == {f"{incident['id']}/0/0"}


def test_it_outlives_an_etcd_that_was_set_back(
    site: ControlPlane, nodes: list[str], running: Callable[..., Running]
) -> None:
    """What it did since is undone, and the versions that it knows are given a second time."""
    agent = running()
    agent.leads()
    kept = site.backup()
    agent.post_xid(nodes[0])
    await_cordon(site, nodes[0])
    site.restore(kept)
    assert not cordoned(site, nodes[0])
    agent.until("it leads again", lambda r: r.get("ready") and r["leadership"]["role"] == "leading")
    assert agent.post_xid(nodes[1]).status_code == 202
    await_cordon(site, nodes[1], 120.0)
    assert agent.ask("audit", "fsck")["ok"] is True


def test_it_outlives_a_restart_of_the_api_server(
    site: ControlPlane, nodes: list[str], running: Callable[..., Running]
) -> None:
    agent = running()
    agent.leads()
    agent.post_xid(nodes[0])
    await_cordon(site, nodes[0])
    site.restart_api_server()
    agent.post_xid(nodes[1])
    await_cordon(site, nodes[1], 120.0)
    assert agent.process.poll() is None
    assert agent.ask("audit", "fsck")["ok"] is True


def test_it_outlives_an_etcd_that_forgot_the_past(
    site: ControlPlane, nodes: list[str], running: Callable[..., Running]
) -> None:
    """Its watches' versions are gone: it lists anew and goes on."""
    agent = running()
    agent.leads()
    site.etcd.kill()
    site.etcd.start()
    site.compact()
    site.restart_api_server()
    agent.post_xid(nodes[0])
    await_cordon(site, nodes[0], 120.0)


def test_it_outlives_its_token(
    site: ControlPlane, nodes: list[str], running: Callable[..., Running], tmp_path: Path
) -> None:
    """A kubelet writes a new one before the old one ends; it is read when the server wants it."""
    acting = [_rule(rule) for rule in rules()]
    kubeconfig = site.as_account("short", acting, timedelta(seconds=TOKEN_LASTS_S))
    ends = time.monotonic() + TOKEN_LASTS_S
    agent = running(kubeconfig=kubeconfig)
    agent.leads()
    kubeconfig.write_text(site.kubeconfig("short-next", site.token("short")).read_text())
    time.sleep(max(0.0, ends + 12.0 - time.monotonic()))  # the server forgives ten seconds
    agent.post_xid(nodes[0])
    await_cordon(site, nodes[0])
    assert agent.ready()["leadership"]["role"] == "leading"
