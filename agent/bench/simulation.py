"""The openb trace with its times, run through ways of scheduling: who waits how long, and how full the cluster is.

Queues are the trace's classes of service, each with an equal part of the cluster and a common cohort to borrow from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.bench.measures import Measure, cpu_s, told
from agent.bench.openb import TraceError
from agent.bench.trace_times import GPU, MILLI, SEVERAL, evenly, read_arrivals, read_nodes, squeezed
from scheduler_core.backfill_rules import Rules
from scheduler_core.model import Node
from scheduler_core.quota import DEFAULT_FLAVOR, Cohort, Flavor, Policy, PreemptionRules, Queue, Quota
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.simulation import Arrival, Result, by_name, simulate
from scheduler_core.simulation.result import told as told_of
from scheduler_core.snapshot import Snapshot
from scheduler_core.topologies import HOSTNAME, Topology

SERIES_POINTS = 100  # of each order, told in the JSON
FLEET_NODES = 12  # all GPU pods at once asked for 71 whole GPUs at most: on the whole fleet nobody ever waits
HOSTS = "hosts"
STARVED_TIMES = 10  # who runs an hour and waits ten was as good as turned away


@dataclass(frozen=True)
class Way:
    """Of scheduling."""

    order: str  # of `scheduler_core.simulation`
    what: str
    preempts: bool = False  # a queue may take back what others borrowed of its quota
    settings: Settings = DEFAULTS


WAYS: Mapping[str, Way] = {
    "fifo": Way("fifo", "in one line; who does not fit holds up all behind"),
    "best-effort": Way("best-effort", "in one line; who does not fit is passed over"),
    "fair": Way("fair", "the queue goes first that uses least of its own"),
    "backfill": Way("backfill", "best effort with a start held for the first that does not fit (EASY, aging)"),
    "conservative": Way("conservative", "the same with eight that hold a start"),
    "own": Way(
        "cycle", "the core's own cycle: reservations, and queues that reclaim", True, Settings(backfill=Rules())
    ),
    "kueue": Way("queues", "admission cycles as Kueue runs them, a head of each queue at a time"),
    "kueue-preempt": Way("queues", "the same, and queues reclaim what is lent", True),
    "kueue-fair": Way("queues-fair", "the same with fair sharing", True),
}


def row_of(way: str, result: Result, took_s: float) -> dict[str, Any]:
    """One line of the table."""
    everybody = told_of(list(result.lives.values()))
    several = result.by_class().get(SEVERAL, told_of([]))
    return {
        "way": way,
        "used_percent": round(100 * result.utilisation, 2),
        "makespan_s": result.makespan_s,
        "wait_p50_s": everybody.wait_p50_s,
        "wait_p95_s": everybody.wait_p95_s,
        "wait_most_s": everybody.wait_most_s,
        "several_p95_s": several.wait_p95_s,
        "several_most_s": several.wait_most_s,
        "starved": result.waited_over(STARVED_TIMES),
        "never_started": len(result.starved),
        "sent_back": result.preemptions,
        "fairness": round(result.fairness, 3),
        "cpu_s": round(took_s, 1),
    }


def run(
    nodes: Path,
    pods: Path,
    *,
    ways: Sequence[str] = tuple(WAYS),
    load: float | None = None,
    most: int | None = None,
    fleet: int = FLEET_NODES,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """The pods as they came, or so close together that they ask for `load` of the GPU time of so many of the nodes."""
    kept, arrivals = evenly(read_nodes(nodes), fleet), read_arrivals(pods)
    arrivals, impossible = _possible(kept, arrivals if most is None else arrivals[-most:])
    if not arrivals or not kept:
        raise TraceError(f"{pods if kept else nodes}: it has no rows")
    closer = 1.0
    if load is not None:
        arrivals, closer = squeezed(arrivals, sum(node.allocatable[GPU] for node in kept), load)
    measures: list[Measure] = []
    rows, series = [], {}
    for name in ways:
        tell(f"simulation: {name}")
        way, snapshot = WAYS[name], _snapshot(kept, arrivals, WAYS[name].preempts)
        took_s, result = cpu_s(_simulation(snapshot, arrivals, way))
        measures += _measures(name, result, took_s)
        rows.append(row_of(name, result, took_s))
        series[name] = _series(result)
    gpus = sum(node.allocatable[GPU] for node in kept) // MILLI
    pace = "as they came" if load is None else f"{closer:,.1f} times as close together as they came"
    asked = "" if load is None else f", so that meanwhile they ask for {load:.0%} of the GPU time"
    part = "All pods" if most is None else f"The last {len(arrivals):,} pods"
    notes = [
        f"{part} of the trace that ran ({len(arrivals):,}) on {len(kept):,} of its nodes ({gpus:,} GPUs), {pace}"
        f"{asked}. Virtual time; walltimes are exact. A node's GPUs are one pool of thousandths.",
        "Queues are the trace's classes of service, each with an equal part of all, in one cohort. "
        f"{impossible} pods that no node of these could hold are left out. Starved: waited "
        f"more than {STARVED_TIMES} times as long as it ran.",
    ]
    return {**told("simulation", measures, [], notes), "table": rows, "series": series}


def _possible(nodes: Sequence[Node], arrivals: Sequence[Arrival]) -> tuple[list[Arrival], int]:
    """One that fits on no empty node would hold up a first-come line for ever, which tells nothing of the line."""
    space = Snapshot(nodes=nodes).capacity.space()
    found = [each for each in arrivals if space.pods(each.gang.pod_sets[0].shape()).any()]
    return found, len(arrivals) - len(found)


def _simulation(snapshot: Snapshot, arrivals: Sequence[Arrival], way: Way) -> Callable[[], Result]:
    return lambda: simulate(snapshot, arrivals, by_name(way.order), settings=way.settings)


def _snapshot(nodes: Sequence[Node], arrivals: Sequence[Arrival], preempts: bool) -> Snapshot:
    names = sorted({str(each.gang.queue) for each in arrivals})
    total = {key: sum(node.allocatable[key] for node in nodes) for key in (GPU, "cpu", "memory")}
    quotas = tuple(Quota(resource=key, nominal=amount // len(names)) for key, amount in total.items())
    rules = PreemptionRules(reclaim=Policy.ANY) if preempts else PreemptionRules()
    queues = [Queue(name=name, cohort="all", quotas=quotas, preemption=rules) for name in names]
    named = [replace(node, labels={**node.labels, HOSTNAME: node.name}) for node in nodes]
    return Snapshot(
        nodes=named,
        topologies=[
            Topology(HOSTS, (HOSTNAME,))
        ],  # so that Kueue's cycles, which know no nodes, see where there is room
        flavors=[Flavor(DEFAULT_FLAVOR, topology=HOSTS)],
        cohorts=[Cohort(name="all")],
        queues=queues,
    )


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
