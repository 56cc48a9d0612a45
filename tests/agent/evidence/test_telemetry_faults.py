"""Exporters that are silent or lie, told from pods that are idle and from a Prometheus that is away."""

from collections.abc import Sequence
from typing import Any

import pytest

from agent.domain.incident import Symptom
from agent.evidence.condition import Sight
from agent.evidence.facts import gather
from agent.evidence.telemetry_facts import NOBODY_IS_HEARD, find_exporters
from agent.ports import Series
from evidence.field import NOW, Cluster, Foresees, Told, cluster, incident, past, ref, series
from evidence.signals import alert

UTIL, ENGINE, POWER = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_POWER_USAGE"
NODES = ("gpu-1", "gpu-2", "gpu-3")


def site(*, exporter: bool = True, **more: Any) -> Cluster:
    """A gang over three nodes, with an exporter on each."""
    where = cluster().nodes(*NODES).gang("llama", on=list(NODES), gpus=1)
    for n in range(3):
        where.change("Pod", f"llama-{n}", {"metadata": {"creationTimestamp": "2026-11-02T03:00:00Z"}})
    if exporter:
        where.deployment(more.get("name", "dcgm-exporter"), on=list(NODES), gpus=0, kind="DaemonSet")
    return where


def told(silent: Sequence[str] = (), for_min: int = 20, stuck: Sequence[str] = ()) -> list[Series]:
    """What the exporters tell; those of `silent` nodes told nothing for so long."""
    found = []
    for n, node in enumerate(NODES):
        labels = {"Hostname": node, "gpu": "0", "modelName": "NVIDIA H200"}
        for name, value in ((UTIL, 97.0), (ENGINE, 0.0 if node in stuck else 0.95), (POWER, 600.0)):
            one = series(name, value, f"llama-{n}", **labels)
            found.append(Series(one.labels, one.points[:-for_min] if node in silent else one.points))
    return found


def conditions(where: Cluster, metrics: Sequence[Series]) -> list[str]:
    found = find_exporters(Sight(where.view(), Told(*metrics), NOW))
    return [f"{c.subject} {c.detail.get('fault', '')}".strip() for c in found]


def exporter(where: Cluster, metrics: Sequence[Series], subject: Any = None, *history: Any) -> Any:
    about = incident(Symptom.TELEMETRY_FAULT, subject or ref("Node", "gpu-2"), alert("X"))
    return gather(about, where.view(), Told(*metrics), Foresees(), NOW, history).values["exporter"]


def test_a_node_that_spoke_and_is_silent_while_its_pods_run_and_others_are_heard() -> None:
    assert conditions(site(), told(["gpu-2"])) == ["Node/gpu-2 silent"]
    found = exporter(site(), told(["gpu-2"]))
    assert (found["fault"], found["pod"]["name"], found["started_anew"]) == ("silent", "dcgm-exporter-1", 0)
    assert exporter(site(), told())["fault"] == "none"


@pytest.mark.parametrize(
    ("where", "metrics", "why"),
    [
        (site(), told(), "all are heard"),
        (site(), told(["gpu-2"], for_min=12), "a few missed scrapes"),
        (site(), told(["gpu-2"], for_min=170), "it has not spoken for hours, or never"),
        (site().without("Pod", "llama-1"), told(["gpu-2"]), "no pod runs there"),
        (site().change("Node", "gpu-2", {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}),
         told(["gpu-2"]), "the node itself is not ready"),
        (cluster().node("gpu-1").gang("llama", on=["gpu-1"], gpus=1), told(NODES), "one that is heard alone"),
    ],
)  # fmt: skip
def test_when_silence_is_nobodys_fault(where: Cluster, metrics: list[Series], why: str) -> None:
    assert conditions(where, metrics) == [], why


def test_most_nodes_silent_is_the_daemon_sets_matter() -> None:
    assert conditions(site(), told(["gpu-2", "gpu-3"])) == ["DaemonSet/lab/dcgm-exporter"]
    found = exporter(site(), told(["gpu-2", "gpu-3"]), ref("DaemonSet", "dcgm-exporter"))
    assert found["widely"] and found["fault"] == "silent" and found["pod"] is None


def test_nobody_heard_is_nobodys_exporter_unless_prometheus_is_alive() -> None:
    assert conditions(site(), told(NODES)) == ["Prometheus/telemetry"]
    assert exporter(site(), told(NODES), NOBODY_IS_HEARD)["fault"] == "blind"
    assert conditions(site(), [*told(NODES), series("up", 1)]) == ["DaemonSet/lab/dcgm-exporter"]


def test_a_counter_at_zero_while_two_others_show_work_is_stuck() -> None:
    assert conditions(site(), told(stuck=["gpu-2"])) == ["Node/gpu-2 stuck"]
    found = exporter(site(), told(stuck=["gpu-2"]))
    assert found["fault"] == "stuck" and "llama-1" in found["detail"]
    assert conditions(site(exporter=False), told(stuck=["gpu-2"])) == [], "there is nothing to start anew"


@pytest.mark.parametrize("missing", [POWER, UTIL])
def test_one_counter_against_another_proves_neither(missing: str) -> None:
    metrics = [s for s in told(stuck=["gpu-2"]) if s.labels["__name__"] != missing]
    assert conditions(site(), metrics) == []
    assert exporter(site(), metrics)["fault"] == "none"


def test_idle_gpus_are_no_stuck_counter() -> None:
    idle = [Series(s.labels, tuple((at, value * 0.1) for at, value in s.points)) for s in told(stuck=NODES)]
    assert exporter(site(), idle)["fault"] == "none"


def test_an_exporter_is_known_by_name_label_or_image_and_must_be_one() -> None:
    assert exporter(site(name="gpu-metrics"), told(["gpu-2"]))["pod"] is None
    image = {"spec": {"template": {"spec": {"containers": [{"name": "x", "image": "nvcr.io/k8s/dcgm-exporter:4"}]}}}}
    assert exporter(site(name="gpu-metrics").change("DaemonSet", "gpu-metrics", image), told(["gpu-2"]))["pod"]
    two = site().deployment("dcgm-exporter-mig", on=["gpu-1"], gpus=0, kind="DaemonSet")
    assert exporter(two, told(["gpu-2"]))["pod"] is None, "which of the two is not known"


def test_that_it_was_started_anew_in_this_incident_is_remembered() -> None:
    ours = past("evict_pod", ref("Pod", "dcgm-exporter-1"), incident="inc-1")
    theirs = past("evict_pod", ref("Pod", "dcgm-exporter-1"), incident="inc-7")
    assert exporter(site(), told(["gpu-2"]), None, ours, theirs)["started_anew"] == 1
