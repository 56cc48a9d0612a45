"""One full admission cycle over everything that waits: many shapes, many queues, preemption, three topology levels.

One large cohort lends: half of its queues use nothing of their own, and the other half hold all of it with gangs of low
priority, every one a candidate for being sent back. A tenth of those that wait is of the lending queues and has to send
some back. All others are of cohorts with more quota than there are nodes, so that seats decide; gangs of one shape are
as far apart as they can be.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from agent.bench.measures import cpu_s
from agent.bench.worlds import GPU, GPUS_PER_NODE, LEVELS, NODES_PER_RACK, RACK, node
from scheduler_core.desk import Desk
from scheduler_core.kueue_cycle import Round, cycle
from scheduler_core.model import Gang, PodSet
from scheduler_core.quota import Cohort, Flavor, Policy, PreemptionRules, Queue, Quota
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import Admission, DomainCount
from scheduler_core.topologies import Mode, Topology, TopologyRequest

FLAVOR = "gpu-nodes"
BYTES_PER_GPU, MILLI_CPU_PER_GPU = 64 << 30, 12_000
GANGS = {2: (1, 2, 4, 8), 3: (1, 2, 4, 8), 4: (1, 2, 4, 8), 6: (1, 2, 4), 8: (1, 2, 4), 12: (1, 2), 16: (1, 2),
         24: (1,), 32: (1,), 48: (1,), 64: (1,)}  # fmt: skip  # pods -> GPUs of each
WISHES = (TopologyRequest(mode=Mode.REQUIRED, level=RACK), TopologyRequest(mode=Mode.PREFERRED, level=RACK), None)
OVERBOOKED = 3  # quota of the cohorts in which seats decide, of the GPUs that are left for them


@dataclass(frozen=True)
class Size:
    nodes: int = 2_000
    queues: int = 30
    lending_cohort: int = 12  # queues in it, half of them lending
    cohort: int = 6  # queues in each other one
    waiting: int = 1_000
    needing_preemption: int = 100
    candidates: int = 700
    two_nodes: int = 100  # candidates that hold two nodes; the others hold one

    @property
    def held_nodes(self) -> int:
        return self.candidates + self.two_nodes


@dataclass(frozen=True)
class Shape:
    pods: int
    gpus: int
    wish: TopologyRequest | None

    def pod_sets(self) -> tuple[PodSet, ...]:
        return (PodSet(name="worker", count=self.pods, requests=_asks(self.gpus), topology=self.wish),)


def _asks(gpus: int) -> dict[str, int]:
    return {GPU: gpus, "cpu": gpus * MILLI_CPU_PER_GPU, "memory": gpus * BYTES_PER_GPU}


def shapes() -> list[Shape]:
    return [Shape(pods, gpus, wish) for wish in WISHES for pods, sizes in GANGS.items() for gpus in sizes]


def world(size: Size) -> Snapshot:
    lending_gpus = size.held_nodes * GPUS_PER_NODE
    other_gpus = (size.nodes - size.held_nodes) * GPUS_PER_NODE * OVERBOOKED
    others = size.queues - size.lending_cohort
    queues = [
        _queue(f"lend-{i:02}", "lending", lending_gpus // size.lending_cohort) for i in range(size.lending_cohort)
    ]
    queues += [_queue(f"own-{i:02}", f"cohort-{i // size.cohort}", other_gpus // others) for i in range(others)]
    cohorts = [Cohort(name=name) for name in sorted({str(queue.cohort) for queue in queues})]
    flavor = Flavor(FLAVOR, topology="bench")
    nodes = [node(index) for index in range(size.nodes)]
    snapshot = Snapshot(
        nodes=nodes, topologies=[Topology("bench", LEVELS)], flavors=[flavor], cohorts=cohorts, queues=queues
    )
    for name, gang, admission in _candidates(size):
        snapshot.add_gang(gang)
        snapshot.admit(name, admission)
    for gang in _waiting(size):
        snapshot.add_gang(gang)
    return snapshot


def _queue(name: str, cohort: str, gpus: int) -> Queue:
    quotas = tuple(Quota(resource=key, nominal=amount, flavor=FLAVOR) for key, amount in _asks(gpus).items())
    rules = PreemptionRules(within_queue=Policy.LOWER_PRIORITY, reclaim=Policy.ANY)
    return Queue(name=name, cohort=cohort, quotas=quotas, preemption=rules)


def _candidates(size: Size) -> Iterator[tuple[str, Gang, Admission]]:
    """The borrowing half of the lending cohort; neighbours in time stand on racks that are far apart."""
    borrowing = size.lending_cohort // 2
    free = iter(_scattered(size.held_nodes))
    for index in range(size.candidates):
        gpus = (1, 2, 4, 8)[index % 4]
        nodes = [node(next(free)) for _ in range(2 if index < size.two_nodes else 1)]
        pods = len(nodes) * GPUS_PER_NODE // gpus
        name = f"low-{index:04}"
        gang = Gang(
            name=name, queue=f"lend-{borrowing + index % borrowing:02}", pod_sets=Shape(pods, gpus, None).pod_sets()
        )
        seats = tuple(DomainCount(tuple(each.labels[level] for level in LEVELS), pods // len(nodes)) for each in nodes)
        flavors = {"worker": dict.fromkeys(_asks(gpus), FLAVOR)}
        yield (
            name,
            gang,
            Admission(float(index), {"worker": pods}, flavors, topology={"worker": tuple(sorted(seats, key=str))}),
        )


def _scattered(nodes: int) -> list[int]:
    """Every node once, a rack further each time."""
    return sorted(range(nodes), key=lambda index: (index % NODES_PER_RACK, index))


def _waiting(size: Size) -> Iterator[Gang]:
    kinds = shapes()
    lending, others = size.lending_cohort // 2, size.queues - size.lending_cohort
    for index in range(size.waiting):
        kind = kinds[index % len(kinds)]
        if index < size.needing_preemption:
            queue, priority = f"lend-{index % lending:02}", 100
        else:
            queue, priority = f"own-{index % others:02}", 0
        yield Gang(name=f"wait-{index:04}", queue=queue, priority=priority, created_s=index, pod_sets=kind.pod_sets())


@dataclass(frozen=True)
class FullCycle:
    result: Round
    shapes: int
    desk_cpu_s: float  # reading the cluster into heaps, lists and topology
    cycle_cpu_s: float


def full_cycle(size: Size = Size()) -> FullCycle:
    snapshot = world(size)
    desk_cpu_s, desk = cpu_s(lambda: Desk(snapshot, size.waiting, Settings(place=False, heads=None)))
    cycle_cpu_s, result = cpu_s(lambda: cycle(desk, size.waiting))
    return FullCycle(result, len(shapes()), desk_cpu_s, cycle_cpu_s)
