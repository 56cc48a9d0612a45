"""GPU-hours lost: held for nothing, standing still, or on a node with a GPU off the bus."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.adapters.kubernetes.views import ClusterViews
from agent.adapters.simulated.world import World
from agent.domain.cluster import ClusterView
from agent.ports import Series
from agent.scenarios.losses import LossMeter, idle_pods, lost_gpus, sick_nodes
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


def test_a_cluster_at_work_loses_nothing_and_free_gpus_are_not_lost() -> None:
    assert lost_gpus(seen(lab().gang("llama", 2, "research", ["gpu-1", "gpu-2"])), frozenset(), frozenset()) == 0


def test_a_gang_with_a_pod_on_a_sick_node_stands_still_as_a_whole() -> None:
    view = seen(lab().gang("llama", 2, "research", ["gpu-1", "gpu-2"]))
    assert lost_gpus(view, frozenset(), frozenset({"gpu-2"})) == 16
    assert lost_gpus(view, frozenset(), frozenset({"gpu-5"})) == 8


def test_a_stuck_gang_holds_its_gpus_for_nothing() -> None:
    assert lost_gpus(seen(lab().stuck_gang("asr", 4, ["gpu-1", "gpu-2"])), frozenset(), frozenset()) == 16


def test_an_idle_notebook_counts_once_even_on_a_sick_node() -> None:
    view = seen(lab().notebook("anna", "gpu-1", gpus=2))
    idle = frozenset({("vision", "anna-0")})
    assert lost_gpus(view, idle, frozenset()) == 2
    assert lost_gpus(view, idle, frozenset({"gpu-1"})) == 8


def test_a_pod_is_idle_when_all_its_gpus_are_and_a_node_sick_by_79_alone() -> None:
    both = [gauge(0, namespace="a", pod="p", gpu="0"), gauge(40, namespace="a", pod="p", gpu="1")]
    assert idle_pods([*both, gauge(0, namespace="a", pod="q"), gauge(0, gpu="7")]) == {("a", "q")}
    assert sick_nodes([gauge(79, Hostname="x"), gauge(31, Hostname="y"), gauge(0, Hostname="z")]) == {"x"}


def test_the_meter_adds_up_over_time(tmp_path: Path) -> None:
    world = world_of(lab().stuck_gang("asr", 4, ["gpu-1", "gpu-2"]))
    meter = LossMeter()
    for minute in range(31):
        world.advance_to(NOW + timedelta(minutes=minute))
        meter.look(world)
    assert meter.gpu_hours == pytest.approx(8.0)
