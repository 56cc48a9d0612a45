"""What the admission check writes goes through the gate as every action does."""

from typing import Any

import pytest

from agent.adapters.gated import ClockAstray, Gate, GateClosed, GatedApplier
from agent.ports import JsonObject

WORKLOAD: JsonObject = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Workload", "metadata": {"name": "w"}}


class Applied:
    def __init__(self) -> None:
        self.asked: list[tuple[JsonObject, dict[str, Any]]] = []

    def apply(self, manifest: JsonObject, **how: Any) -> JsonObject:
        self.asked.append((manifest, how))
        return manifest


@pytest.mark.parametrize(
    "gate",
    [
        Gate(held=lambda: False),
        Gate(observing=True),
        Gate(stopping=True),
        Gate(skew_s=lambda: 61.0),
        Gate(skew_s=lambda: -61.0),
    ],
)
def test_nothing_is_applied_by_who_may_not_act(gate: Gate) -> None:
    server = Applied()
    with pytest.raises(GateClosed):
        GatedApplier(server, gate).apply(WORKLOAD, subresource="status", force=True)
    assert server.asked == []


def test_who_may_act_applies_just_what_was_asked() -> None:
    server = Applied()
    GatedApplier(server, Gate()).apply(WORKLOAD, subresource="status", force=True, field_manager="m")
    how = {"subresource": "status", "dry_run": False, "force": True, "field_manager": "m"}
    assert server.asked == [(WORKLOAD, how)]


def test_clocks_that_differ_by_a_little_stop_nobody_and_more_is_said_with_both_sides() -> None:
    Gate(skew_s=lambda: 59.0).check()
    with pytest.raises(ClockAstray, match="601 s behind the API server's"):
        Gate(skew_s=lambda: -601.0).check()
