"""What was asked for against what the server says it wrote: what differs is named, and spelling is no difference."""

from typing import Any

import pytest

from agent.actions.kept import check_kept
from agent.ports import Altered

TAINT = {"key": "watchkeeper.dev/reserved", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ({"spec": {"unschedulable": True}}, {"spec": {"unschedulable": True, "podCIDR": "10.0.0.0/24"}}),
        ({"spec": {"unschedulable": False}}, {"spec": {}}),
        ({"spec": {"replicas": 0}}, {}),
        ({"spec": {"stopPolicy": None}}, {"spec": {"stopPolicy": "None"}}),
        ({"metadata": {"uid": "a", "resourceVersion": "1"}}, {"metadata": {"uid": "a", "resourceVersion": "2"}}),
        ({"spec": {"quota": 24}}, {"spec": {"quota": "24"}}),
        ({"spec": {"quota": "1000m"}}, {"spec": {"quota": "1"}}),
        ({"spec": {"taints": [TAINT]}}, {"spec": {"taints": [{"key": "other"}, TAINT]}}),
        ({"spec": {"taints": [TAINT]}}, {"spec": {"taints": [{**TAINT, "value": ""}]}}),
    ],
)
def test_what_was_kept(asked: dict[str, Any], answered: dict[str, Any]) -> None:
    check_kept(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered", "said"),
    [
        ({"spec": {"unschedulable": True}}, {"spec": {}}, "spec.unschedulable is nothing, not True"),
        ({"spec": {"unschedulable": True}}, {"spec": None}, "spec.unschedulable is nothing, not True"),
        ({"spec": {"replicas": 0}}, {"spec": {"replicas": 1}}, "spec.replicas is 1, not 0"),
        ({"spec": {"active": False}}, {"spec": {"active": True}}, "spec.active is True, not False"),
        ({"spec": {"taints": [TAINT]}}, {"spec": {"taints": [{"key": "other"}, {"key": "more"}]}}, "taints lacks"),
        ({"spec": {"taints": [TAINT]}}, {"spec": {}}, "taints is nothing"),
        ({"metadata": {"annotations": {"a": "1"}}}, {"metadata": {}}, "metadata.annotations.a is nothing, not '1'"),
        ({f"f{n}": 1 for n in range(5)}, {}, "and 2 more"),
    ],
)
def test_what_was_not(asked: dict[str, Any], answered: dict[str, Any], said: str) -> None:
    with pytest.raises(Altered) as altered:
        check_kept(asked, answered)
    assert said in str(altered.value)
