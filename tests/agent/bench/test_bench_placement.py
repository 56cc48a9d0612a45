"""The protocol on a small trace of our own, its report, its bound, and files that are no trace."""

import itertools
import json
from pathlib import Path
from random import Random

import pytest

from agent.bench.bound import bound_percent
from agent.bench.openb import TraceError, arrivals, read_nodes, read_pods
from agent.bench.placement import run
from agent.bench.replay import replay
from scheduler_core.gpus import GPU_POLICIES, Ask, BestFit, Fleet, GpuNode, Placer

NODE_HEAD, POD_HEAD = "sn,cpu_milli,memory_mib,gpu,model", "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos"


def written(file: Path, head: str, *rows: str) -> Path:
    file.write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    rows = [f"n-{i:02d},64000,262144,{2 if i % 3 else 4},{'T4' if i % 3 else 'A100'}" for i in range(12)]
    return written(tmp_path / "nodes.csv", NODE_HEAD, *rows)


@pytest.fixture
def pods(tmp_path: Path) -> Path:
    kinds = [
        "4000,8192,1,1000,",
        "3000,4096,1,810,",
        "2000,4096,1,470,T4",
        "1000,0,1,160,",
        "0,4096,0,0,",
        "8000,0,2,1000,",
    ]
    rows = [f"p-{i:03d},{kinds[i % len(kinds)]},LS" for i in range(60)]
    return written(tmp_path / "pods.csv", POD_HEAD, *rows)


def test_the_report_has_every_policy_and_the_bound_holds(nodes: Path, pods: Path) -> None:
    report, curves = run(nodes, pods, seeds=[1, 2])
    assert set(curves) == set(GPU_POLICIES)
    for name in GPU_POLICIES:
        told = report[name]
        assert {"60", "80", "100", "130"} <= set(told["allocated_percent"])
        assert told["allocated_percent"]["100"] <= report["bound_percent"]["100"]
        assert {"sd", "fragment_percent", "placements_per_s", "seconds"} <= set(told)
    json.dumps(report)


def test_the_same_seed_gives_the_same_figures(nodes: Path, pods: Path) -> None:
    one, other = (run(nodes, pods, policies=["random", "watchkeeper"], seeds=[7])[1] for _ in range(2))
    assert one == other
    assert one != run(nodes, pods, policies=["random", "watchkeeper"], seeds=[8])[1]


def test_arrivals_are_the_whole_list_shuffled_and_then_drawn_from_it(pods: Path) -> None:
    listed = read_pods(pods)
    demand = sum(ask.demand_milli for ask in listed)
    came = arrivals(listed, demand, 1.5, Random(3))
    assert sorted(ask.name for ask in came[: len(listed)]) == [ask.name for ask in listed]
    assert came[: len(listed)] != listed
    assert {ask.name for ask in came[len(listed) :]} <= {ask.name for ask in listed}
    assert 1.5 * demand - 2000 < sum(ask.demand_milli for ask in came) <= 1.5 * demand
    assert len(arrivals(listed, demand, 0.5, Random(3))) < len(listed)


def test_a_pod_that_asks_for_no_cpu_gets_a_little(pods: Path) -> None:
    assert min(ask.cpu_milli for ask in read_pods(pods)) == 100


def test_what_is_allocated_counts_for_the_demand_that_has_come() -> None:
    fleet = Fleet([GpuNode("n", 100_000, 0, 1, "A")])
    asks = [Ask(1, 0, 1, 600), Ask(1, 0, 1, 600), Ask(1, 0, 1, 400)]
    result = replay(Placer(fleet, BestFit()), asks)
    curve = result.allocated_percent
    assert [curve[at] for at in (0, 59, 60, 119, 120, 159, 160)] == [0, 0, 60, 60, 60, 60, 100]
    assert [ask.gpu_milli for ask in result.dropped] == [600]


def best_by_trying(asks: list[Ask], gpus: int) -> int:
    """The most that any placement of single GPUs allocates, if it never turns down what fits."""

    def after(left: tuple[int, ...], rest: tuple[int, ...]) -> int:
        if not rest:
            return gpus * 1000 - sum(left)
        room = {milli for milli in left if milli >= rest[0]}
        if not room:
            return after(left, rest[1:])
        options = []
        for milli in room:
            at = left.index(milli)
            options.append(after(tuple(sorted((*left[:at], milli - rest[0], *left[at + 1 :]))), rest[1:]))
        return max(options)

    return after((1000,) * gpus, tuple(ask.gpu_milli for ask in asks))


@pytest.mark.parametrize("seed", range(25))
def test_no_way_of_placing_passes_the_bound(seed: int) -> None:
    chance = Random(seed)
    gpus = 3
    asks, wanted = [], 0
    while wanted < gpus * 1000:
        asks.append(Ask(1, 0, 1, chance.choice([160, 320, 470, 650, 810, 1000])))
        wanted += asks[-1].gpu_milli
    end = [a for a, so_far in zip(asks, itertools.accumulate(a.gpu_milli for a in asks), strict=True) if so_far <= 3015]
    assert bound_percent(asks, gpus * 1000) >= best_by_trying(end, gpus) / gpus / 10 - 1e-6


def test_the_bound_knows_that_what_fits_nowhere_beside_costs_a_whole_gpu() -> None:
    asks = [Ask(1, 0, 1, 800)] * 13
    assert bound_percent(asks, 10_000) == pytest.approx(80, abs=1)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("p,1000,0,2,500,,LS", "line 2: gpu_milli"),
        ("p,-1,0,0,0,,LS", "line 2: cpu_milli"),
        ("p,1000,0,1,1.5,,LS", "line 2: gpu_milli: '1.5'"),
        ("p,1000,0,one,1000,,LS", "line 2: num_gpu: 'one'"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_column(tmp_path: Path, row: str, said: str) -> None:
    file = written(tmp_path / "bad.csv", POD_HEAD, row)
    with pytest.raises(TraceError, match=f"bad.csv: {said}"):
        read_pods(file)


def test_a_file_that_is_no_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no column cpu_milli"):
        read_nodes(written(tmp_path / "other.csv", "sn,model", "n,T4"))
    with pytest.raises(TraceError, match="cannot be read"):
        read_nodes(tmp_path / "none.csv")
