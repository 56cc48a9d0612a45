"""A machine has one name in the cluster, whatever its telemetry calls it; what two may mean, none is taken for."""

import pytest

from agent.domain.incident import Symptom
from agent.evidence.node_names import ClusterNames, known_node
from agent.evidence.reading import read_current_xids
from evidence.field import NOW, Told, cluster, series
from evidence.test_nodes_in_trouble import XIDS, facts_of, logged

FULL = "gpu-7.prod.example.com"


@pytest.mark.parametrize(
    ("said", "nodes", "meant"),
    [
        (FULL, ["gpu-7", "gpu-8"], "gpu-7"),
        ("gpu-7", [FULL, "gpu-8.prod.example.com"], FULL),
        (FULL, [FULL, "gpu-7"], FULL),  # the whole name comes first
        (FULL, ["gpu-7", "gpu-7.dev.example.com"], FULL),  # two answer to it
        ("gpu-7", [FULL, "gpu-7.dev.example.com"], "gpu-7"),
        (FULL, ["gpu-7.dev.example.com"], FULL),  # another domain, another machine
        (FULL, ["gpu-77", "gpu"], FULL),
        ("10.1.2.3", ["10"], "10.1.2.3"),
        ("", ["gpu-7"], ""),
    ],
)
def test_the_first_label_names_a_node_that_alone_has_it(said: str, nodes: list[str], meant: str) -> None:
    assert known_node(said, nodes) == meant


def of(*names: str) -> Told:
    return Told(*(series(XIDS, 79.0 + n, gpu=str(n), Hostname=name) for n, name in enumerate(names)))


def test_a_reply_is_renamed_unless_two_of_its_names_would_be_one() -> None:
    def read(*names: str) -> dict[str, int]:
        return read_current_xids(ClusterNames(of(*names), ["gpu-7", "gpu-8"]), "gpu-7", NOW)

    assert read(FULL) == {"0": 79}
    assert read(FULL, FULL) == {"0": 79, "1": 80}
    assert read(FULL, "gpu-7.dev.example.com") == {}  # two clusters behind one Prometheus
    assert read(FULL, "gpu-7") == {"1": 80}
    assert read("gpu-8.prod.example.com") == {}


def test_the_address_of_an_exporter_names_its_node_too() -> None:
    told = Told(series(XIDS, 79, gpu="0", instance=f"{FULL}:9400"))
    assert read_current_xids(ClusterNames(told, ["gpu-7"]), "gpu-7", NOW) == {"0": 79}


def test_facts_about_a_node_are_read_under_either_name() -> None:
    gauge = series(XIDS, 95, UUID="GPU-1", Hostname=FULL)
    assert logged(95).symptom is Symptom.GPU_FAULT
    assert facts_of(logged(95), cluster().node("gpu-7"), gauge).values["xid"]["sick_gpus"] == ["GPU-1"]
