"""An exporter that repeats itself is told from GPUs that are truly steady, and nothing rests on what it says."""

from collections.abc import Sequence
from typing import Any

import pytest

from agent.domain.incident import Symptom
from agent.evidence.condition import Sight
from agent.evidence.facts import gather
from agent.evidence.telemetry_facts import find_exporters
from agent.ports import Series
from evidence.field import NOW, Cluster, Foresees, Told, cluster, incident, ref, series
from evidence.signals import alert

UTIL, POWER = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_POWER_USAGE"
ENERGY, ENGINE = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
NODES = ("gpu-1", "gpu-2", "gpu-3")
MINUTES = 181


def site() -> Cluster:
    where = cluster().nodes(*NODES).gang("llama", on=list(NODES), gpus=1)
    for n in range(3):
        where.change("Pod", f"llama-{n}", {"metadata": {"creationTimestamp": "2026-11-02T03:00:00Z"}})
    return where.deployment("dcgm-exporter", on=list(NODES), gpus=0, kind="DaemonSet")


def told(frozen: Sequence[str] = (), for_min: int = 25, **more: Any) -> list[Series]:
    """Every minute a GPU draws 600 W, or a little more or less where it is `lively`; those of `frozen` nodes say what
    they said so long ago."""
    found = []
    for n, node in enumerate(NODES):
        labels: Any = {"Hostname": node, "gpu": "0", "modelName": "NVIDIA H200"}
        moves = [600.0 + (m * 3 % 7 if more.get("lively") else 0) for m in range(MINUTES)]
        values = {UTIL: [97.0] * MINUTES, POWER: moves, ENERGY: [1e6 + 3.6e7 * m for m in range(MINUTES)]}
        for name in set(values) - set(more.get("without", ())):
            now = values[name]
            if node in frozen and name not in more.get("alive", ()):
                now = [*now[:-for_min], *[now[-for_min]] * for_min]
            found.append(series(name, now, f"llama-{n}", **labels))
    return sorted(found, key=lambda s: str(s.labels))


def conditions(metrics: Sequence[Series], where: Cluster | None = None) -> list[str]:
    found = find_exporters(Sight((where or site()).view(), Told(*metrics), NOW))
    return [f"{c.subject} {c.detail}" for c in found]


FROZEN = ["Node/gpu-2 {'fault': 'frozen'}"]


def test_power_is_drawn_and_no_energy_is_used() -> None:
    assert conditions(told(["gpu-2"])) == FROZEN
    about = incident(Symptom.TELEMETRY_FAULT, ref("Node", "gpu-2"), alert("X"))
    exporter = gather(about, site().view(), Told(*told(["gpu-2"])), Foresees(), NOW, ()).values["exporter"]
    assert (exporter["fault"], exporter["pod"]["name"]) == ("frozen", "dcgm-exporter-1")
    assert "no energy" in exporter["detail"]


def test_without_the_energy_counter_a_power_that_no_longer_goes_up_and_down_says_it() -> None:
    assert conditions(told(["gpu-2"], lively=True, without=[ENERGY])) == FROZEN


@pytest.mark.parametrize(
    ("metrics", "why"),
    [
        (told(), "all go on"),
        (told(["gpu-2"], for_min=15), "a busy host for some minutes"),
        (told(["gpu-2"], without=[ENERGY]), "steady gauges, as everybody's are"),
        (told(["gpu-2"], alive=[POWER], lively=True), "a gauge moves: one counter is stuck, no more"),
        (told(["gpu-2"], without=[POWER]), "who draws nothing uses nothing"),
        (told(["gpu-2"], for_min=MINUTES), "a card that never counted its energy"),
        (told(["gpu-2"], lively=True, without=[ENERGY], alive=[UTIL, POWER]), "lively as ever"),
        (told(NODES, lively=True, without=[ENERGY]), "nobody else's goes up and down either"),
    ],
)  # fmt: skip
def test_what_is_no_frozen_exporter(metrics: list[Series], why: str) -> None:
    assert conditions(metrics) == [], why


def test_where_nothing_runs_nobody_looks() -> None:
    assert conditions(told(["gpu-2"]), site().without("Pod", "llama-1")) == []


def test_most_nodes_at_once_are_the_daemon_sets_matter() -> None:
    assert conditions(told(["gpu-2", "gpu-3"])) == ["DaemonSet/lab/dcgm-exporter {'frozen': '2'}"]
    about = incident(Symptom.TELEMETRY_FAULT, ref("DaemonSet", "dcgm-exporter"), alert("X"))
    metrics = Told(*told(["gpu-2", "gpu-3"]))
    assert gather(about, site().view(), metrics, Foresees(), NOW, ()).values["exporter"]["fault"] == "frozen"


@pytest.mark.parametrize(("counts", "proven"), [(True, True), (False, False)])
def test_old_zeros_are_no_idleness(counts: bool, proven: bool) -> None:
    labels: Any = {"gpu": "0", "modelName": "NVIDIA H200", "Hostname": "gpu-1"}
    energy = [1e9 + (4e6 * m if counts else 0) for m in range(MINUTES)]
    metrics = [series(name, 0.0, "lab-0", **labels) for name in (UTIL, ENGINE)]
    metrics += [series(POWER, 80.0, "lab-0", **labels), series(ENERGY, energy, "lab-0", **labels)]
    where = cluster().node("gpu-1").notebook("lab", on="gpu-1", gpus=1)
    about = incident(Symptom.IDLE_GPU, ref("Notebook", "lab"), alert("GPUUnderutilized"))
    idle = gather(about, where.view(), Told(*metrics), Foresees(), NOW, ()).values["idle"]
    assert (idle["contradictions"] == []) is proven
