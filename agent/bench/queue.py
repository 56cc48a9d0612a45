"""Queues under load: Kueue's own load in virtual time, and one cycle over a thousand waiting gangs."""

from typing import Any

from agent.bench.cycle_load import FullCycle, Size, full_cycle
from agent.bench.kueue_load import BASELINE, LARGE, Load, Ran, run_load
from agent.bench.measures import Measure, Peer, told

PEERS = [
    Peer(
        "Kueue",
        "its baseline load, 15,000 workloads",
        "351 s, the mean of 5 runs",
        "wall time in its CI with an API server; workloads run 0.2 to 1 s of real time, quota is 56 % used",
        "kubernetes-sigs/kueue test/performance/scheduler/configs/baseline/rangespec.yaml at ff69552",
    ),
    Peer(
        "Kueue",
        "its large-scale load, 50,000 workloads",
        "1,179 s, the mean of 19 runs",
        "wall time in its CI with an API server; quota is 39 % used",
        "kubernetes-sigs/kueue test/performance/scheduler/configs/large-scale/rangespec.yaml at ff69552",
    ),
    Peer(
        "Kueue",
        "a scheduling cycle with topology and preemption",
        "40 s",
        "a report from use, 2026-07-17: about 2,000 nodes, 700 workloads to preempt, many simulated "
        "preemptions; before the fixes that it asks for",
        "kubernetes-sigs/kueue issue 13148",
    ),
]


def run(*, small: Load = BASELINE, large: Load = LARGE, size: Size | None = None) -> dict[str, Any]:
    size = size or Size()
    cycle = full_cycle(size)
    measures = [*_load(small), *_load(large), *_cycle(cycle, size)]
    notes = [
        "A decision is one gang of a cycle's heads weighed whole at one size, by flavors, quota, seats and whom it "
        "would send back, and let in or not. Gangs that are parked along with one like it are not counted, and nothing "
        "is answered from a cache.",
        "Ours is CPU time of cycles in memory, without an API server; Kueue's figures contain one.",
        f"The cycle: {_told(cycle)}.",
    ]
    return told("queue", measures, PEERS, notes)


def _load(load: Load) -> list[Measure]:
    ran = run_load(load)
    conditions = (
        f"{load.cohorts * load.queues:,} ClusterQueues, {load.workloads:,} workloads, {ran.decisions:,} decisions, "
        f"{ran.admitted:,} admissions, {ran.preempted:,} preemptions in {ran.cycles:,} cycles"
    )
    return [
        Measure(f"{load.name}: decisions", ran.decisions / ran.cpu_s, "/s", conditions, at_least=10_000),
        Measure(f"{load.name}: admissions", ran.admitted / ran.cpu_s, "/s", "of the same run"),
        Measure(f"{load.name}: whole run", ran.cpu_s, "s", f"for {ran.ends_ms / 1000:,.0f} s of virtual time"),
        Measure(f"{load.name}: quota used", _used_percent(load, ran), "%", "nominal, until the last workload ended"),
    ]


def _used_percent(load: Load, ran: Ran) -> float:
    wanted = sum(each.count * each.request * each.runs_ms for each in load.classes) * load.cohorts * load.queues
    return 100 * wanted / (load.cohorts * load.queues * load.nominal * ran.ends_ms)


def _cycle(ran: FullCycle, size: Size) -> list[Measure]:
    conditions = (
        f"{size.waiting:,} gangs of {ran.shapes} shapes in {size.queues} ClusterQueues, {size.needing_preemption} need "
        f"preemption among {size.candidates} candidates, {size.nodes:,} nodes, 3 levels"
    )
    return [
        Measure("full cycle", ran.cycle_cpu_s, "s", conditions, at_most=1),
        Measure("full cycle: full evaluations", ran.result.evaluations, "gangs weighed", "none answered from a cache"),
        Measure("full cycle: reading it", ran.desk_cpu_s, "s", "heaps, holders and topology from the snapshot, before"),
    ]


def _told(ran: FullCycle) -> str:
    result = ran.result
    waits_for = len({gang for _, gang in result.preempted.values()})
    return (
        f"{len(result.admitted)} let in, {len(result.preempted)} sent back for {waits_for}, "
        f"{len(result.parked)} found neither quota nor seats"
    )
