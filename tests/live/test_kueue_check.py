"""Our admission check beside the real Kueue: what it answers, Kueue carries out; with its own rights and no others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from control_plane import ControlPlane
from kube import Api, Json, condition, reference
from kueue_cases import FAKE, GPU, HOST, TYPE, VERSION

from agent.adapters.kubernetes.kinds import Kind
from agent.adapters.kubernetes.live.access import Access
from agent.adapters.kubernetes.live.cluster import LiveCluster
from agent.adapters.kubernetes.views import ClusterViews
from agent.adapters.kueue.check_controller import FIELD_MANAGER, RECORD, AdmissionCheckController
from agent.adapters.kueue.check_facts import NodeFacts
from agent.adapters.kueue.check_policy import RegoAdmissionPolicy
from agent.adapters.kueue.waiting import CONTROLLER
from agent.adapters.ledger import AuditLedger
from agent.adapters.rego.bundle import read_bundle
from agent.resources import bundled
from audit.log import Log

KUEUE = "kueue.x-k8s.io"
READ = ["get", "list", "watch"]
RULES = [  # all that it may do
    {"apiGroups": [""], "resources": ["nodes", "pods", "namespaces"], "verbs": READ},
    {"apiGroups": [KUEUE], "resources": ["workloads", "admissionchecks", "resourceflavors"], "verbs": READ},
    {"apiGroups": [KUEUE], "resources": ["workloads/status", "admissionchecks/status"], "verbs": ["patch"]},
]
KINDS = (
    *(Kind("v1", kind) for kind in ("Node", "Pod", "Namespace")),
    *(Kind(VERSION, kind) for kind in ("Workload", "AdmissionCheck", "ResourceFlavor")),
)
# Kueue 0.19 waits for `requeueAfterSeconds` before it sends a workload off, not after it: so it is short here.
LIMITS = {"admission": {"retry_after": "3s", "refused": [{"name": "no mining", "cluster_queues": ["slo-refusing"]}]}}


class Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


class AtWork:
    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        clock: Any = Now()
        self.cluster = LiveCluster(Access(kubeconfig=kubeconfig), clock)
        bundle = read_bundle(bundled("policies"), LIMITS)
        self.policy = RegoAdmissionPolicy(lambda: bundle)
        self.log = Log.open(folder / "log.db")
        self.refused: list[tuple[str, ...]] = []
        self.frozen: str | None = None
        self.controller = AdmissionCheckController(
            self.cluster,
            ClusterViews(self.cluster, clock, kinds=KINDS),
            clock,
            self.policy,
            NodeFacts(tuple, lambda: self.frozen),
            AuditLedger(self.log, clock, "watchkeeper"),
            refused=lambda *what: self.refused.append(what),
        )

    def close(self) -> None:
        self.policy.close()
        self.cluster.close()
        self.log.close()


@pytest.fixture
def at_work(anywhere: ControlPlane, cluster: Api, tmp_path: Path) -> Iterator[AtWork]:
    running = AtWork(anywhere.as_account("gpu-slo", RULES), tmp_path)
    yield running
    running.close()


@pytest.fixture
def queue(cluster: Api, namespace: str) -> Iterator[str]:
    """A flavor of two nodes with eight GPUs each, and a queue with the check before it."""
    name = f"slo-{namespace}"
    places = (1, 2)
    for index in places:
        about = {"name": f"{name}-{index}", "annotations": FAKE, "labels": {TYPE: name, HOST: f"{name}-{index}"}}
        room = {"cpu": "64", "memory": "512Gi", "pods": "110", GPU: "8"}
        cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": about, "status": {"allocatable": room}})
        ready = {"allocatable": room, "capacity": room}
        cluster.merge(reference("v1", "Node", about["name"]), {"status": ready}, "status")
        cluster.wait("the node is ready", "v1", "Node", about["name"], until=lambda n: condition(n, "Ready") == "True")
    _lay_queue(cluster, namespace, name, name, "main")
    yield name
    for kind in ("ClusterQueue", "AdmissionCheck", "ResourceFlavor"):
        cluster.delete(reference(VERSION, kind, name))
    for index in places:
        cluster.delete(reference("v1", "Node", f"{name}-{index}"))


def _lay_queue(cluster: Api, namespace: str, name: str, flavor: str, door: str) -> None:
    quota = {"name": GPU, "nominalQuota": "16"}
    groups = [{"coveredResources": [GPU], "flavors": [{"name": flavor, "resources": [quota]}]}]
    checks = {"admissionChecks": [{"name": name}]}
    spec = {"namespaceSelector": {}, "resourceGroups": groups, "admissionChecksStrategy": checks}
    for made in (
        _made("ResourceFlavor", flavor, {"nodeLabels": {TYPE: flavor}}),
        _made("AdmissionCheck", name, {"controllerName": CONTROLLER}),
        _made("ClusterQueue", name, spec),
        _made("LocalQueue", door, {"clusterQueue": name}, namespace),
    ):
        cluster.apply(made)


def _made(kind: str, name: str, spec: Json, namespace: str = "") -> Json:
    return {**reference(VERSION, kind, name, namespace), "spec": spec}


def _send(cluster: Api, namespace: str, name: str, door: str = "main", pods: int = 1) -> None:
    requests = {GPU: "8"}
    container = {"name": "c", "image": "pause", "resources": {"requests": requests, "limits": requests}}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"queueName": door, "podSets": [{"name": "main", "count": pods, "template": template}]}
    cluster.create(_made("Workload", name, spec, namespace))


def _steps_until(cluster: Api, at_work: AtWork, namespace: str, name: str, what: str, until: Any) -> Json:
    def look(workload: Json) -> bool:
        at_work.controller.step()
        return bool(until(workload))

    return cluster.wait(f"{what}; refused: {at_work.refused}", VERSION, "Workload", name, namespace, until=look)


def _entry(workload: Json) -> Json:
    found: list[Json] = workload.get("status", {}).get("admissionChecks", [])
    return found[0] if found else {}


def test_healthy_nodes_let_it_in(cluster: Api, at_work: AtWork, namespace: str, queue: str) -> None:
    _send(cluster, namespace, "w")
    found = _steps_until(
        cluster, at_work, namespace, "w", "it is admitted", lambda w: condition(w, "Admitted") == "True"
    )
    assert _entry(found)["state"] == "Ready"
    managers = {each["manager"] for each in found["metadata"]["managedFields"] if "subresource" in each}
    assert FIELD_MANAGER in managers
    cluster.wait(
        "its queue is in use", VERSION, "ClusterQueue", queue, until=lambda q: condition(q, "Active") == "True"
    )
    assert [each.payload["decision"] for each in at_work.log.query(kind=RECORD)] == ["allow"]  # type: ignore[index,call-overload]
    assert at_work.refused == []


def test_with_one_node_sick_half_a_gang_is_nowhere_to_go(
    cluster: Api, at_work: AtWork, namespace: str, queue: str
) -> None:
    """Kueue sends it off, and says for whose sake."""
    cluster.merge(reference("v1", "Node", f"{queue}-1"), {"spec": {"unschedulable": True}})
    _send(cluster, namespace, "w", pods=2)
    found = _steps_until(
        cluster, at_work, namespace, "w", "it is sent back", lambda w: condition(w, "Evicted") == "True"
    )
    evicted = next(each for each in found["status"]["conditions"] if each["type"] == "Evicted")
    assert evicted["reason"] == "AdmissionCheck" and "too_few_healthy" in evicted["message"]


def test_the_kill_switch_holds_and_the_next_look_lets_in(
    cluster: Api, at_work: AtWork, namespace: str, queue: str
) -> None:
    at_work.frozen = "file"
    _send(cluster, namespace, "w")
    held = _steps_until(
        cluster, at_work, namespace, "w", "it is held", lambda w: "kill_switch" in _entry(w).get("message", "")
    )
    assert _entry(held)["state"] == "Pending" and condition(held, "Admitted") != "True"
    at_work.frozen = None
    _steps_until(cluster, at_work, namespace, "w", "it is admitted", lambda w: condition(w, "Admitted") == "True")


def test_what_the_site_refuses_is_switched_off(cluster: Api, at_work: AtWork, namespace: str, queue: str) -> None:
    _lay_queue(cluster, namespace, "slo-refusing", queue, "refusing")
    _send(cluster, namespace, "w", door="refusing")
    off = _steps_until(cluster, at_work, namespace, "w", "it is off", lambda w: w["spec"].get("active") is False)
    assert _entry(off)["state"] in ("Rejected", "Pending")
