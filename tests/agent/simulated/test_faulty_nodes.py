"""Machines with a will of their own: nodes that flap, and repairs that go otherwise than the others'."""

import json
from typing import Any

import pytest
from test_behaviours import marked
from world_builders import at, node, ref, world

from agent.adapters.simulated.behaviour import BEHAVIOUR, REPAIR
from agent.adapters.simulated.world import World

Json = dict[str, Any]


def ready(made: World, name: str) -> bool:
    said = made.cluster.get(ref("v1", "Node", name, None))["status"]["conditions"]
    return [each["status"] for each in said if each["type"] == "Ready"] == ["True"]


def seen(made: World, name: str, minutes: int) -> list[bool]:
    """Ready at each half minute."""
    found = []
    for half in range(1, minutes * 2 + 1):
        made.advance_to(at(half * 30))
        found.append(ready(made, name))
    return found


def repairing(text: str) -> World:
    return world(marked(node("n1", GpuMemWatch="True"), text, REPAIR), node("n2", GpuMemWatch="True"))


def test_a_flapping_node_comes_and_goes() -> None:
    spells = seen(world(marked(node("n1"), "flaps")), "n1", 12)
    assert spells.count(False) == 6, "twice away for three half minutes"
    assert spells[:7] == [True] * 7


def test_a_repair_that_heals_ends_the_flapping() -> None:
    made = world(marked(node("n1"), "flaps"))
    made.repairs.request("n1", "reboot", gpu_uuid=None, key="k")
    assert all(seen(made, "n1", 30)[12:])
    assert BEHAVIOUR not in (made.object(ref("v1", "Node", "n1", None)) or {})["metadata"]["annotations"]


def test_one_machine_is_repaired_otherwise_than_the_others() -> None:
    made = repairing(json.dumps({"reboot": {"takes": "1m", "outcome": "failed"}}))
    for name in ("n1", "n2"):
        made.repairs.request(name, "reboot", gpu_uuid=None, key=name)
    made.advance_to(at(61))
    assert (made.repairs.state("n1"), made.repairs.state("n2")) == ("failed", "pending")
    made.advance_to(at(301))
    assert made.repairs.state("n2") == "succeeded"


def test_what_its_own_rules_leave_out_goes_as_usual() -> None:
    made = repairing(json.dumps({"reboot": {"outcome": "failed"}}))
    made.repairs.request("n1", "reset_gpu", gpu_uuid=None, key="k")
    made.advance_to(at(301))
    assert made.repairs.state("k") == "succeeded"


def test_a_repair_that_does_not_heal_leaves_its_conditions() -> None:
    made = repairing(json.dumps({"reboot": {"heals": False}}))
    made.repairs.request("n1", "reboot", gpu_uuid=None, key="k")
    made.advance_to(at(301))
    assert made.repairs.state("k") == "succeeded"
    said = made.cluster.get(ref("v1", "Node", "n1", None))["status"]["conditions"]
    assert {"type": "GpuMemWatch", "status": "True"} in [{k: c[k] for k in ("type", "status")} for c in said]


@pytest.mark.parametrize("text", ["reboot", '{"reboot": {"outcome": "perhaps"}}', '{"hammer": {}}'])
def test_rules_that_nobody_understands_name_the_node(text: str) -> None:
    with pytest.raises(ValueError, match=f"Node/n1: metadata.annotations.{REPAIR}"):
        repairing(text)
