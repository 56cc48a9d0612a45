"""Kueue's own scheduler load in virtual time, driven through the core's admission cycle.

The numbers are those of Kueue's generator (test/performance/scheduler/configs/{baseline,large-scale}/generator.yaml):
workloads of three classes come at fixed intervals to every queue, each holds its quota for its run time. There it runs
against an API server; here between two events stands nothing but the cycles that they cause, so that only the load is
comparable, and the time is not.
"""

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from scheduler_core.desk import Desk
from scheduler_core.kueue_cycle import cycle
from scheduler_core.model import Gang, PodSet
from scheduler_core.quota import Cohort, Policy, PreemptionRules, Queue, Quota
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot

CPU = "cpu"
ARRIVES, ENDS = 1, 0


@dataclass(frozen=True)
class WorkloadClass:
    name: str
    count: int  # a queue
    interval_ms: int
    runs_ms: int
    priority: int
    request: int


@dataclass(frozen=True)
class Load:
    name: str
    cohorts: int
    queues: int  # a cohort
    classes: tuple[WorkloadClass, ...]
    nominal: int = 20
    borrowing_limit: int = 100

    @property
    def workloads(self) -> int:
        return self.cohorts * self.queues * sum(each.count for each in self.classes)


BASELINE = Load(
    "baseline", 5, 6,
    (
        WorkloadClass("small", 350, 100, 200, 50, 1),
        WorkloadClass("medium", 100, 500, 500, 100, 5),
        WorkloadClass("large", 50, 1200, 1000, 200, 20),
    ),
)  # fmt: skip
LARGE = Load(
    "large-scale", 10, 100,
    (
        WorkloadClass("small", 35, 60, 150, 50, 1),
        WorkloadClass("medium", 11, 300, 350, 100, 5),
        WorkloadClass("large", 4, 700, 700, 200, 20),
    ),
)  # fmt: skip


@dataclass
class Ran:
    """What came of a load. Times are virtual, but for `cpu_s`."""

    admitted: int = 0  # again after a preemption counts again
    decisions: int = 0  # gangs weighed, let in or not
    preempted: int = 0
    cycles: int = 0
    finished: int = 0
    ends_ms: int = 0
    cpu_s: float = 0.0
    waits_ms: dict[str, list[int]] = field(default_factory=dict)


def run_load(load: Load) -> Ran:
    """The load is made before the clock starts, and its gangs are no garbage to be looked through while it runs."""
    running = _Running(load)
    gc.collect()
    gc.freeze()
    try:
        begun = time.process_time()
        ran = running.through()
        ran.cpu_s = time.process_time() - begun
    finally:
        gc.unfreeze()
    return ran


def _snapshot(load: Load) -> Snapshot:
    quota = (Quota(resource=CPU, nominal=load.nominal, borrowing_limit=load.borrowing_limit),)
    rules = PreemptionRules(within_queue=Policy.LOWER_PRIORITY, reclaim=Policy.ANY)
    queues = [
        Queue(name=f"cq-{cohort}-{number}", cohort=f"cohort-{cohort}", quotas=quota, preemption=rules)
        for cohort in range(load.cohorts)
        for number in range(load.queues)
    ]
    return Snapshot(cohorts=[Cohort(name=f"cohort-{number}") for number in range(load.cohorts)], queues=queues)


def _arrivals(load: Load, queues: list[str]) -> Iterator[tuple[int, Gang, WorkloadClass]]:
    for each in load.classes:
        pod_sets = (PodSet(count=1, requests={CPU: each.request}),)
        for queue in queues:
            for number in range(each.count):
                at_ms = number * each.interval_ms
                name = f"{queue}-{each.name}-{number}"
                yield (
                    at_ms,
                    Gang(name=name, queue=queue, pod_sets=pod_sets, priority=each.priority, created_s=at_ms),
                    each,
                )


class _Running:
    def __init__(self, load: Load) -> None:
        snapshot = _snapshot(load)
        self._coming = {gang.name: (gang, each, at) for at, gang, each in _arrivals(load, list(snapshot.queues))}
        self._events = [(at, ARRIVES, 0, name) for name, (_, _, at) in self._coming.items()]
        heapify(self._events)
        self._desk = Desk(snapshot, 0, Settings(place=False))
        self._start_of: dict[str, int] = {}  # who was sent back does not end by the end of its earlier start
        self._ran = Ran(waits_ms={each.name: [] for each in load.classes})

    def through(self) -> Ran:
        while self._events:
            now_ms = self._events[0][0]
            while self._events and self._events[0][0] == now_ms:
                self._happen(*heappop(self._events))
            self._cycles(now_ms)
            self._ran.ends_ms = now_ms
        return self._ran

    def _happen(self, at_ms: int, what: int, start: int, name: str) -> None:
        if what == ARRIVES:
            self._desk.arrive(self._coming[name][0], at_ms)
        elif self._start_of.get(name) == start:
            del self._start_of[name]
            self._desk.leave(name, at_ms)
            self._ran.finished += 1

    def _cycles(self, now_ms: int) -> None:
        """Until nothing changes; who was sent back has left when the next one begins."""
        gone: tuple[str, ...] = ()
        while True:
            result = cycle(self._desk, now_ms)
            self._ran.cycles += 1
            self._ran.decisions += result.evaluations
            self._ran.preempted += len(result.preempted)
            for each in result.admitted:
                self._begins(each.gang, now_ms)
            for name in result.preempted:
                self._start_of.pop(name, None)
            gone = self._desk.release(now_ms) if self._desk.leaving else ()
            if not (result.changed or gone):
                return

    def _begins(self, name: str, now_ms: int) -> None:
        _, each, came_ms = self._coming[name]
        self._ran.admitted += 1
        self._start_of[name] = self._ran.admitted
        self._ran.waits_ms[each.name].append(now_ms - came_ms)
        heappush(self._events, (now_ms + each.runs_ms, ENDS, self._ran.admitted, name))
