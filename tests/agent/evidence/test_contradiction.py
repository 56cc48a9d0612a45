"""A fault that the GPU's own telemetry or the training on it contradicts is told to a person, and nobody is moved."""

from typing import Any

import pytest

from agent.domain.base import parse_rfc3339
from agent.domain.incident import Incident
from agent.evidence.contradiction import stops_nobody
from agent.evidence.facts import Facts, gather
from evidence.field import NOW, Cluster, Foresees, Told, cluster, past, series
from evidence.test_nodes_in_trouble import CORDONED, NODE, XIDS, facts_of, logged, on, remedies

RISING = [float(n) for n in range(30)]
CODES = (79, 95, 48, 119)


def place(**more: Any) -> Cluster:
    return cluster().node("gpu-7", **more).node("gpu-8").gang("llama", on=["gpu-7", "gpu-8"])


def steps(values: float | list[float], pod: str = "llama-0") -> Any:
    return series("train_steps_total", values, pod)


def of_gpu(metric: str, values: float | list[float], gpu: str = "GPU-1", pod: str = "llama-0") -> Any:
    return series(metric, values, pod, UUID=gpu, Hostname="gpu-7", modelName="NVIDIA H100 80GB HBM3")


ENERGY, POWER = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DEV_POWER_USAGE"
AT_WORK = of_gpu(POWER, 620)


def against(code: int, *told: Any, where: Cluster | None = None) -> bool:
    return bool(facts_of(logged(code), where or place(), *told).values["node"]["contradicted"])


@pytest.mark.parametrize("code", CODES)
def test_a_gang_that_makes_steps_or_a_gpu_that_measures_itself_speaks_against_each_code(code: int) -> None:
    assert against(code, steps(RISING))
    assert against(code, AT_WORK, of_gpu(ENERGY, RISING))
    assert against(code, of_gpu(POWER, [600.0 + n % 7 for n in range(30)]))


def test_what_repeats_itself_or_is_of_another_gpu_or_pod_does_not() -> None:
    assert not against(79, steps(500.0))
    assert not against(79, AT_WORK, of_gpu(ENERGY, 12345.0))
    assert not against(79, AT_WORK, of_gpu(ENERGY, RISING, gpu="GPU-2"))
    assert not against(79, of_gpu(POWER, 70), of_gpu(ENERGY, RISING))  # it draws what an idle one draws
    assert not against(79, steps(RISING, "other-0"))
    assert not against(79, steps(500.0, "llama-0"), steps(RISING, "llama-1"))  # others of the gang go on without it


def test_steps_of_whoever_is_on_other_gpus_say_nothing_about_this_one() -> None:
    where = cluster().node("gpu-7").gang("llama", on=["gpu-7"], gpus=4)
    assert not against(79, steps(RISING), where=where)
    assert not against(79, steps(RISING), on("llama-0", "GPU-2"), where=where)
    assert against(79, steps(RISING), on("llama-0", "GPU-1"), where=where)


def test_a_gauge_that_tells_the_same_or_a_gpu_without_series_is_believed() -> None:
    assert not against(79, steps(RISING), of_gpu(XIDS, 79))
    assert against(79, steps(RISING), of_gpu(XIDS, 0))
    both = logged(48).model_copy(update={"signals": (*logged(48).signals, *logged(63).signals)})
    assert not facts_of(both, place(), steps(RISING), of_gpu(XIDS, 63)).values["node"]["contradicted"]
    gone = of_gpu(XIDS, 0)
    gone = type(gone)(gone.labels, gone.points[:-10])
    assert not against(79, steps(RISING), gone, of_gpu(XIDS, 0, gpu="GPU-2"))


def minutes(about: Incident, facts: Facts) -> float:
    """After the line it settles."""
    return (parse_rfc3339(facts.values["settle_until"]) - about.opened_at).total_seconds() / 60


def test_it_is_decided_two_minutes_after_the_line_and_looked_at_again_for_an_hour() -> None:
    about = logged(79)
    early = about.model_copy(update={"opened_at": about.opened_at.replace(minute=about.opened_at.minute + 9)})
    facts = facts_of(early, place(), steps(RISING)).values
    assert not facts["node"]["contradicted"]
    assert minutes(about, facts_of(about, place(), steps(RISING))) == 2
    assert minutes(about, facts_of(about, place(), AT_WORK, of_gpu(ENERGY, RISING))) == 2
    assert minutes(about, facts_of(about, place(), of_gpu(XIDS, 0))) == 1
    assert facts_of(about, place(), steps(RISING)).values["stay_until"] is not None
    assert facts_of(about, place(), steps(500.0)).values["stay_until"] is None


def test_a_person_is_told_with_both_sides_and_nothing_else_is_done() -> None:
    facts = facts_of(logged(79), place(**CORDONED), steps(RISING))
    assert remedies(logged(79), facts) == ("gpu-fault-contradicted", ["notify gpu-7"])
    assert facts.values["xid"]["against"] and facts.values["node"]["cordoned_by_us"]


@pytest.mark.parametrize(
    ("action", "operation", "stops"),
    [
        ("requeue_gang", "", True), ("drain_node", "", True), ("evict_pod", "", True),
        ("request_node_repair", "reboot", True), ("request_node_repair", "reset_gpu", True),
        ("request_node_repair", "diagnose", False), ("cordon_node", "", False), ("notify", "", False),
    ],
)  # fmt: skip
def test_no_playbook_stops_anybody_while_it_is_contradicted(action: str, operation: str, stops: bool) -> None:
    assert stops_nobody(action, {"operation": operation}) is not stops


def test_without_telemetry_what_a_person_was_told_stands() -> None:
    def blind(*done: str) -> bool:
        history = tuple(past(action, NODE, incident="inc-1") for action in done)
        facts = gather(logged(79), place().view(), Told(down=True), Foresees(), NOW, history)
        return bool(facts.values["node"]["contradicted"])

    assert blind("notify")
    assert not blind() and not blind("notify", "requeue_gang")
