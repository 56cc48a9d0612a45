"""One gang at a time: how long a question about it takes, and what a large cluster costs in memory."""

from typing import Any

from agent.bench import memory, topology_cycle
from agent.bench.measures import MS_PER_S, Measure, Peer, median_cpu_s, told
from agent.bench.worlds import GPUS_PER_NODE, LEVELS, RACK, cluster, fill, gang, node, wants
from scheduler_core.explain import explain
from scheduler_core.model import PodShape
from scheduler_core.settings import DEFAULTS
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import commit, try_start
from scheduler_core.topologies import Mode, Topology, TopologyRequest
from scheduler_core.topology import Ask, Assignment, Capacity, Forest, assign

TIMES = 15  # runs of each question; the median is told

PEERS = [
    Peer(
        "KAI scheduler",
        "one 512-pod topology gang on 500 nodes",
        "49 s",
        "nothing more is known of it; KAI's scale tests run on 500 simulated nodes (KWOK) with an API server",
        "as reported in our design notes; source not found",
    ),
    Peer(
        "KAI scheduler",
        "one scheduling cycle",
        "2.2 s to read the snapshot, 0.2 to 0.3 s to schedule",
        "4,000 nodes, 140,000 pods, a mocked snapshot, no API calls in the figure",
        "kai-scheduler/KAI-Scheduler issue 315",
    ),
    Peer(
        "kube-scheduler",
        "pod groups of 4 by topology",
        "490 to 630 pods/s, 104 to 114 when it scores every rack",
        "scheduler-perf at 5,000 nodes in 50 racks, binding through an API server",
        "kubernetes/kubernetes pull request 140611",
    ),
]


def run(
    *,
    nodes: int = 5_000,
    gpus: int = 4_000,
    large_nodes: int = 10_000,
    topology_nodes: int = 500,
    topology_pods: int = 512,
    times: int = TIMES,
) -> dict[str, Any]:
    measures = [
        _fork_apply_undo(nodes, times),
        *_unschedulable(gpus, times),
        *_topology(topology_nodes, topology_pods, times),
        *topology_cycle.measures(topology_nodes, topology_pods, times),
        *memory.measures(large_nodes),
    ]
    notes = ["In memory, one process, no API server; peers' figures say what theirs contain."]
    return told("admission", measures, PEERS, notes)


def _fork_apply_undo(nodes: int, times: int) -> Measure:
    snapshot = cluster(nodes)
    fill(snapshot, 1, 4)
    for number in range(times + 1):
        snapshot.add_gang(gang(f"g{number}", "q", 50, 4))

    def question(number: int) -> None:
        with snapshot.fork():
            _started(snapshot, f"g{number}")

    question(times)  # the first question about a cluster reads it once
    value = median_cpu_s(question, times) * MS_PER_S
    return Measure("fork + apply + undo", value, "ms", f"a 50-pod gang on {nodes:,} half-full nodes", at_most=5)


def _started(snapshot: Snapshot, name: str) -> None:
    assignment = try_start(snapshot, name, 0, DEFAULTS)
    if assignment is None:
        raise RuntimeError(f"gang {name} was to fit")
    commit(snapshot, assignment)


def _unschedulable(gpus: int, times: int) -> list[Measure]:
    """Full, and full but for scattered single GPUs: two different reasons."""
    nodes = gpus // GPUS_PER_NODE
    found = []
    for name, per_node, each in (("full", 2, 4), ("scattered", 7, 1)):
        snapshot = cluster(nodes, quota_gpus=gpus * 2)
        fill(snapshot, per_node, each)
        for number in range(times + 1):
            snapshot.add_gang(gang(f"g{number}", "q", 10, 8))
        explain(snapshot, f"g{times}", 0)
        reasons: set[str] = set()

        def question(number: int, snapshot: Snapshot = snapshot, reasons: set[str] = reasons) -> None:
            told_why = explain(snapshot, f"g{number}", 0)
            reasons.add(told_why.reason.value if told_why else "Fits")

        value = median_cpu_s(question, times) * MS_PER_S
        why = ", ".join(sorted(reasons))
        conditions = f"10 pods of 8 GPUs, {gpus:,} GPUs {name}: {why}"
        found.append(Measure(f"unschedulable, with its reason ({name})", value, "ms", conditions, at_most=5))
    return found


def _topology(nodes: int, pods: int, times: int) -> list[Measure]:
    """Pods of all GPUs of a node would not fit 512 times on 500 of them: these take four, and leave room to choose."""
    made = [node(index) for index in range(nodes)]
    forest = Forest.of(Topology("bench", LEVELS), made)
    found = []
    for mode in (Mode.PREFERRED, Mode.UNCONSTRAINED):
        shape = PodShape(requests=wants(4))
        asks = [Ask(count=pods, shape=shape, topology=TopologyRequest(mode=mode, level=RACK))]

        def question(number: int, asks: list[Ask] = asks, shape: PodShape = shape) -> None:
            capacity = Capacity.of(forest)  # read anew: nothing is left of the run before
            placed = assign(capacity, asks)
            if not isinstance(placed, dict) or not all(isinstance(each, Assignment) for each in placed.values()):
                raise RuntimeError(f"{pods} pods were to fit")
            capacity.take(placed["main"], shape.requests)

        value = median_cpu_s(question, times) * MS_PER_S
        conditions = f"{pods} pods of 4 GPUs, {mode.value}, {nodes} nodes, 3 levels, capacity read anew each time"
        found.append(Measure(f"one topology gang, empty nodes ({mode.value})", value, "ms", conditions, at_most=50))
    return found
