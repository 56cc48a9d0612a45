"""`bench placement`: how much of a fleet's GPUs each policy allocates, how fast, and what no policy could surpass."""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import mean, stdev
from typing import Any

from agent.bench import fleetwide
from agent.bench.bound import bound_percent
from agent.bench.measures import machine
from agent.bench.replay import Replay, replay
from agent.bench.trials import Trace, Trial
from scheduler_core.gpus import GPU_POLICIES, Fleet, FragmentTable, Mix, Placer, gpu_policy, typical

TOLD_PERCENT = (20, 40, 60, 80, 90, 95, 100, 110, 120, 130)
FULL = 100  # percent of the GPUs asked for: where the published figures are compared

PUBLISHED = {
    "who": "hkust-adsl/kubernetes-scheduler-simulator 8f3d641, experiments/analysis/expected_results",
    "conditions": "openb default trace, 1,213 nodes, 130 % demand, seeds 42 to 51, a simulated Kubernetes scheduler; "
    "the paper: Weng et al., Beware of Fragmentation, USENIX ATC 2023. It gives no rate to compare ours with",
    "allocated_percent_at_100": {
        "random": 86.30,
        "dotprod": 90.62,
        "clustering": 91.65,
        "packing": 91.78,
        "bestfit": 92.86,
        "fgd": 95.23,
    },
}

Progress = Callable[[str], None]


def run(
    nodes: Path,
    pods: Path,
    *,
    policies: Sequence[str] = tuple(GPU_POLICIES),
    seeds: Sequence[int] = range(42, 52),
    demand: float = 1.3,
    fleetwide_too: bool = False,
    progress: Progress = lambda line: None,
) -> tuple[dict[str, Any], dict[str, dict[int, float]]]:
    """The report, and the curve of each policy for a picture."""
    trace = Trace.read(nodes, pods)
    trials = [trace.trial(seed, demand) for seed in seeds]
    mix = typical(trace.pods)
    report: dict[str, Any] = {}
    curves: dict[str, dict[int, float]] = {}
    for name in policies:
        runs = []
        for trial in trials:
            progress(f"{name}, seed {trial.seed}")
            runs.append(play(name, trial, mix))
        curves[name] = _means([each.allocated_percent for each in runs])
        report[name] = _told(name, runs, curves[name])
    if all(FULL in curve for curve in curves.values()):
        progress("the bound")
        bounds = [bound_percent(trial.asks, trial.capacity_milli, FULL) for trial in trials]
        report["bound_percent"] = {str(FULL): _rounded(mean(bounds))}
        for name in policies:
            report[name]["below_bound"] = {str(FULL): _rounded(mean(bounds) - curves[name][FULL])}
    if fleetwide_too:
        progress("a few moves")
        report["defragment"] = fleetwide.moves(trials, mix)
        progress("larger fleets")
        report["growth"] = fleetwide.growth(trace.nodes, trace.pods, mix)
    report["ran_on"] = {
        "nodes": len(trace.nodes),
        "gpus": sum(node.gpus for node in trace.nodes),
        "pods_listed": len(trace.pods),
        "seeds": list(seeds),
        "demand": demand,
        **machine(),
    }
    report["published"] = PUBLISHED
    return report, curves


def play(name: str, trial: Trial, mix: Mix) -> Replay:
    fleet = Fleet(trial.nodes)
    policy = gpu_policy(name, fleet, mix, Random(trial.seed))  # noqa: S311 - dice again
    return replay(Placer(fleet, policy), trial.asks, FragmentTable(mix, fleet), TOLD_PERCENT)


def _told(name: str, runs: Sequence[Replay], curve: dict[int, float]) -> dict[str, Any]:
    fragments = _means([each.fragment_percent for each in runs])
    at_full = [each.allocated_percent[FULL] for each in runs if FULL in each.allocated_percent]
    placed, cpu_s = sum(len(each.placed) for each in runs), sum(each.cpu_s for each in runs)
    told = {
        "allocated_percent": {str(at): _rounded(curve[at]) for at in TOLD_PERCENT if at in curve},
        "sd": {str(FULL): _rounded(stdev(at_full))} if len(at_full) > 1 else {},
        "fragment_percent": {str(at): _rounded(fragments[at]) for at in TOLD_PERCENT if at in fragments},
        "dropped": _rounded(mean(len(each.dropped) for each in runs)),
        "placements_per_s": round(placed / cpu_s) if cpu_s else 0,
        "seconds": _rounded(cpu_s),
    }
    published = PUBLISHED["allocated_percent_at_100"]
    if isinstance(published, dict) and name in published:
        told["published_percent"] = {str(FULL): published[name]}
    return told


def _means(curves: Sequence[dict[int, float]]) -> dict[int, float]:
    """Where every run has a figure."""
    shared = set.intersection(*(set(curve) for curve in curves)) if curves else set()
    return {at: mean(curve[at] for curve in curves) for at in sorted(shared)}


def _rounded(value: float) -> float:
    return round(value, 3)
