"""`watchkeeper doctor` on a real control plane: what it says is so, and it says what is missing and how to mend it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from control_plane import ControlPlane
from kueue_server import install_crds
from monitoring import Site
from running_agent import COMMAND
from servers import wait_for

from agent.actions.rights import Right
from agent.adapters.kubernetes.examination import Examination
from agent.adapters.kubernetes.live.access import Access
from agent.adapters.kubernetes.rbac import rules
from agent.doctor.apiserver import reached

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


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One on which Kueue is what these tests make of it."""
    running = ControlPlane(tmp_path_factory.mktemp("examined"), scheduler=False, kwok=False)
    yield running
    running.stop()


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
    acting = desk.ask(kubeconfig=str(plane.as_account("doctor-all", role_rules())), observe=False)[1]
    assert (failing(acting), acting["lease"]["said"]) == ([], "watchkeeper/watchkeeper is free")
    assert found["level"]["state"] == "warn"  # it only observes
    assert found["Prometheus"]["state"] == "warn"


def test_rights_that_are_missing_are_named_with_the_remedy(plane: ControlPlane, desk: Desk) -> None:
    kubeconfig = str(plane.as_account("doctor-less", role_rules("watchkeeper-acts", "leases", "nodes")))
    status, found = desk.ask(kubeconfig=kubeconfig, policy_data={"autonomy": {"default": "act"}})
    assert status == 1
    acts = found["rights: watchkeeper-acts"]
    assert acts["state"] == "fail" and acts["remedy"].endswith("deploy/kubernetes/acting/rbac.yaml")
    missing = [(right.resource, verb) for right in _rights("watchkeeper-acts") for verb in right.verbs]
    assert acts["said"].startswith(f"{len(missing)} of {len(missing)} are missing")
    assert all(f"{verb}" in acts["said"] and resource in acts["said"] for resource, verb in missing), (
        "every one by name"
    )
    reads = found["rights: watchkeeper-reads"]
    assert reads["said"] == "3 of 108 are missing: get, list, watch nodes"
    assert reads["remedy"].endswith("deploy/kubernetes/observing/rbac.yaml")
    assert found["lease"]["state"] == "fail"
    assert "get, update leases.coordination.k8s.io watchkeeper in watchkeeper" in found["lease"]["said"]


def _rights(role: str) -> list[Right]:
    return [rule.right for rule in rules() if rule.role == role]


def test_to_observe_no_right_to_act_is_needed(plane: ControlPlane, desk: Desk) -> None:
    reading = role_rules("watchkeeper-acts", "watchkeeper-own")
    status, found = desk.ask(kubeconfig=str(plane.as_account("doctor-observes", reading)))
    assert (status, failing(found)) == (0, [])
    assert "to observe none is needed" in found["rights: watchkeeper-acts"]["said"]
    assert (found["lease"]["state"], found["lease"]["said"]) == ("ok", "none is held to observe")
    status, found = desk.ask(kubeconfig=str(plane.as_account("doctor-observes", reading)), observe=False)
    assert (status, len(failing(found))) == (1, 3)  # both roles, and the lease


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


@pytest.mark.parametrize(
    ("ahead_s", "state", "side"), [(90, "fail", "ahead of"), (-300, "fail", "behind"), (2, "ok", "")]
)
def test_a_clock_that_is_wrong_is_said_with_how_far(plane: ControlPlane, ahead_s: int, state: str, side: str) -> None:
    server = Examination(Access(plane.admin).api_client())
    found = {each.what: each for each in reached(server, lambda: datetime.now(UTC) + timedelta(seconds=ahead_s))}
    assert found["clock"].state.value == state
    assert side in found["clock"].said and ("NTP" in found["clock"].remedy) == (state == "fail")


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
        wait_for("it is gone", lambda: plane.api.find(*crd) is None)


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


def test_a_kueue_whose_controller_is_older_than_its_crds_is_said(plane: ControlPlane, desk: Desk) -> None:
    """The CRDs are the real ones, and stay: this is the last test of its plane. The controller is told by its
    Deployment's image, as a site has it."""
    install_crds(plane.api)
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kueue-system"}})
    labels = {"app.kubernetes.io/name": "kueue"}
    image = {"name": "manager", "image": "registry.k8s.io/kueue/kueue:v0.14.3"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [image], "schedulerName": "nobody"}}
    about = {"name": "kueue-controller-manager", "namespace": "kueue-system", "labels": labels}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    try:
        plane.api.apply({**deployment, "spec": spec})
        assert "no ready replica" in desk.ask(kubeconfig=str(plane.admin))[1]["Kueue"]["said"]
        plane.api.apply({**deployment, "spec": {**spec, "replicas": 0}})
        _pretend_ready(plane, deployment)
        status, found = desk.ask(kubeconfig=str(plane.admin))
        assert status == 1
        assert "is Kueue 0.14, which does not know that version" in found["Kueue"]["said"]
        image["image"] = "registry.k8s.io/kueue/kueue:v0.19.2"
        plane.api.apply({**deployment, "spec": {**spec, "replicas": 0}})
        _pretend_ready(plane, deployment)
        assert desk.ask(kubeconfig=str(plane.admin))[1]["Kueue"]["state"] == "ok"
    finally:
        plane.controllers.thaw()


def _pretend_ready(plane: ControlPlane, deployment: dict[str, Any]) -> None:
    """No kubelet is here. A controller at work would set it back."""
    plane.controllers.freeze()
    plane.api.merge(deployment, {"status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}}, "status")
