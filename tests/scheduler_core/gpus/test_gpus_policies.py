"""Each policy picks what its definition says; all of them place whatever fits."""

import math
from random import Random

import numpy as np
import pytest
from fleet_language import (
    asks,
    cpu_only,
    fits,
    fleet,
    fleets,
    fragment_milli,
    node,
    share,
    whole,
)
from hypothesis import given, strategies as st

from scheduler_core.errors import Unknown
from scheduler_core.gpus import (
    GPU_POLICIES,
    Ask,
    BestFit,
    Binpack,
    Clustering,
    Fgd,
    Fleet,
    FragmentTable,
    GpuNode,
    GpuPolicy,
    Mix,
    Packing,
    Placement,
    Placer,
    Spread,
    gpu_policy,
    typical,
)
from tests.tried import tried


def policy(name: str, on: Fleet, pods: list[Ask]) -> GpuPolicy:
    return gpu_policy(name, on, typical(pods), Random(1))


@pytest.mark.parametrize("name", GPU_POLICIES)
@tried(60)
@given(nodes=fleets, pods=st.lists(asks, min_size=1, max_size=25))
def test_nothing_is_over_allocated_and_nothing_that_fits_is_refused(
    name: str, nodes: list[GpuNode], pods: list[Ask]
) -> None:
    on = Fleet(nodes)
    placer = Placer(on, policy(name, on, pods))
    placed = []
    for pod in pods:
        room = any(fits(on, pod, row) for row in range(len(on)))
        placement = placer.place(pod)
        assert (placement is not None) == room
        placed += [placement] if placement else []
    for row, each in enumerate(nodes):
        here = [p for p in placed if p.node == row]
        assert sum(p.ask.cpu_milli for p in here) == each.cpu_milli - on.cpu_left[row] <= each.cpu_milli
        assert sum(p.ask.memory_mib for p in here) == each.memory_mib - on.memory_left[row] <= each.memory_mib
        for gpu in range(each.gpus):
            used = sum(p.ask.gpu_milli for p in here if gpu in p.gpus)
            assert used == 1000 - on.left[row, gpu] <= 1000


@pytest.mark.parametrize("name", GPU_POLICIES)
@tried(25)
@given(nodes=fleets, pods=st.lists(asks, min_size=1, max_size=25))
def test_the_same_input_gives_the_same_places(name: str, nodes: list[GpuNode], pods: list[Ask]) -> None:
    def run() -> list[Placement | None]:
        on = Fleet(nodes)
        placer = Placer(on, policy(name, on, pods))
        return [placer.place(pod) for pod in pods]

    assert run() == run()


@pytest.mark.parametrize("name", [name for name in GPU_POLICIES if name not in ("random", "watchkeeper")])
@tried(40)
@given(nodes=fleets, pods=st.lists(asks, min_size=1, max_size=20), chance=st.randoms(use_true_random=False))
def test_remembered_scores_are_those_of_a_fresh_look(name: str, nodes: list[GpuNode], pods: list[Ask], chance) -> None:
    """Also when pods leave in between: a stale score would send a pod elsewhere."""
    on, twin = Fleet(nodes), Fleet(nodes)
    placer = Placer(on, policy(name, on, pods))
    running: list[Placement] = []
    for pod in pods:
        if running and chance.random() < 0.3:
            gone = running.pop(chance.randrange(len(running)))
            placer.take_away(gone)
            twin.give_back(gone)
        fresh = Placer(twin, policy(name, twin, pods)).place(pod)
        assert placer.place(pod) == fresh
        running += [fresh] if fresh else []


@tried(200)
@given(fleets, st.lists(asks, max_size=12), st.lists(asks, min_size=1, max_size=12))
def test_a_fragment_is_what_the_paper_calls_one(nodes: list[GpuNode], pods: list[Ask], kinds: list[Ask]) -> None:
    on, mix = Fleet(nodes), typical(kinds, 100)
    placer = Placer(on, BestFit())
    for pod in pods:
        placer.place(pod)
    useful = FragmentTable(mix, on).useful(on, np.arange(len(on)))
    for row in range(len(on)):
        assert on.total_left[row] - useful[row] == pytest.approx(fragment_milli(on, mix, row), abs=1e-6)


@tried(120)
@given(fleets, st.lists(asks, max_size=12), asks)
def test_fgd_goes_where_fragments_fall_most(nodes: list[GpuNode], pods: list[Ask], ask: Ask) -> None:
    on, mix = Fleet(nodes), typical([*pods, ask], 100)
    fgd = Fgd(mix, on)
    placer = Placer(on, BestFit())
    for pod in pods:
        placer.place(pod)
    best: dict[int, int] = {}
    for row in range(len(on)):
        if not fits(on, ask, row):
            continue
        before = fragment_milli(on, mix, row)
        enough = [gpu for gpu in range(nodes[row].gpus) if on.left[row, gpu] >= ask.gpu_milli]
        choices = [(gpu,) for gpu in enough] if ask.shares else [tuple(enough[: ask.gpus])]
        for gpus in choices:
            placement = Placement(ask, row, gpus)
            on.take(placement)
            fall = before - fragment_milli(on, mix, row)
            on.give_back(placement)
            score = int(100 / (1 + math.exp(-round(fall, 6) / 1000)))
            best[row] = max(best.get(row, -1), score)
    found = Placer(on, fgd).place(ask)
    if not best:
        assert found is None
        return
    assert found is not None
    assert best[found.node] >= max(best.values()) - 1  # a fall on the very edge of a hundredth may round either way


def test_typical_pods_are_the_most_frequent_that_cover_so_much() -> None:
    pods = [share(500)] * 90 + [whole(1)] * 6 + [whole(2)] * 4
    kinds = dict((kind.gpus * kind.gpu_milli, often) for kind, often in typical(pods, 95).shares)
    assert kinds == {500: pytest.approx(90 / 96), 1000: pytest.approx(6 / 96)}


def test_bestfit_takes_the_fullest_node_and_its_tightest_gpu() -> None:
    on = fleet(node("empty", gpus=4), node("fuller", gpus=4))
    on.take(Placement(share(300), 1, (0,)))
    on.take(Placement(share(600), 1, (2,)))
    assert Placer(on, BestFit()).place(share(400)) == Placement(share(400), 1, (2,))


def test_spread_takes_the_emptiest() -> None:
    on = fleet(node("fuller", gpus=4), node("empty", gpus=4))
    on.take(Placement(share(300), 0, (0,)))
    on.take(Placement(share(300), 1, (0,)))
    on.take(Placement(share(300), 0, (1,)))
    assert Placer(on, Spread()).place(share(400)) == Placement(share(400), 1, (1,))


def test_binpack_takes_the_node_with_least_gpu_left_whatever_cpu_it_has() -> None:
    on = fleet(node("less cpu", gpus=4, cpu=8_000), node("less gpu", gpus=4, cpu=128_000))
    on.take(Placement(share(300), 1, (0,)))
    on.take(Placement(share(600), 1, (2,)))
    assert Placer(on, Binpack()).place(share(400)) == Placement(share(400), 1, (2,))
    assert Placer(on, Binpack()).place(whole(3)) == Placement(whole(3), 0, (0, 1, 2))


def test_a_policy_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(Unknown, match="GpuPolicy 'best'") as refused:
        policy("best", fleet(node()), [])
    assert refused.value.field == "name"


@pytest.mark.parametrize("name", GPU_POLICIES)
def test_a_policy_goes_by_the_name_that_it_has(name: str) -> None:
    assert policy(name, fleet(node()), []).name == name


def test_clustering_keeps_pods_of_one_size_together() -> None:
    on = fleet(node("empty", gpus=4), node("pairs", gpus=4), node("shared", gpus=4))
    on.take(Placement(whole(2), 1, (0, 1)))
    on.take(Placement(share(300), 2, (0,)))
    placer = Placer(on, Clustering())
    assert placer.place(whole(2)).node == 1
    assert placer.place(share(100)).node == 2
    assert placer.place(whole(4)).node == 0


def test_packing_takes_shared_gpus_then_free_ones_of_used_nodes_then_free_nodes() -> None:
    on = fleet(node("free", gpus=2), node("used", gpus=2))
    on.take(Placement(share(700), 1, (0,)))
    placer = Placer(on, Packing())
    assert [(p.node, p.gpus) for p in (placer.place(share(300)), placer.place(share(300)))] == [(1, (0,)), (1, (1,))]
    assert placer.place(share(800)).node == 0


def test_a_tie_goes_to_the_first_node_of_the_fleet() -> None:
    assert Placer(fleet(node("z"), node("a")), BestFit()).place(cpu_only()).node == 0


def test_a_mix_of_no_pods_is_no_error() -> None:
    on = fleet(node())
    assert Placer(on, Fgd(Mix(()), on)).place(share(500)) is not None


def test_a_row_that_lags_far_behind_is_made_anew() -> None:
    from scheduler_core.gpus import placer as module

    on = fleet(node("a", cpu=10**9, gpus=1), node("b", cpu=10**9, gpus=1))
    placer = Placer(on, BestFit())
    first = placer.place(share(600))
    for _ in range(module.JOURNAL_MAX + 5):
        placed = placer.place(cpu_only(cpu=1))
        assert placed is not None
        placer.take_away(placed)
    assert first is not None
    assert placer.place(share(600)).node != first.node
