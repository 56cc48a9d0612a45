"""Two questions to a whole fleet beside the protocol: what a few moves win, and what a placement costs as it grows."""

from dataclasses import replace
from itertools import cycle, islice
from random import Random
from statistics import mean
from typing import Any

from agent.bench.openb import arrivals
from agent.bench.replay import replay
from agent.bench.trials import Trial
from scheduler_core.gpus import (
    Ask,
    Fleet,
    GpuNode,
    Mix,
    Placer,
    Running,
    Watchkeeper,
    carry_out,
    defragment,
    gpu_policy,
)

PERCENT = 100
MOVED_FROM = ("bestfit", "fgd")
SIZES = (1_000, 10_000)  # nodes
TIMED = ("bestfit", "fgd", "watchkeeper")
FILLED = 0.6  # 50,000 pods on 10,000 nodes: long enough to be steady, short enough to wait for
SEED = 42
US_PER_S = 1_000_000


def moves(trials: list[Trial], mix: Mix) -> dict[str, Any]:
    """From what a policy has made of a demand of 100 %: at most 100 moves, any pod may be moved."""
    told: dict[str, Any] = {}
    for name in MOVED_FROM:
        runs = [_moved(name, trial, mix) for trial in trials]
        told[name] = {
            "moves": [moved for moved, _, _ in runs],
            "points_won": [round(after - before, 3) for _, before, after in runs],
            "allocated_percent": {
                "before": round(mean(before for _, before, _ in runs), 3),
                "after": round(mean(after for _, _, after in runs), 3),
            },
        }
    return told


def _moved(name: str, trial: Trial, mix: Mix) -> tuple[int, float, float]:
    fleet = Fleet(trial.nodes)
    policy = gpu_policy(name, fleet, mix, Random(trial.seed))  # noqa: S311 - a benchmark's dice
    came = _until_full(trial.asks, fleet.capacity_milli)
    filled = replay(Placer(fleet, policy), came)
    before = fleet.allocated_milli
    mover = Watchkeeper(fleet)
    for ask in came:
        mover.saw(ask)
    placer = Placer(fleet, mover)
    plan = defragment(placer, [Running(each) for each in filled.placed], filled.dropped)
    carry_out(placer, plan)
    share = PERCENT / fleet.capacity_milli
    return plan.moves, before * share, fleet.allocated_milli * share


def _until_full(asks: list[Ask], capacity_milli: int) -> list[Ask]:
    came, wanted = [], 0
    for ask in asks:
        wanted += ask.demand_milli
        if wanted > capacity_milli:
            break
        came.append(ask)
    return came


def growth(nodes: list[GpuNode], pods: list[Ask], mix: Mix) -> dict[str, Any]:
    """CPU time per placement on fleets of several sizes, made of the same nodes over and over."""
    told: dict[str, Any] = {}
    for name in TIMED:
        costs = [_cost_us(name, size, nodes, pods, mix) for size in SIZES]
        told[name] = {
            "us_per_placement": {str(size): round(cost, 1) for size, cost in zip(SIZES, costs, strict=True)},
            "times": round(costs[-1] / costs[0], 2),
        }
    return told


def _cost_us(name: str, size: int, nodes: list[GpuNode], pods: list[Ask], mix: Mix) -> float:
    chance = Random(SEED)  # noqa: S311 - a benchmark's dice
    order = list(nodes)
    chance.shuffle(order)
    fleet = Fleet([replace(node, name=f"{node.name}-{i}") for i, node in enumerate(islice(cycle(order), size))])
    asks = arrivals(pods, fleet.capacity_milli, FILLED, chance)
    run = replay(Placer(fleet, gpu_policy(name, fleet, mix, chance)), asks)
    return run.cpu_s * US_PER_S / max(1, len(asks))
