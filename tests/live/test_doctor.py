"""`watchkeeper doctor` on a real control plane: what it says is so, and it says what is missing and how to mend it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from control_plane import ControlPlane
from monitoring import Site
from running_agent import COMMAND

from agent.adapters.kubernetes.rbac import rules

Found = dict[str, dict[str, str]]


class Desk:
    """Asks the doctor with these settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ask(self, **settings: Any) -> tuple[int, Found]:
        file = self.folder / "watchkeeper.yaml"
        given = {"world": "live", "database": str(self.folder / "w.db"), **settings}
        file.write_text(yaml.safe_dump(given), encoding="utf-8")
        command = [str(COMMAND), "doctor", "--json", "--config", str(file)]
        env = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=env)
        said = json.loads(ran.stdout)
        assert said["ok"] is (ran.returncode == 0), ran.stderr
        return ran.returncode, {each["check"]: each for each in said["findings"]}


@pytest.fixture
def desk(plane: ControlPlane, tmp_path: Path) -> Desk:
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watchkeeper"}})
    return Desk(tmp_path)


def role_rules(*but: str) -> list[dict[str, Any]]:
    return [
        {"apiGroups": [r.right.group], "resources": [r.right.resource], "verbs": list(r.right.verbs)}
        for r in rules()
        if r.role not in but and r.right.resource not in but
    ]


def failing(found: Found) -> list[str]:
    return [f"{each['check']}: {each['said']}" for each in found.values() if each["state"] == "fail"]


def test_all_is_well_with_the_rights_that_are_written(plane: ControlPlane, desk: Desk) -> None:
    status, found = desk.ask(kubeconfig=str(plane.as_account("doctor-all", role_rules())))
    assert (status, failing(found)) == (0, [])
    assert found["API server"]["said"].startswith("v1.")
    assert "doctor-all" in found["API server"]["said"]
    assert {each["state"] for name, each in found.items() if name.startswith("rights")} == {"ok"}
    assert found["clock"]["state"] == "ok"
    assert found["lease"]["state"] == "ok"
    assert found["level"]["state"] == "warn"  # it only observes
    assert found["Prometheus"]["state"] == "warn"


def test_rights_that_are_missing_are_named_with_the_remedy(plane: ControlPlane, desk: Desk) -> None:
    kubeconfig = str(plane.as_account("doctor-less", role_rules("watchkeeper-acts", "leases", "nodes")))
    status, found = desk.ask(kubeconfig=kubeconfig, policy_data={"autonomy": {"default": "act"}})
    assert status == 1
    acts = found["rights: watchkeeper-acts"]
    assert acts["state"] == "fail" and "rbac.yaml" in acts["remedy"]
    assert "nodes" in found["rights: watchkeeper-reads"]["said"]
    assert found["lease"]["state"] == "fail"


def test_to_observe_no_right_to_act_is_needed(plane: ControlPlane, desk: Desk) -> None:
    status, found = desk.ask(kubeconfig=str(plane.as_account("doctor-observes", role_rules("watchkeeper-acts"))))
    assert (status, failing(found)) == (0, [])
    assert found["rights: watchkeeper-acts"]["state"] == "warn"


def test_a_server_that_is_not_there_is_one_finding(desk: Desk, tmp_path: Path) -> None:
    cluster = {"name": "gone", "cluster": {"server": "https://127.0.0.1:9"}}
    made = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "users": [{"name": "me", "user": {"token": "x"}}],
        "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "me"}}],
        "current-context": "gone",
    }
    (tmp_path / "gone").write_text(yaml.safe_dump(made), encoding="utf-8")
    status, found = desk.ask(kubeconfig=str(tmp_path / "gone"))
    assert status == 1
    assert found["API server"]["state"] == "fail" and "kubeconfig" in found["API server"]["remedy"]


def test_half_a_kueue_is_said(plane: ControlPlane, desk: Desk) -> None:
    """One CRD of four."""
    name = "workloads.kueue.x-k8s.io"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    plane.api.apply(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": name, "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
            "spec": {
                "group": "kueue.x-k8s.io",
                "scope": "Namespaced",
                "names": {
                    "plural": "workloads",
                    "singular": "workload",
                    "kind": "Workload",
                    "listKind": "WorkloadList",
                },
                "versions": [{"name": "v1beta2", "served": True, "storage": True, "schema": schema}],
            },
        }
    )
    crd = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
    try:
        plane.api.wait("the CRD is there", *crd, until=_established)
        status, found = desk.ask(kubeconfig=str(plane.admin))
        assert status == 1
        assert "half installed" in found["Kueue"]["said"] and "clusterqueues" in found["Kueue"]["said"]
    finally:
        plane.api.delete({"apiVersion": crd[0], "kind": crd[1], "metadata": {"name": name}})


def _established(crd: dict[str, Any]) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def test_prometheus_its_exporters_and_the_route_of_alerts(plane: ControlPlane, desk: Desk, site: Site) -> None:
    site.xid(79, "gpu-3", "research", "llama-0")
    site.watch_with("http://127.0.0.1:9710/v1/alertmanager")
    url = next(server.url for server in site.servers if server.name == "prometheus")
    wanted = ("XIDs by itself", "posts to /v1/alertmanager")
    for _ in range(30):
        _, found = desk.ask(kubeconfig=str(plane.admin), prometheus_url=url)
        said = [found.get("dcgm-exporter", {}).get("said", ""), found.get("Alertmanager", {}).get("said", "")]
        if found["Alertmanager"]["state"] == "ok":
            break
    assert found["Prometheus"]["state"] == "ok"
    assert wanted[1] in said[1]


def test_a_slack_token_that_slack_does_not_know(plane: ControlPlane, desk: Desk, tmp_path: Path) -> None:
    for name, text in (("bot", "xoxb-none"), ("signing", "secret")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    slack = {
        "channel": "C0123456789",
        "bot_token_file": str(tmp_path / "bot"),
        "signing_secret_file": str(tmp_path / "signing"),
        "api_url": "http://127.0.0.1:9/api/",
    }
    status, found = desk.ask(kubeconfig=str(plane.admin), slack=slack)
    assert status == 1
    assert found["Slack"]["state"] == "fail"
    assert "xoxb-none" not in json.dumps(found)
