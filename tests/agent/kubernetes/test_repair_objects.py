"""A site's repair system behind custom resources: asked once for each key, read by conditions, never made up."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from agent.adapters.kubernetes.repairs import KEY, WITHDRAWN, NoRepairs, RepairResources, filled
from agent.adapters.simulated.world import World
from agent.domain.cluster import ObjectRef
from agent.domain.repairing import RepairSettings
from agent.ports import JsonObject, RepairUnavailable

REBOOT = {"apiVersion": "janitor.dgxc.nvidia.com/v1alpha1", "kind": "RebootNode", "spec": {"nodeName": "{node}"}}


@pytest.fixture
def world() -> World:
    return World(1, datetime(2026, 11, 2, 9, tzinfo=UTC), timedelta(seconds=30))


@pytest.fixture
def repairs(world: World) -> RepairResources:
    return RepairResources(world.cluster, RepairSettings.model_validate({"operations": {"reboot": REBOOT}}))


def made(world: World) -> list[JsonObject]:
    return world.cluster.list("janitor.dgxc.nvidia.com/v1alpha1", "RebootNode")


def say(world: World, condition: str) -> None:
    (one,) = made(world)
    ref = ObjectRef(api_version=one["apiVersion"], kind=one["kind"], name=one["metadata"]["name"])
    status = {"status": {"conditions": [{"type": condition, "status": "True"}]}}
    world.cluster.patch(ref, status, subresource="status")


def test_the_same_key_never_asks_twice(world: World, repairs: RepairResources) -> None:
    for _ in range(2):
        repairs.request("gpu-7", "reboot", gpu_uuid=None, key="inc-1/2/0")
    (one,) = made(world)
    assert one["spec"] == {"nodeName": "gpu-7"}
    assert one["metadata"]["annotations"][KEY] == "inc-1/2/0"


@pytest.mark.parametrize(
    ("condition", "state"), [("SignalSent", "pending"), ("NodeReady", "succeeded"), ("Failed", "failed")]
)
def test_what_became_of_it_is_in_its_conditions(
    world: World, repairs: RepairResources, condition: str, state: str
) -> None:
    assert repairs.state("inc-1/2/0") == "unknown"
    repairs.request("gpu-7", "reboot", gpu_uuid=None, key="inc-1/2/0")
    assert repairs.state("inc-1/2/0") == "pending"
    say(world, condition)
    assert repairs.state("inc-1/2/0") == state


def test_a_withdrawn_one_is_marked_and_stays_to_be_seen(world: World, repairs: RepairResources) -> None:
    repairs.request("gpu-7", "reboot", gpu_uuid=None, key="k")
    repairs.withdraw("k")
    repairs.withdraw("another")
    (one,) = made(world)
    assert one["metadata"]["annotations"][WITHDRAWN] == "true"


def test_what_nobody_told_how_to_do_is_not_asked_for(world: World, repairs: RepairResources) -> None:
    with pytest.raises(RepairUnavailable, match="replace"):
        repairs.request("gpu-7", "replace", gpu_uuid=None, key="k")
    with pytest.raises(RepairUnavailable, match="no repair system"):
        NoRepairs().request("gpu-7", "reboot", gpu_uuid=None, key="k")
    assert made(world) == []


def test_a_server_that_is_away_is_no_answer(world: World, repairs: RepairResources) -> None:
    world.inject_fault("apiserver", "down", world.clock.now() + timedelta(hours=1))
    with pytest.raises(RepairUnavailable):
        repairs.state("k")


def test_a_name_that_looks_like_a_place_is_not_filled_in() -> None:
    said = {"node": "{gpu_uuid}", "gpu_uuid": "GPU-1"}
    assert filled({"a": ["{node}", "x-{gpu_uuid}", 3]}, said) == {"a": ["{gpu_uuid}", "x-GPU-1", 3]}


def test_a_repair_that_names_no_node_is_refused() -> None:
    with pytest.raises(ValidationError, match="names no node"):
        RepairSettings.model_validate({"operations": {"reboot": {**REBOOT, "spec": {"force": True}}}})
