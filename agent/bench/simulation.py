"""The openb trace with its times, run through ways of scheduling: who waits how long, and how full the cluster is.

A node's GPUs are one pool of thousandths here: whether a shared GPU has room as a device is what the placement
benchmark is about. Queues are the trace's classes of service, each with an equal part of the cluster and a common
cohort to borrow from. A pod's walltime is how long it ran, so that backfilling knows what it would know at best.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.bench.measures import Measure, cpu_s, told
from agent.bench.openb import TraceError, rows, whole
from scheduler_core.errors import SchedulerError
from scheduler_core.model import PODS, Gang, Node, NodeTerm, PodSet, Requirement
from scheduler_core.quota import Cohort, Queue, Quota
from scheduler_core.simulation import Arrival, Result, by_name, simulate
from scheduler_core.snapshot import Snapshot

GPU = "nvidia.com/gpu"  # in thousandths
MODEL = "model"
MILLI = 1000
PODS_PER_NODE = 110
HALVINGS = 40  # to a millionth of a second
SERIES_POINTS = 100  # of each order, told in the JSON
ORDERS = ("fifo", "best-effort", "fair", "backfill")
POD_COLUMNS = (
    "name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec", "qos", "creation_time", "deletion_time",
    "scheduled_time",
)  # fmt: skip


def run(
    nodes: Path, pods: Path, *, orders: Sequence[str] = ORDERS, load: float = 1.0, most: int = 2_000, fleet: int = 60
) -> dict[str, Any]:
    """The last pods that came, so close together that they ask for `load` of the GPU time of so many of the nodes."""
    kept = _evenly(read_nodes(nodes), fleet)
    arrivals = read_arrivals(pods)[-most:]
    if not arrivals or not kept:
        raise TraceError(f"{pods if kept else nodes}: it has no rows")
    arrivals, closer = _squeezed(arrivals, sum(node.allocatable[GPU] for node in kept), load)
    measures: list[Measure] = []
    series = {}
    for name in orders:
        snapshot = _snapshot(kept, arrivals)
        took_s, result = cpu_s(lambda name=name, snapshot=snapshot: simulate(snapshot, arrivals, by_name(name)))  # type: ignore[misc]
        measures += _measures(name, result, took_s)
        series[name] = _series(result)
    gpus = sum(node.allocatable[GPU] for node in kept) // MILLI
    notes = [
        f"The last {len(arrivals):,} pods of the trace on {len(kept):,} of its nodes ({gpus:,} GPUs), arrivals "
        f"{closer:,.1f} times as close together as they were: meanwhile they ask for {load:.0%} of the GPU time.",
        "Virtual time; walltimes are exact. A node's GPUs are one pool of thousandths.",
    ]
    return {**told("simulation", measures, [], notes), "series": series}


def read_nodes(path: Path) -> list[Node]:
    found = []
    for line, row in rows(path, ("sn", "cpu_milli", "memory_mib", "gpu", "model")):
        cpu, memory, gpus = (whole(path, line, row, column) for column in ("cpu_milli", "memory_mib", "gpu"))
        try:
            offered = {GPU: gpus * MILLI, "cpu": cpu, "memory": memory, PODS: PODS_PER_NODE}
            found.append(Node(row["sn"], offered, {MODEL: row["model"]}))
        except SchedulerError as error:
            raise TraceError(f"{path}: line {line}: {error}") from error
    return found


def read_arrivals(path: Path) -> list[Arrival]:
    """In the order of their coming, the first at 0. A pod that never ran is left out."""
    found = []
    for line, row in rows(path, POD_COLUMNS):
        if not row["scheduled_time"] or not row["deletion_time"]:
            continue
        found.append((whole(path, line, row, "creation_time"), row["name"], _arrival(path, line, row)))
    found.sort(key=lambda each: each[:2])
    first = found[0][0] if found else 0
    return [_at(arrival, came - first) for came, _, arrival in found]


def _at(arrival: Arrival, at_s: int) -> Arrival:
    return replace(arrival, gang=replace(arrival.gang, created_s=at_s), at_s=at_s)


def _arrival(path: Path, line: int, row: dict[str, str]) -> Arrival:
    columns = ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "scheduled_time", "deletion_time")
    cpu, memory, number, milli, began, ended = (whole(path, line, row, column) for column in columns)
    models = tuple(model for model in row["gpu_spec"].split("|") if model)
    near = (NodeTerm((Requirement(MODEL, "In", models),)),) if models else ()
    requests = {"cpu": cpu, "memory": memory, **({GPU: number * milli} if number else {})}
    runs_s = max(1, ended - began)
    try:
        pod_set = PodSet(count=1, requests=requests, required_node_affinity=near)
        gang = Gang(name=row["name"], queue=row["qos"] or "none", pod_sets=(pod_set,), walltime_s=runs_s)
    except SchedulerError as error:
        raise TraceError(f"{path}: line {line}: {error}") from error
    return Arrival(gang, 0, runs_s, _kind(number, milli))


def _kind(gpus: int, milli: int) -> str:
    if not gpus:
        return "no GPU"
    if gpus == 1:
        return "part of a GPU" if milli < MILLI else "one GPU"
    return "several GPUs"


def _evenly(nodes: Sequence[Node], most: int) -> list[Node]:
    """Over the whole list, so that every model stays."""
    wanted = min(most, len(nodes))
    return [nodes[index * len(nodes) // wanted] for index in range(wanted)]


def _squeezed(arrivals: Sequence[Arrival], have_milli: int, load: float) -> tuple[list[Arrival], float]:
    """So that within the time of the arrivals, on the mean, `load` of the GPUs is asked for: found by halving.

    What runs on after the last arrival does not count: a few pods run for weeks, and would count for all of it.
    """
    asks = [(each.gang.pod_sets[0].requests.get(GPU, 0), each.runs_s) for each in arrivals]
    first, whole_s = arrivals[0].at_s, max(1, arrivals[-1].at_s - arrivals[0].at_s)
    short_s, long_s = 1.0, float(whole_s)
    for _ in range(HALVINGS):
        span_s = (short_s + long_s) / 2
        if sum(milli * min(runs_s, span_s) for milli, runs_s in asks) > load * have_milli * span_s:
            short_s = span_s
        else:
            long_s = span_s
    closer = whole_s / long_s
    return [_at(each, int((each.at_s - first) / closer)) for each in arrivals], closer


def _snapshot(nodes: Sequence[Node], arrivals: Sequence[Arrival]) -> Snapshot:
    names = sorted({str(each.gang.queue) for each in arrivals})
    total = {key: sum(node.allocatable[key] for node in nodes) for key in (GPU, "cpu", "memory")}
    quotas = tuple(Quota(resource=key, nominal=amount // len(names)) for key, amount in total.items())
    queues = [Queue(name=name, cohort="all", quotas=quotas) for name in names]
    return Snapshot(nodes=nodes, cohorts=[Cohort(name="all")], queues=queues)


def _measures(name: str, result: Result, took_s: float) -> list[Measure]:
    found = [
        Measure(f"{name}: GPU time used", 100 * result.utilisation, "%", f"makespan {result.makespan_s:,} s"),
        Measure(f"{name}: fairness", result.fairness, "", "Jain's index over the queues' shares, mean over time"),
        Measure(f"{name}: never started", len(result.starved), "pods", f"simulated in {took_s:.1f} s of CPU time"),
    ]
    for kind, each in result.by_class().items():
        conditions = f"p50 {each.wait_p50_s:,} s, longest {each.wait_most_s:,} s, overtaken {each.overtaken_most} times"
        found.append(Measure(f"{name}: wait p95, {kind}", each.wait_p95_s, "s", conditions))
    return found


def _series(result: Result) -> list[dict[str, Any]]:
    step = max(1, len(result.moments) // SERIES_POINTS)
    return [
        {
            "at_s": each.at_s,
            "gpus_used": each.gpus_used // MILLI,
            "waiting": each.waiting,
            "fairness": each.fairness,
            "largest_share": each.largest_share,
        }
        for each in result.moments[::step]
    ]
