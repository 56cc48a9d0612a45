"""Placement on mixes that the trace does not have: more sharing, more GPUs a pod, named models, more CPU, other sizes.

    python benchmarks/placement_mixes.py --nodes NODES.csv --pods PODS.csv --seeds 42-43

Each mix is drawn from the trace's own pods with other weights, always the same ones. One row a mix: what is allocated
at 100 % of the demand by `fgd`, which is given the mix, and by `watchkeeper`, which is told nothing of it; and where
between 60 and 95 % demand `watchkeeper` does worst beside `fgd`, in points.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import mean

from agent.bench.placement import FULL, play
from agent.bench.trials import Trace
from scheduler_core.gpus import Ask, GpuNode, typical

POLICIES = ("fgd", "watchkeeper")
PODS = 6_000  # of a mix: as many as the trace has, about
DRAWN_BY = 7  # the seed of the mixes; the seeds of the runs are another matter
DEMAND = 1.3
WHOLE = 1_000  # milli-GPU
PARTS = (100, 200, 250, 330, 400, 500, 700, 750, 900)  # milli-GPU, none of them common in the trace

DEMANDS_BEFORE = range(60, 96)  # percent

# Weights of pods that share a GPU, want one, want several, want none.
WEIGHTS = {
    "20 % of the pods share a GPU": (0.20, 0.65, 0.02, 0.13),
    "60 % of the pods share a GPU": (0.60, 0.25, 0.02, 0.13),
    "all GPU pods share one": (0.87, 0.0, 0.0, 0.13),
    "12 % of the pods want several GPUs": (0.36, 0.36, 0.12, 0.16),
    "30 % of the pods want several GPUs": (0.25, 0.30, 0.30, 0.15),
    "50 % of the pods want several GPUs": (0.15, 0.20, 0.50, 0.15),
    "no pod is without a GPU": (0.43, 0.55, 0.02, 0.0),
    "29 % of the pods want no GPU": (0.30, 0.40, 0.01, 0.29),
    "44 % of the pods want no GPU": (0.25, 0.30, 0.01, 0.44),
}
NAMED = {
    "5 % of the GPU pods name models": 0.05,
    "20 % of the GPU pods name models": 0.2,
    "40 % of the GPU pods name models": 0.4,
}
NEEDS = {"pods want half as much CPU": 0.5, "pods want half again as much CPU": 1.5}
HALVES = "parts are quarters and halves"
RESIZED = "parts of other sizes (0.1 to 0.9)"


def mixes(trace: Trace) -> Iterator[tuple[str, list[Ask]]]:
    chance = Random(DRAWN_BY)  # noqa: S311 - a benchmark's dice, not a secret
    for name, weights in WEIGHTS.items():
        yield name, _weighed(trace.pods, weights, chance)
    for name, share in NAMED.items():
        yield name, _naming(trace, share, chance)
    common = _weighed(trace.pods, (0.4, 0.48, 0.0, 0.12), chance)
    yield RESIZED, [replace(pod, gpu_milli=chance.choice(PARTS)) if _shares(pod) else pod for pod in common]
    yield HALVES, [replace(pod, gpu_milli=chance.choice((250, 500))) if _shares(pod) else pod for pod in trace.pods]
    for name, factor in NEEDS.items():
        yield name, [replace(pod, cpu_milli=int(pod.cpu_milli * factor)) for pod in trace.pods]


def _weighed(pods: Sequence[Ask], weights: Sequence[float], chance: Random) -> list[Ask]:
    kinds: tuple[Callable[[Ask], bool], ...] = (
        _shares,
        lambda pod: pod.gpus == 1 and not _shares(pod),
        lambda pod: pod.gpus > 1,
        lambda pod: pod.gpus == 0,
    )
    pools = [[pod for pod in pods if is_kind(pod)] for is_kind in kinds]
    drawn = [
        chance.choice(pool) for pool, weight in zip(pools, weights, strict=True) for _ in range(round(weight * PODS))
    ]
    return [replace(pod, name=f"mixed-{number:05d}") for number, pod in enumerate(drawn)]


def _shares(pod: Ask) -> bool:
    return pod.gpus == 1 and pod.gpu_milli < WHOLE


def _naming(trace: Trace, share: float, chance: Random) -> list[Ask]:
    """Models by how many GPUs there are of them on nodes that are large enough for the pod."""
    return [
        replace(pod, models=_models(trace.nodes, pod, chance)) if pod.gpus and chance.random() < share else pod
        for pod in trace.pods
    ]


def _models(nodes: Sequence[GpuNode], pod: Ask, chance: Random) -> tuple[str, ...]:
    count: Counter[str] = Counter()
    for node in nodes:
        if node.model and node.gpus >= pod.gpus:
            count[node.model] += node.gpus
    names = sorted(count)
    picked = chance.choices(names, [count[name] for name in names], k=chance.choice((1, 1, 2)))
    return tuple(sorted(set(picked)))


def allocated(trace: Trace, pods: list[Ask], policy: str, seeds: Sequence[int]) -> dict[int, float]:
    """Percent of the fleet's GPUs for each percent of demand, the mean over the seeds."""
    mixed = Trace(trace.nodes, sorted(pods, key=lambda pod: pod.name))
    mix = typical(mixed.pods)
    curves = [play(policy, mixed.trial(seed, DEMAND), mix).allocated_percent for seed in seeds]
    return {at: mean(curve[at] for curve in curves) for at in (*DEMANDS_BEFORE, FULL)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=Path, required=True)
    parser.add_argument("--pods", type=Path, required=True)
    parser.add_argument("--seeds", default="42-43", help="the first and the last")
    said = parser.parse_args()
    first, _, last = said.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    trace = Trace.read(said.nodes, said.pods)
    print(f"| mix | {' | '.join(POLICIES)} | least difference before |")
    print("|---|---|---|---|")
    for name, pods in mixes(trace):
        theirs, ours = (allocated(trace, pods, policy, seeds) for policy in POLICIES)
        least = min(ours[at] - theirs[at] for at in DEMANDS_BEFORE)
        print(f"| {name} | {theirs[FULL]:.2f} | {ours[FULL]:.2f} | {least + 0.0:+.2f} |", flush=True)


if __name__ == "__main__":
    main()
