"""One 512-pod gang through whole cycles: quota, queue and seats, on a cluster that is half full of gangs.

The same question is put to the topology alone in `admission.py`; here the gang comes to a running scheduler, waits in
its queue, is weighed by quota and topology, let in, and leaves again.
"""

from agent.bench.measures import MS_PER_S, Measure, cpu_s, median_cpu_s
from agent.bench.worlds import GPUS_PER_NODE, LEVELS, RACK, node, wants
from scheduler_core.desk import Desk
from scheduler_core.kueue_cycle import cycle
from scheduler_core.model import Gang, PodSet
from scheduler_core.quota import Cohort, Flavor, Policy, PreemptionRules, Queue, Quota
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import Admission, DomainCount
from scheduler_core.topologies import Mode, Topology, TopologyRequest

FLAVOR = "gpu-nodes"
QUEUES = ("train", "other")
HELD_GPUS = 4  # of each node, by one pod
GANG_NODES = 5  # of those that run
GPUS_EACH = 2  # of the gang that is timed: 512 pods take a quarter of the 4,000 GPUs, and half of those that are free
BAR_MS = 50


def measures(nodes: int, pods: int, times: int) -> list[Measure]:
    snapshot = world(nodes)
    read_s, desk = cpu_s(lambda: Desk(snapshot, 0, Settings(place=False)))
    running = len(snapshot.gangs)
    where = f"{pods} pods of {GPUS_EACH} GPUs, {nodes} half-full nodes with {running} gangs, 3 levels, quota, a cohort"
    found = []
    for mode in (Mode.PREFERRED, Mode.UNCONSTRAINED):
        request = TopologyRequest(mode=mode, level=RACK)

        def question(number: int, request: TopologyRequest = request) -> None:
            _through(desk, _gang(f"{request.mode.value}-{number}", pods, request), number)

        value = median_cpu_s(question, times) * MS_PER_S
        conditions = f"{where}; it arrives, is let in, and leaves again"
        found.append(Measure(f"one topology gang, whole cycle ({mode.value})", value, "ms", conditions, at_most=BAR_MS))
    told = "heaps, holders, forest and capacity from the snapshot, once for a run of cycles"
    return [*found, Measure("one topology gang: reading the cluster", read_s * MS_PER_S, "ms", told)]


def _through(desk: Desk, gang: Gang, now_s: int) -> None:
    desk.arrive(gang, now_s)
    result = cycle(desk, now_s)
    if [each.gang for each in result.admitted] != [gang.name]:
        raise RuntimeError(f"gang {gang.name} was to be let in: {result.why}")
    desk.leave(gang.name, now_s)


def world(nodes: int) -> Snapshot:
    total = {key: amount * nodes for key, amount in wants(GPUS_PER_NODE).items()}
    quotas = tuple(Quota(resource=key, nominal=amount // 2, flavor=FLAVOR) for key, amount in total.items())
    rules = PreemptionRules(within_queue=Policy.LOWER_PRIORITY, reclaim=Policy.ANY)
    snapshot = Snapshot(
        nodes=[node(index) for index in range(nodes)],
        topologies=[Topology("bench", LEVELS)],
        flavors=[Flavor(FLAVOR, topology="bench")],
        cohorts=[Cohort(name="all")],
        queues=[Queue(name=name, cohort="all", quotas=quotas, preemption=rules) for name in QUEUES],
    )
    for first in range(0, nodes, GANG_NODES):
        _let_in(snapshot, range(first, min(first + GANG_NODES, nodes)))
    return snapshot


def _let_in(snapshot: Snapshot, indices: range) -> None:
    pod_set = PodSet(name="worker", count=len(indices), requests=wants(HELD_GPUS))
    gang = Gang(name=f"runs-{indices[0]:05}", queue=QUEUES[1], pod_sets=(pod_set,))
    snapshot.add_gang(gang)
    labels = [node(index).labels for index in indices]
    seats = tuple(DomainCount(tuple(each[level] for level in LEVELS), 1) for each in labels)
    flavors = {"worker": dict.fromkeys(wants(HELD_GPUS), FLAVOR)}
    snapshot.admit(gang.name, Admission(0, {"worker": len(indices)}, flavors, topology={"worker": seats}))


def _gang(name: str, pods: int, request: TopologyRequest) -> Gang:
    pod_set = PodSet(name="worker", count=pods, requests=wants(GPUS_EACH), topology=request)
    return Gang(name=name, queue=QUEUES[0], pod_sets=(pod_set,))
