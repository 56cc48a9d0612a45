"""Node conditions: which are bad, and when one is news."""

from datetime import UTC, datetime

import pytest

from agent.adapters.inbound.conditions import changed_conditions, read_condition, read_node
from agent.adapters.inbound.delivery import Malformed
from agent.domain.cluster import Condition, Node
from agent.domain.signal import ConditionBody

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-02T{text}+00:00")


@pytest.mark.parametrize(
    ("condition", "status", "healthy"),
    [
        ("Ready", "False", False),
        ("Ready", "Unknown", False),
        ("Ready", "True", True),
        ("AcceleratedHardwareReady", "False", False),
        ("AcceleratedHardwareReady", "True", True),
        ("SysLogsXIDError", "True", False),
        ("SysLogsXIDError", "False", True),
        ("GpuMemWatch", "True", False),
        ("GpuThermalMarginWatch", "True", False),
        ("KernelDeadlock", "True", False),
        ("ReadonlyFilesystem", "True", False),
        ("AcceleratedHardwareReady", "Unknown", None),
        ("KernelDeadlock", "Unknown", None),
        ("MemoryPressure", "True", None),
    ],
)
def test_which_status_of_a_condition_is_bad(condition: str, status: str, healthy: bool | None) -> None:
    signals = read_condition({"node": "gpu-3", "condition": condition, "status": status}, NOW)
    assert [s.body.healthy for s in signals if isinstance(s.body, ConditionBody)] == (
        [] if healthy is None else [healthy]
    )


def node(*conditions: tuple[str, str], uid: str = "u") -> Node:
    listed = tuple(Condition(kind, status, since=at("08:00:00")) for kind, status in conditions)
    return Node("gpu-3", uid, {}, {}, 8, False, listed)


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        (None, node(("Ready", "True"), ("SysLogsXIDError", "False")), []),
        (None, node(("Ready", "False")), ["Ready=False"]),
        (node(("Ready", "True")), node(("Ready", "Unknown")), ["Ready=Unknown"]),
        (node(("Ready", "Unknown")), node(("Ready", "True")), ["Ready=True"]),
        (node(("Ready", "False")), node(("Ready", "False")), []),
        (node(("Ready", "True")), node(("Ready", "True"), ("KernelDeadlock", "True")), ["KernelDeadlock=True"]),
        (node(("Ready", "False")), node(("Ready", "False"), uid="another"), ["Ready=False"]),
    ],
)
def test_only_a_change_of_a_condition_is_news(before: Node | None, after: Node, news: list[str]) -> None:
    signals = changed_conditions(before, after, NOW)
    bodies = [s.body for s in signals if isinstance(s.body, ConditionBody)]
    assert [f"{body.condition}={body.status}" for body in bodies] == news


def test_a_malformed_node_is_named() -> None:
    with pytest.raises(Malformed, match=r"^status\.conditions\[0\]\.type: missing$"):
        read_node({"metadata": {"name": "n"}, "status": {"conditions": [{}]}}, NOW)
