"""The site's repair system: what it is told takes its time, and ends as the scenario says."""

from datetime import timedelta
from typing import Any

import pytest
from world_builders import START, at, job, node, pinned, pod, pod_names, ref, running, world

from agent.adapters.simulated.world import World
from agent.ports import RepairUnavailable

XID = 'DCGM_FI_DEV_XID_ERRORS{gpu="3",UUID="GPU-3",Hostname="n1"} 79\n'
ELSEWHERE = 'DCGM_FI_DEV_XID_ERRORS{gpu="0",UUID="GPU-0",Hostname="n2"} 13\n'


def sick(**repair: Any) -> World:
    train = job("train", 1)
    made = world(
        node("n1", SysLogsXIDError="True", AcceleratedHardwareReady="False", KernelDeadlock="False"),
        node("n2"),
        train,
        pod("t", "n1", train),
        repair=repair,
    )
    made.set_metrics(XID + ELSEWHERE)
    return made


def conditions(made: World) -> dict[str, str]:
    said = made.cluster.get(ref("v1", "Node", "n1", None))["status"]["conditions"]
    return {each["type"]: each["status"] for each in said}


def xids(made: World) -> dict[str, float]:
    found = made.metrics.instant("DCGM_FI_DEV_XID_ERRORS", made.clock.now())
    return {series.labels["Hostname"]: series.points[0][1] for series in found}


def test_a_reboot_takes_five_minutes_and_heals() -> None:
    made = sick()
    made.repairs.request("n1", "reboot", gpu_uuid="GPU-3", key="k")
    made.advance_to(at(299))
    assert made.repairs.state("k") == "pending" and conditions(made)["SysLogsXIDError"] == "True"
    made.advance_to(at(315))
    assert made.repairs.state("k") == "succeeded"
    healthy = {
        "Ready": "True",
        "SysLogsXIDError": "False",
        "AcceleratedHardwareReady": "True",
        "KernelDeadlock": "False",
    }
    assert conditions(made) == healthy
    assert xids(made) == {"n1": 0, "n2": 13}


def test_a_gauge_that_names_its_node_by_the_exporters_address_is_healed_too() -> None:
    made = world(node("n1"))
    made.set_metrics('DCGM_FI_DEV_XID_ERRORS{gpu="3",instance="n1:9400"} 79\n')
    made.repairs.request("n1", "reboot", gpu_uuid=None, key="k")
    made.advance_to(at(315))
    (gauge,) = made.metrics.instant("DCGM_FI_DEV_XID_ERRORS", made.clock.now())
    assert gauge.points[0][1] == 0


def test_what_runs_on_a_machine_that_reboots_is_lost_and_made_again() -> None:
    made = sick(reboot={"takes": "1m"})
    made.repairs.request("n1", "reboot", gpu_uuid=None, key="k")
    made.advance_to(at(59))
    assert pod_names(made) == ["t"]
    made.advance_to(at(90))
    assert len(running(made)) == 1 and "t" not in pod_names(made)


@pytest.mark.parametrize("operation", ["diagnose", "support"])
def test_a_look_at_a_machine_stops_nothing(operation: str) -> None:
    made = sick()
    made.repairs.request("n1", operation, gpu_uuid=None, key="k")
    made.advance_to(at(3600))
    assert running(made) == {"t": "n1"}


@pytest.mark.parametrize(("outcome", "state"), [("failed", "failed"), ("stuck", "pending")])
def test_a_repair_that_does_not_succeed_heals_nothing(outcome: str, state: str) -> None:
    made = sick(reboot={"outcome": outcome})
    made.repairs.request("n1", "reboot", gpu_uuid=None, key="k")
    made.advance_to(at(86_400))
    assert made.repairs.state("k") == state
    assert conditions(made)["SysLogsXIDError"] == "True" and xids(made)["n1"] == 79


def test_a_repair_may_succeed_and_not_heal() -> None:
    made = sick(reset_gpu={"heals": False, "takes": timedelta(seconds=30)})
    made.repairs.request("n1", "reset_gpu", gpu_uuid="GPU-3", key="k")
    made.advance_to(at(60))
    assert made.repairs.state("k") == "succeeded"
    assert conditions(made)["SysLogsXIDError"] == "True" and xids(made)["n1"] == 79


def test_one_key_is_one_repair() -> None:
    made = sick()
    for second in (0, 100):
        made.advance_to(at(second))
        made.repairs.request("n1", "reboot", gpu_uuid=None, key="k")
    made.advance_to(at(300))
    assert made.repairs.state("k") == "succeeded"
    assert [each.verb for each in made.effects] == ["request_repair"]


def test_a_request_is_withdrawn_while_it_is_pending() -> None:
    made = sick()
    made.repairs.request("n1", "reboot", gpu_uuid=None, key="k")
    made.advance_to(at(100))
    made.repairs.withdraw("k")
    made.repairs.withdraw("k")
    made.advance_to(at(3600))
    assert made.repairs.state("k") == "unknown"
    assert running(made) == {"t": "n1"} and xids(made)["n1"] == 79


def test_a_pinned_node_is_healed_by_a_repair() -> None:
    made = world(pinned(node("n1", SysLogsXIDError="True")))
    made.repairs.request("n1", "reboot", gpu_uuid=None, key="k")
    made.advance_to(at(300))
    assert conditions(made)["SysLogsXIDError"] == "False"


def test_what_cannot_be_repaired_is_refused() -> None:
    with pytest.raises(RepairUnavailable, match="nowhere"):
        sick().repairs.request("nowhere", "reboot", gpu_uuid=None, key="k")
    with pytest.raises(RepairUnavailable, match="defenestrate"):
        sick().repairs.request("n1", "defenestrate", gpu_uuid=None, key="k")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"defenestrate": {}}, r"repair\.defenestrate"),
        ({"reboot": {"takes": "soon"}}, r"repair\.reboot\.takes"),
        ({"reboot": {"outcome": "maybe"}}, r"repair\.reboot\.outcome"),
        ({"reboot": {"heals": "yes"}}, r"repair\.reboot\.heals"),
        ({"reboot": {"price": 3}}, r"repair\.reboot"),
        ({"reboot": None}, r"repair\.reboot"),
    ],
)
def test_bad_settings_name_their_field(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        World(7, START, timedelta(seconds=15), settings)
