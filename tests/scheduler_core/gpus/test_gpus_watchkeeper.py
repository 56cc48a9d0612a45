"""What `watchkeeper` learns, and what it does with it."""

import itertools

import numpy as np
import pytest
from fleet_language import asks, cpu_only, fleet, fleets, node, share, whole
from hypothesis import given, strategies as st
from scipy.optimize import linprog

from scheduler_core.gpus import (
    MILLI,
    Ask,
    BestFit,
    Fleet,
    GpuNode,
    Placement,
    Placer,
    Watchkeeper,
    cutting,
    watchkeeper,
)
from scheduler_core.gpus.arrivals import LEARN_FIRST, MEMORY_MAX, Arrivals
from scheduler_core.gpus.worth import WorthTable
from tests.tried import tried

sizes = st.sampled_from([110, 160, 230, 250, 320, 333, 370, 470, 500, 550, 650, 700, 810, 990])
counts = st.dictionaries(sizes, st.integers(1, 500), min_size=1, max_size=7)


def all_patterns(parts: list[int]) -> list[tuple[int, ...]]:
    most = [range(MILLI // part + 1) for part in parts]
    return [p for p in itertools.product(*most) if 0 < sum(n * s for n, s in zip(p, parts, strict=True)) <= MILLI]


@tried(60)
@given(counts)
def test_prices_are_those_of_the_linear_program_over_all_patterns(seen: dict[int, int]) -> None:
    parts = sorted(seen)
    patterns = np.array(all_patterns(parts), dtype=float).T
    least = linprog(np.ones(patterns.shape[1]), A_ub=-patterns, b_ub=[-seen[part] for part in parts], method="highs")
    values = cutting.remainder_values(seen)
    assert sum(values[part] * count for part, count in seen.items()) == pytest.approx(least.fun)
    assert np.all(np.diff(values) >= -1e-9)
    assert values[MILLI] == pytest.approx(1)
    for pattern in patterns.T:
        assert sum(n * values[part] for n, part in zip(pattern, parts, strict=True)) <= 1 + 1e-6


def test_more_sizes_than_are_priced_count_as_larger_ones() -> None:
    many = {size: 1 for size in range(10, 1000, 9)}
    fewer = cutting._fewer_sizes(many)
    assert cutting.SIZES_MAX // 2 < len(fewer) <= cutting.SIZES_MAX
    assert sum(fewer.values()) == sum(many.values())
    assert sum(size * n for size, n in fewer.items()) >= sum(many)
    assert cutting.remainder_values(many)[MILLI] == pytest.approx(1)


def test_what_fills_only_gaps_is_free_and_what_leaves_them_is_dear() -> None:
    values = cutting.remainder_values({810: 100, 160: 10})
    assert values[810] == pytest.approx(1)
    assert values[190] == pytest.approx(0)


def test_it_learns_when_the_arrivals_have_doubled_and_forgets_slowly() -> None:
    arrivals = Arrivals()
    learnt = [at for at in range(1, 3 * MEMORY_MAX) if arrivals.saw(share(500 if at < MEMORY_MAX else 250))]
    assert learnt[:3] == [LEARN_FIRST, 2 * LEARN_FIRST, 4 * LEARN_FIRST]
    assert learnt[-1] - learnt[-2] <= MEMORY_MAX // 2
    assert arrivals.counts.total() <= MEMORY_MAX
    assert arrivals.counts[share(250).key[:5]] > 2 * arrivals.counts[share(500).key[:5]]


def test_slices_are_not_what_it_learns_from() -> None:
    arrivals = Arrivals()
    assert not any(arrivals.saw(Ask(1000, mig="1g.5gb")) for _ in range(2 * LEARN_FIRST))


def taught(*pods: tuple[Ask, int]) -> Placer:
    """A fleet of two nodes of two GPUs, empty, after these pods have come and gone."""
    on = fleet(node("a", cpu=64_000), node("b", cpu=64_000))
    placer = Placer(on, Watchkeeper(on))
    for pod, times in pods:
        for _ in range(times):
            placed = placer.place(pod)
            assert placed is not None
            placer.take_away(placed)
    return placer


def test_a_filler_goes_beside_what_nothing_else_fits_beside() -> None:
    placer = taught((share(810), 300), (share(470), 200), (share(160), 12))
    placer.put_back(Placement(share(470), 0, (0,)))
    placer.put_back(Placement(share(810), 1, (0,)))
    assert placer.place(share(160)) == Placement(share(160), 1, (0,))
    assert placer.place(share(470)) == Placement(share(470), 0, (0,))


def test_a_pod_without_gpus_leaves_the_memory_that_free_gpus_will_need() -> None:
    on = fleet(node("gpus", gpus=4, memory=65_536), node("memory", gpus=1, memory=65_536))
    placer = Placer(on, Watchkeeper(on))
    for _ in range(LEARN_FIRST):
        placed = placer.place(whole(1, memory=16_384))
        assert placed is not None
        placer.take_away(placed)
    placer.put_back(Placement(whole(1, memory=16_384), 1, (0,)))
    assert placer.place(cpu_only(memory=49_152)).node == 1


def test_the_rare_large_node_stays_whole_before_anything_is_known() -> None:
    on = fleet(node("large", gpus=8, cpu=128_000), node("small", gpus=1, cpu=8_000))
    assert Placer(on, Watchkeeper(on)).place(share(500)).node == 1


@tried(60)
@given(fleets, st.lists(asks, min_size=1, max_size=12), asks)
def test_a_pod_gains_what_it_takes_less_what_the_worth_of_its_node_falls(
    nodes: list[GpuNode], pods: list[Ask], ask: Ask
) -> None:
    on = Fleet(nodes)
    placer = Placer(on, BestFit())
    for pod in pods:
        placer.place(pod)
    policy = Watchkeeper(on)
    policy._table = table = WorthTable({pod.key[:5]: 3 for pod in [*pods, ask]}, on)

    def worth(row: int) -> float:
        place = table.place(on.model[[row]], on.cpu_left[[row]], on.memory_left[[row]])
        return float(table.each(place, on.left[[row]]).sum() + table.free(place, on.free[[row]])[0])

    for row in on.fitting(ask, np.arange(len(on))).tolist():
        gains = policy._gains(on, ask, np.array([row]))[0]
        enough = [gpu for gpu in range(nodes[row].gpus) if on.left[row, gpu] >= ask.gpu_milli]
        for gpus in [(gpu,) for gpu in enough] if ask.shares else [tuple(enough[: ask.gpus])]:
            before = worth(row)
            placement = Placement(ask, row, gpus)
            on.take(placement)
            expected = ask.demand_milli + worth(row) - before
            on.give_back(placement)
            assert gains[gpus[0] if ask.shares else 0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("order", [("rare", "common"), ("common", "rare")])
def test_of_nodes_that_are_equal_but_for_a_rare_pod_the_common_one_is_used(order: tuple[str, str]) -> None:
    cpus = {"rare": 128_000, "common": 96_000}
    on = fleet(*(node(name, gpus=8, cpu=cpus[name], memory=786_432) for name in order))
    placer = Placer(on, Watchkeeper(on))
    came = [whole(8, cpu=64_000)] * 60 + [whole(1)] * 60 + [whole(8, cpu=120_000)]
    for pod in came * 2:
        placed = placer.place(pod)
        assert placed is not None
        placer.take_away(placed)
    placed = placer.place(whole(8, cpu=64_000))
    assert placed is not None
    assert on.nodes[placed.node].name == "common"


def test_scores_are_whole_steps_and_never_below_zero() -> None:
    scores = watchkeeper._score(np.array([-1e12, -1.0, 0.0, 149.0, 150.0]), 150)
    assert np.diff(scores[1:]).tolist() == [1, 0, 1]
    assert scores.min() >= 0


def worth_by_definition(on: Fleet, counts: dict, row: int) -> float:
    """One kind of pod at a time."""
    kinds = {kind: n for kind, n in counts.items() if 0 < kind[2] <= on.left.shape[1]}
    single = {kind: n for kind, n in kinds.items() if kind[2] == 1}
    parts = {milli: sum(n for k, n in single.items() if k[3] == milli) for _, _, _, milli, _ in single if milli < MILLI}
    values = cutting.remainder_values(parts)

    def company(kind: tuple) -> bool:
        runs = not kind[4] or on.nodes[row].model in kind[4]
        return bool(runs and on.cpu_left[row] >= kind[0] and on.memory_left[row] >= kind[1])

    total = 0.0 if single else float(on.total_left[row])  # of those who want one GPU nothing is known
    for left in on.left[row].tolist():
        small = {kind: n for kind, n in single.items() if kind[3] <= left}
        if small:
            chance = left * sum(small.values()) / sum(single.values())
            w = 0.7 * values[left] * MILLI + 0.3 * chance if parts else left
            part = sum(n for kind, n in small.items() if company(kind)) / sum(small.values())
            total += w * part * sum(single.values()) / sum(kinds.values())
    free = int(on.free[row])
    many = sum(n for kind, n in kinds.items() if 1 < kind[2] <= free and company(kind))
    return total + many * free * MILLI / max(1, sum(kinds.values()))


@tried(80)
@given(fleets, st.lists(asks, max_size=10), st.lists(asks, min_size=1, max_size=10))
def test_the_worth_of_a_node_is_what_the_definition_says(
    nodes: list[GpuNode], pods: list[Ask], came: list[Ask]
) -> None:
    on = Fleet(nodes)
    placer = Placer(on, BestFit())
    for pod in pods:
        placer.place(pod)
    counts = {ask.key[:5]: 1 + at for at, ask in enumerate(came)}
    table, rows = WorthTable(counts, on), np.arange(len(on))
    place = table.place(on.model, on.cpu_left, on.memory_left)
    worth = table.each(place, on.left).sum(axis=1) + table.free(place, on.free)
    for row in rows.tolist():
        assert worth[row] == pytest.approx(worth_by_definition(on, counts, row), abs=1e-6)
