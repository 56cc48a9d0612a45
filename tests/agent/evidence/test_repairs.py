"""The ladder of repairs, which GPU is meant, what the driver names, and who has to leave before a reset."""

from datetime import timedelta
from typing import Any

import pytest

from agent.domain.outcome import PastAction
from agent.domain.signal import ConditionBody, LogBody, Signal
from agent.evidence.gpus import bus_id, gpus_of
from agent.evidence.recovery import named_recovery
from agent.evidence.repairs import asked_about, next_operation
from agent.evidence.xid import FirstAction, called_for
from evidence.field import NOW, cluster, past, ref, series, xid

NODE = ref("Node", "gpu-7")
WHERE = cluster().node("gpu-7").view().nodes["gpu-7"]


def asked(operation: str, *, here: bool = True, days_ago: float = 0.01, **more: Any) -> PastAction:
    gpu = {"gpu_uuid": "GPU-1"} if operation == "reset_gpu" else {}
    at = NOW - timedelta(days=days_ago)
    incident = "inc-1" if here else "inc-0"
    return past(
        "request_node_repair", NODE, at=at, incident=incident, parameters={"operation": operation, **gpu}, **more
    )


RESET, REBOOT, WORKFLOW = FirstAction.RESET_GPU, FirstAction.REBOOT, FirstAction.WORKFLOW
EARLIER = [asked("reboot", here=False, days_ago=day) for day in (1, 3, 5)]


@pytest.mark.parametrize(
    ("action", "code", "history", "empty", "next_one"),
    [
        (RESET, 95, [], False, "reset_gpu"),
        (RESET, 95, [asked("reset_gpu")], True, "reboot"),
        (RESET, 95, [asked("reset_gpu")], False, "support"),  # a reboot would take others along
        (RESET, 95, [asked("reset_gpu"), asked("reboot")], True, "support"),
        (RESET, 95, [asked("reset_gpu"), asked("support")], True, ""),
        (RESET, 95, [asked("reset_gpu", here=False, days_ago=2)], True, "reset_gpu"),
        (RESET, 95, EARLIER, True, "support"),
        (RESET, 95, [asked("reboot", here=False, days_ago=8)] * 3, True, "reset_gpu"),
        (RESET, 95, [asked("reset_gpu", outcome="failed")], True, "reset_gpu"),  # it was never accepted
        (RESET, 95, [asked("reset_gpu", undo=True)], True, "reset_gpu"),
        (RESET, 64, [], True, "reset_gpu"),
        (RESET, 64, [asked("reset_gpu")], True, "support"),
        (RESET, 64, [asked("reset_gpu", here=False, days_ago=2)], True, "support"),
        (REBOOT, 79, [], False, "reboot"),
        (REBOOT, 79, [asked("reboot")], True, "support"),
        (REBOOT, 79, EARLIER, True, "support"),
        (REBOOT, 79, [asked("diagnose")], True, "reboot"),
        (WORKFLOW, 74, [], False, "diagnose"),
        (WORKFLOW, 74, [asked("diagnose")], False, ""),
        (WORKFLOW, 74, [asked("diagnose", here=False, days_ago=2)], False, "support"),
        (FirstAction.RESTART_APP, 31, [], True, ""),
        (FirstAction.UNKNOWN, 777, [], True, ""),
    ],
)
def test_what_is_asked_for_next(
    action: FirstAction, code: int, history: list[PastAction], empty: bool, next_one: str
) -> None:
    found = asked_about(WHERE, "inc-1", history, NOW)
    assert next_operation(action, (code,), found, gpu="GPU-1", empty=empty) == next_one


def test_a_gpu_that_nobody_can_name_is_looked_for_and_never_guessed() -> None:
    nothing = asked_about(WHERE, "inc-1", [], NOW)
    assert next_operation(RESET, (95,), nothing, gpu=None, empty=True) == "diagnose"
    looked = asked_about(WHERE, "inc-1", [asked("diagnose")], NOW)
    assert next_operation(RESET, (95,), looked, gpu=None, empty=True) == ""


def test_the_second_sick_gpu_is_reset_too() -> None:
    first = asked_about(WHERE, "inc-1", [asked("reset_gpu", helped=True, verified_at=NOW)], NOW)
    assert next_operation(RESET, (95,), first, gpu="GPU-2", empty=True) == "reset_gpu"
    assert first.mended == {"GPU-1": NOW}
    assert asked_about(WHERE, "inc-1", [asked("reset_gpu", helped=False, verified_at=NOW)], NOW).mended == {}


def test_a_repair_is_over_when_it_was_verified() -> None:
    running, done = asked("reboot"), asked("reboot", verified_at=NOW)
    assert asked_about(WHERE, "inc-1", [running], NOW).repaired_at == running.at
    assert asked_about(WHERE, "inc-1", [done], NOW).repaired_at == NOW
    assert asked_about(WHERE, "inc-1", [asked("diagnose", verified_at=NOW)], NOW).repaired_at is None


def test_what_was_asked_about_another_node_is_not_counted() -> None:
    other = cluster().node("gpu-8").view().nodes["gpu-8"]
    assert asked_about(other, "inc-1", EARLIER, NOW).week == ()


# --- what the driver names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)", RESET),
        ("GPU Recovery Action changed from 0x0 (None) to 0x2 (Node Reboot Required)", REBOOT),
        ("GPU recovery action changed from 0x0 (None) to 0x3 (Drain P2P)", WORKFLOW),
        ("GPU recovery action changed from 0x0 (None) to 0x4 (Drain and Reset)", RESET),
        ("GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)", FirstAction.NONE),
        ("GPU recovery action changed from None to Node Reboot Required", REBOOT),
        ("GPU recovery action changed from 0x0 (None) to 0x2 (GPU Reset Required)", None),  # it contradicts itself
        ("GPU recovery action changed from 0x0 (None) to 0x9 (Replace)", None),
        ("pid=12, name=python3", None),
    ],
)
def test_xid_154_names_its_own_action(text: str, action: FirstAction | None) -> None:
    said = Signal(id="1", source="logs", type="t", time=NOW, body=xid(154, text=text))
    assert named_recovery(said) is action


def test_a_container_names_nothing() -> None:
    text = "GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)"
    body = LogBody(namespace="lab", pod="p", line=text)
    assert named_recovery(Signal(id="1", source="logs", type="t", time=NOW, body=body)) is None
    bad = ConditionBody(node="gpu-7", condition="SysLogsXIDError", status="True", message=text, healthy=False)
    assert named_recovery(Signal(id="1", source="k", type="t", time=NOW, body=bad)) is REBOOT


@pytest.mark.parametrize(
    ("codes", "action"),
    [
        ((48,), RESET),
        ((48, 63), RESET),
        ((48, 63, 45), RESET),
        ((45,), FirstAction.NONE),
        ((43, 45), FirstAction.NONE),
        ((45, 79), REBOOT),
        ((74, 95), RESET),  # one of the two says what to do
        ((145,), WORKFLOW),
        ((154,), FirstAction.UNKNOWN),
        ((154, 95), RESET),
        ((777, 94), FirstAction.UNKNOWN),
        ((63,), FirstAction.NONE),
    ],
)
def test_what_all_the_codes_of_a_gpu_call_for(codes: tuple[int, ...], action: FirstAction) -> None:
    assert called_for(codes) is action


# --- which GPU ------------------------------------------------------------------------------------------------------

SEEN = [
    series("DCGM_FI_DEV_XID_ERRORS", 0, gpu="0", UUID="GPU-a", pci_bus_id="00000000:1B:00.0", Hostname="gpu-7"),
    series("DCGM_FI_DEV_GPU_UTIL", 90, "p", gpu="1", UUID="GPU-b", pci_bus_id="00000000:B3:00.0", hostname="gpu-7"),
    series("DCGM_FI_DEV_GPU_UTIL", 90, gpu="1", UUID="GPU-c", Hostname="gpu-8"),
    series("DCGM_FI_DEV_GPU_UTIL", 90, gpu="2", UUID="GPU-d", Hostname="gpu-7", GPU_I_ID="3"),
]


def test_bus_id_index_and_uuid_name_one_gpu() -> None:
    gpus = gpus_of("gpu-7", SEEN)
    assert [gpu.uuid for gpu in gpus.known] == ["GPU-a", "GPU-b", "GPU-d"]
    for name in ("PCI:0000:b3:00", "0000:B3:00.0", "1", "GPU-b"):
        assert gpus.resolved(name) == "GPU-b"
    assert gpus.resolved("PCI:0000:c1:00") == bus_id("0000:C1:00") == "0:c1:00"
    assert gpus.find("9") is None
    assert [gpu.mig for gpu in gpus.known] == [False, False, True]
    assert gpus.known[1].pods == {("lab", "p")}
