"""XIDs: what the catalogue says, which code decides about a node, and when a fault is over."""

from datetime import timedelta

import pytest

from agent.domain.incident import Symptom
from agent.domain.signal import Body
from agent.evidence.faults import LOG_SOURCE, node_fault
from agent.evidence.reading import read_current_xids
from agent.evidence.xid import FirstAction, Sighting, catalogue, first_action, occurrences, worst
from evidence.field import NOW, Told, incident, ref, series, xid, xid_alert

NODE = ref("Node", "gpu-7")


@pytest.mark.parametrize(
    ("codes", "action"),
    [
        ((13, 31, 94), "restart_app"),
        ((43, 44, 63, 92), "none"),
        ((46, 62, 64, 95, 109, 110, 119, 120, 136, 140, 143, 156, 158), "reset_gpu"),
        ((79,), "reboot"),
        ((45, 74, 144, 145, 146, 147, 148, 149, 150, 154), "workflow"),
        ((1, 999), "unknown"),
    ],
)
def test_the_first_action_of_each_code(codes: tuple[int, ...], action: str) -> None:
    assert {first_action(code).value for code in codes} == {action}


def test_a_double_bit_error_alone_is_reset_and_with_a_remapping_it_is_a_workflow() -> None:
    assert first_action(48) is FirstAction.RESET_GPU
    assert first_action(48, {48, 63}) is FirstAction.WORKFLOW


def test_every_meaning_is_of_a_known_code() -> None:
    assert set(catalogue().meanings) <= set(catalogue().actions)


@pytest.mark.parametrize(
    ("codes", "decides"),
    [((94, 79, 43), 79), ((31, 13), 13), ((94, 777), 777), ((43, 94), 94), ((), None), ((79, 154), 79)],
)
def test_the_worst_code_decides_how_a_node_is_treated(codes: tuple[int, ...], decides: int | None) -> None:
    assert worst(codes) == decides


def seen(code: int, gpu: str, minutes_ago: int) -> Sighting:
    return Sighting(code, gpu, NOW - timedelta(minutes=minutes_ago))


@pytest.mark.parametrize(
    ("sightings", "counts"),
    [
        ([seen(31, "0", 600), seen(31, "0", 5)], {"0": 2}),
        ([seen(31, "0", 600), seen(31, "1", 5)], {"0": 1, "1": 1}),
        ([seen(31, "0", 5 + n) for n in range(9)], {"0": 1}),  # a storm is one occurrence
        ([seen(31, "0", 1500), seen(31, "0", 5)], {"0": 1}),  # more than a day apart
        ([seen(13, "0", 600), seen(31, "0", 5), seen(31, "", 300)], {"0": 1}),
    ],
)
def test_repetitions_count_on_one_gpu_within_a_day(sightings: list[Sighting], counts: dict[str, int]) -> None:
    assert occurrences(sightings, 31, NOW) == counts


def fault(
    *bodies: Body,
    history: tuple[Sighting, ...] = (),
    current: dict[str, int] | None = None,
    repaired: bool = False,
    age_s: int = 600,
) -> tuple[int, bool] | None:
    about = incident(Symptom.GPU_FAULT, NODE, *bodies, age_s=age_s)
    found = node_fault(about, history, current, NOW - timedelta(minutes=5) if repaired else None)
    return (found.code, found.active) if found else None


def test_a_kernel_line_alone_is_a_fault_until_something_says_otherwise() -> None:
    assert fault(xid(79)) == (79, True)
    assert fault(xid(79), current=None) == (79, True)
    assert fault(xid(79), current={"GPU-1": 0, "GPU-2": 0}) == (79, True)  # a GPU off the bus is not in the gauges


def test_a_gauge_that_showed_the_fault_and_is_back_at_zero_ends_it() -> None:
    showed = (seen(79, "GPU-1", 30),)
    assert fault(xid(79), history=showed, current={"GPU-1": 0}) == (79, False)
    assert fault(xid(79), history=showed, current={"GPU-1": 79}) == (79, True)
    assert fault(xid(79), history=showed, current={}) == (79, True)  # a series that went missing proves nothing


@pytest.mark.parametrize(("cleared_minutes_ago", "active"), [(60, True), (5, False)])
def test_a_kernel_line_after_the_gauge_was_cleared_is_the_fault_come_back(
    cleared_minutes_ago: int, active: bool
) -> None:
    about = incident(Symptom.GPU_FAULT, NODE, xid(79), age_s=600)
    logged = tuple(signal.model_copy(update={"source": LOG_SOURCE}) for signal in about.signals)
    showed = (seen(79, "GPU-1", 120), seen(0, "GPU-1", cleared_minutes_ago))
    found = node_fault(about.model_copy(update={"signals": logged}), showed, {"GPU-1": 0}, None)
    assert found is not None
    assert found.active is active


def test_a_resolved_alert_ends_it() -> None:
    assert fault(xid(94), xid_alert(94, "firing")) == (94, True)
    assert fault(xid(94), xid_alert(94, "resolved")) == (94, False)
    assert fault(xid(79), xid_alert(94, "resolved")) == (79, True)


def test_after_a_repair_only_what_came_later_counts() -> None:
    assert fault(xid(79), repaired=True) == (79, False)
    assert fault(xid(79), repaired=True, current={"GPU-1": 79}) == (79, True)
    assert fault(xid(79), repaired=True, age_s=60) == (79, True)


def test_a_gauge_counts_where_no_signal_named_a_code() -> None:
    assert fault(current={"GPU-1": 79}) == (79, True)
    assert fault(current={"GPU-1": 0}) is None
    assert fault(xid(94), current={"GPU-2": 43}) == (94, True)
    assert fault() is None


@pytest.mark.parametrize("order", [1, -1])
def test_a_zero_beside_a_code_of_the_same_gpu_clears_nothing(order: int) -> None:
    """When its pod has left, a GPU has a series with the pod's name and one without, in whatever order they come."""
    gauge = "DCGM_FI_DEV_XID_ERRORS"
    with_pod = series(gauge, 95, "train-0", UUID="GPU-1", Hostname="gpu-7")
    without = series(gauge, 0, UUID="GPU-1", Hostname="gpu-7")
    told = Told(*(with_pod, without)[::order])
    assert read_current_xids(told, "gpu-7", NOW) == {"GPU-1": 95}
