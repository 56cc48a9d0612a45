"""GPU-hours lost, by cause: what is held and not used, what is free though wanted, what a stop throws away."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.kubernetes.views import ClusterViews
from agent.adapters.simulated.world import World
from agent.domain.cluster import ClusterView, GangState, ObjectRef
from agent.ports import Series
from agent.scenarios.losing import Cause, Sight, lost_gpus
from agent.scenarios.losses import LossMeter, Tally, idle_pods, sick_nodes
from tests.stories.telling import Cluster, cluster

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


def world_of(told: Cluster) -> World:
    world = World(7, NOW, timedelta(seconds=15), {})
    world.begin_at(NOW)
    world.load(told.manifests)
    return world


def seen(told: Cluster) -> ClusterView:
    world = world_of(told)
    return ClusterViews(world.cluster, world.clock).take()


def lab() -> Cluster:
    return cluster().nodes(*(f"gpu-{i}" for i in range(1, 7))).queue("research", 48)


def gauge(value: float, **labels: str) -> Series:
    return Series(labels=labels, points=((NOW, value),))


def lost(view: ClusterView, **more: frozenset[Any]) -> dict[str, int]:
    return {str(cause): gpus for cause, gpus in lost_gpus(Sight(view, **more)).items()}


def test_a_cluster_at_work_loses_nothing_and_free_gpus_are_not_lost() -> None:
    view = seen(lab().gang("llama", 2, "research", ["gpu-1", "gpu-2"]))
    assert lost(view) == {}
    assert lost(view, sick=frozenset({"gpu-5"})) == {}


def test_a_gang_with_a_pod_on_a_sick_node_stands_still_as_a_whole() -> None:
    view = seen(lab().gang("llama", 2, "research", ["gpu-1", "gpu-2"]))
    assert lost(view, sick=frozenset({"gpu-2"})) == {"fault": 16}


def test_a_gang_stands_still_with_one_that_hangs() -> None:
    view = seen(lab().gang("llama", 2, "research", ["gpu-1", "gpu-2"]))
    assert lost(view, hung=frozenset({("research", "llama-1")})) == {"hung": 16}


def test_a_stuck_gang_holds_its_gpus_for_nothing() -> None:
    assert lost(seen(lab().stuck_gang("asr", 4, ["gpu-1", "gpu-2"]))) == {"stuck": 16}


def test_an_idle_notebook_counts_once_even_on_a_sick_node() -> None:
    view = seen(lab().notebook("anna", "gpu-1", gpus=2))
    idle = frozenset({("vision", "anna-0")})
    assert lost(view, idle=idle) == {"idle": 2}
    assert lost(view, idle=idle, sick=frozenset({"gpu-1"})) == {"fault": 2}


def test_free_gpus_are_lost_as_far_as_somebody_who_fits_waits() -> None:
    view = seen(lab().gang("llama", 2, "research", ["gpu-1", "gpu-2"]))
    ref, gang = next(iter(view.gangs.items()))
    waits = replace(gang, ref=ref.model_copy(update={"name": "next"}), state=GangState.QUEUED, running=(), minimum=3)
    queued = replace(view, gangs={**view.gangs, waits.ref: waits})
    assert lost(queued) == {"waiting": 24}
    assert lost(queued, sick=frozenset({"gpu-5", "gpu-6"})) == {"closed": 24}
    larger = replace(waits, minimum=5)
    assert lost(replace(view, gangs={**view.gangs, larger.ref: larger})) == {}


def test_a_pod_is_idle_when_all_its_gauges_are_and_a_node_sick_by_some_codes_alone() -> None:
    both = [gauge(0, namespace="a", pod="p", gpu="0"), gauge(40, namespace="a", pod="p", gpu="1")]
    still = gauge(0, namespace="a", pod="q")
    assert idle_pods([*both, still, gauge(0, gpu="7")]) == {("a", "q")}
    assert idle_pods([still], [gauge(0.3, namespace="a", pod="q")]) == frozenset()
    assert sick_nodes([gauge(79, Hostname="x"), gauge(31, Hostname="y"), gauge(0, Hostname="z")]) == {"x"}


def test_the_meter_adds_up_over_time(tmp_path: Path) -> None:
    world = world_of(lab().stuck_gang("asr", 4, ["gpu-1", "gpu-2"]))
    meter = LossMeter()
    for minute in range(31):
        world.advance_to(NOW + timedelta(minutes=minute))
        meter.look(world)
    assert meter.tally.total == pytest.approx(8.0)
    assert meter.tally.hours[Cause.STUCK] == pytest.approx(8.0)
    assert meter.tally.waits_s == (1800.0,)


def test_a_stopped_gang_loses_the_work_that_it_had_not_saved() -> None:
    told = lab().gang("llama", 2, "research", ["gpu-1", "gpu-2"])
    world = world_of(told)
    meter = LossMeter()
    for minute in range(11):
        world.advance_to(NOW + timedelta(minutes=minute))
        meter.look(world)
    for pod in [each for each in world.objects() if each["kind"] == "Pod"]:
        world.delete(ObjectRef(api_version="v1", kind="Pod", namespace="research", name=pod["metadata"]["name"]))
    world.advance_to(NOW + timedelta(minutes=12))
    meter.look(world)
    assert meter.tally.hours[Cause.THROWN_AWAY] == pytest.approx(16 * 12 / 60, abs=0.5)


def test_how_long_the_gangs_waited() -> None:
    tally = Tally({Cause.IDLE: 2.5, Cause.STUCK: 1.0}, tuple(float(n) for n in range(1, 101)))
    assert (tally.total, tally.mean_wait_s, tally.p95_wait_s) == (3.5, 50.5, 95.0)
    assert (Tally().mean_wait_s, Tally().p95_wait_s) == (0.0, 0.0)
