"""The openb trace with its times: its nodes, and its pods as gangs of one that come and run.

A node's GPUs are one pool of thousandths here: whether a shared GPU has room as a device is what the placement
benchmark is about. A pod's walltime is how long it ran, so that backfilling knows what it would know at best.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agent.bench.openb import TraceError, rows, whole
from scheduler_core.errors import SchedulerError
from scheduler_core.model import PODS, Gang, Node, NodeTerm, PodSet, Requirement
from scheduler_core.simulation import Arrival

GPU = "nvidia.com/gpu"  # in thousandths
SEVERAL = "several GPUs"
MODEL = "model"
MILLI = 1000
PODS_PER_NODE = 110
HALVINGS = 40  # to a millionth of a second
POD_COLUMNS = (
    "name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec", "qos", "creation_time", "deletion_time",
    "scheduled_time",
)  # fmt: skip


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
    return SEVERAL


def evenly(nodes: Sequence[Node], most: int) -> list[Node]:
    """Over the whole list, so that every model stays."""
    wanted = min(most, len(nodes))
    return [nodes[index * len(nodes) // wanted] for index in range(wanted)]


def squeezed(arrivals: Sequence[Arrival], have_milli: int, load: float) -> tuple[list[Arrival], float]:
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
