"""`watchkeeper run` answers for its admission check beside the real Kueue, and not while it only observes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from control_plane import ControlPlane
from kube import Api, Json, condition, reference
from kueue_server import Kueue
from running_agent import COMMAND, Running

VERSION, GPU = "kueue.x-k8s.io/v1beta2", "nvidia.com/gpu"
LOOKS_MEANWHILE = timedelta(seconds=12)  # it looks every 5 s: two looks at least, and the second is dealt with


def made(kind: str, name: str, spec: Json, namespace: str = "") -> Json:
    return {**reference(VERSION, kind, name, namespace), "spec": spec}


@pytest.fixture
def waiting(plane: ControlPlane, kueue: Kueue, cluster: Api, namespace: str) -> Iterator[Json]:
    """A workload in a queue with a check of ours; what has no namespace bears its name, for what goes goes slowly.

    No node is of its flavor, so no other test's node is a reason to let nobody in.
    """
    name = namespace
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watchkeeper"}})
    flavors = [{"name": name, "resources": [{"name": GPU, "nominalQuota": "16"}]}]
    queue = {
        "namespaceSelector": {},
        "resourceGroups": [{"coveredResources": [GPU], "flavors": flavors}],
        "admissionChecksStrategy": {"admissionChecks": [{"name": name}]},
    }
    laid = (
        made("ResourceFlavor", name, {"nodeLabels": {"tests.watchkeeper.dev/of": name}}),
        made("AdmissionCheck", name, {"controllerName": "watchkeeper.dev/gpu-slo"}),
        made("ClusterQueue", name, queue),
        made("LocalQueue", name, {"clusterQueue": name}, namespace),
    )
    for each in laid:
        cluster.apply(each)
    container = {"name": "c", "image": "pause", "resources": {"requests": {GPU: "8"}, "limits": {GPU: "8"}}}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"queueName": name, "podSets": [{"name": "main", "count": 1, "template": template}]}
    yield cluster.create(made("Workload", name, spec, namespace))
    for each in reversed(laid):
        cluster.delete(each)


def test_who_acts_lets_in_and_who_observes_does_not(
    plane: ControlPlane, cluster: Api, waiting: Json, tmp_path: Path
) -> None:
    name = namespace = waiting["metadata"]["name"]
    observing = Running(tmp_path, plane.admin, "observing", observe=True)
    try:
        _looks_on(observing)
    finally:
        observing.stop()
    assert cluster.get(VERSION, "AdmissionCheck", name).get("status", {}).get("conditions", []) == []
    acting = Running(tmp_path, plane.admin, "acting")
    try:
        acting.leads()  # whoever makes the Lease waits 15 s
        cluster.wait(
            "it is let in", VERSION, "Workload", name, namespace, until=lambda w: condition(w, "Admitted") == "True"
        )
        (record,) = acting.ask("audit", "query", "--kind", "admission_check")["records"]
        assert "allow" in str(record)
    finally:
        acting.stop()


def _looks_on(agent: Running) -> None:
    """By its own word, not by our clock: on a machine that does much else its looks take longer."""
    first = _seen_at(agent.leads())
    agent.until("it has looked again", lambda ready: _seen_at(ready) >= first + LOOKS_MEANWHILE)


def _seen_at(ready: Json) -> datetime:
    return datetime.fromisoformat(ready["apiserver"]["seen_at"])


def test_a_freeze_in_the_log_holds_here_too(plane: ControlPlane, cluster: Api, waiting: Json, tmp_path: Path) -> None:
    name = namespace = waiting["metadata"]["name"]
    observing = Running(tmp_path, plane.admin, observe=True)
    try:
        observing.leads()
        freeze = [str(COMMAND), "policy", "levels", "freeze", "--reason", "the cluster moves"]
        subprocess.run([*freeze, "--config", str(observing.settings)], check=True, capture_output=True, cwd=tmp_path)
    finally:
        observing.stop()
    acting = Running(tmp_path, plane.admin)
    try:
        acting.leads()
        held = cluster.wait(
            "it is held", VERSION, "Workload", name, namespace, until=lambda w: "a freeze (log)" in str(w.get("status"))
        )
        (check,) = held["status"]["admissionChecks"]
        assert check["state"] == "Pending" and condition(held, "Admitted") != "True"
    finally:
        acting.stop()
