"""What the live view shows of the cluster at one moment: each GPU, each gang, each queue. Numbers, no colours.

Where a scenario's fault hides the cluster it keeps the last look. It shows, it never decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from agent.adapters.kubernetes.views import ClusterViews
from agent.domain.cluster import ClusterView, Gang, GangState, Node, ObjectRef, Pod
from agent.evidence.queues import KUEUE, OURS, group_of, is_closed
from agent.evidence.quota_books import Books
from agent.ports import Clock, Cluster, Fault, Metrics

GPU = "nvidia.com/gpu"


class Cell(StrEnum):
    """One GPU."""

    FREE = "free"
    STARTING = "starting"  # given to a pod that does not run yet
    HELD = "held"  # by a running pod; how busy is not known
    IDLE = "idle"
    LOW = "low"
    HALF = "half"
    BUSY = "busy"
    FAULTY = "faulty"


@dataclass(frozen=True, slots=True)
class NodeRow:
    name: str
    cells: tuple[Cell, ...]
    cordoned: bool
    ready: bool


@dataclass(frozen=True, slots=True)
class GangRow:
    name: str
    queue: str
    state: str
    running: int
    minimum: int


@dataclass(frozen=True, slots=True)
class QueueRow:
    """GPUs that its gangs hold, of those that are its own; more is borrowed."""

    name: str
    used: int
    nominal: int
    waiting: int  # gangs
    held: bool  # lets nobody in


@dataclass(frozen=True, slots=True)
class Facts:
    nodes: tuple[NodeRow, ...] = ()
    gangs: tuple[GangRow, ...] = ()
    waiting: int = 0  # pods without a node
    queues: tuple[QueueRow, ...] = ()

    @property
    def gpus(self) -> tuple[int, int]:
        """(given to somebody, all)"""
        cells = [cell for node in self.nodes for cell in node.cells]
        return sum(cell not in (Cell.FREE, Cell.FAULTY) for cell in cells), len(cells)


class SeenWorld(Protocol):
    @property
    def clock(self) -> Clock: ...
    @property
    def cluster(self) -> Cluster: ...
    @property
    def metrics(self) -> Metrics: ...


class Lookout:
    def __init__(self, world: SeenWorld) -> None:
        self._world = world
        self._views = ClusterViews(world.cluster, world.clock)
        self._last = Facts()

    def look(self) -> Facts:
        now = self._world.clock.now()
        try:
            busy = self._series("DCGM_FI_DEV_GPU_UTIL", now)
            faulty = {
                (node, gpu) for (node, gpu, _), value in self._series("DCGM_FI_DEV_XID_ERRORS", now).items() if value
            }
            self._last = facts_of(self._views.take(), busy, faulty)
        except Fault:
            return self._last
        return self._last

    def _series(self, name: str, now: datetime) -> dict[tuple[str, int, str], float]:
        """The newest value by node, GPU index and pod ('namespace/name', or nothing)."""
        found = {}
        for series in self._world.metrics.instant(name, now):
            labels = series.labels
            index = labels.get("gpu", "")
            if index.isdecimal() and series.points:
                pod = f"{labels.get('namespace', '')}/{labels.get('pod', '')}"
                found[labels.get("Hostname", ""), int(index), pod] = series.points[-1][1]
        return found


def facts_of(view: ClusterView, busy: Mapping[tuple[str, int, str], float], faulty: set[tuple[str, int]]) -> Facts:
    nodes = sorted(view.nodes.values(), key=lambda node: _natural(node.name))
    gangs = sorted(view.gangs.values(), key=lambda gang: str(gang.ref))
    return Facts(
        nodes=tuple(_node_row(node, view, busy, faulty) for node in nodes if node.gpus or node.allocatable.get(GPU)),
        queues=_queue_rows(view),
        gangs=tuple(_gang_row(gang) for gang in gangs if gang.state is not GangState.FINISHED),
        waiting=sum(pod.node is None and pod.phase == "Pending" for pod in view.pods.values()),
    )


def _node_row(
    node: Node, view: ClusterView, busy: Mapping[tuple[str, int, str], float], faulty: set[tuple[str, int]]
) -> NodeRow:
    cells: list[Cell] = []
    pods = sorted(
        (p for p in view.pods_on(node.name) if p.gpus), key=lambda p: (p.created_at or view.taken_at, str(p.ref))
    )
    for pod in pods:
        cells += _pod_cells(pod, node.name, busy)
    cells = (cells + [Cell.FREE] * node.gpus)[: node.gpus]
    marked = [Cell.FAULTY if (node.name, index) in faulty else cell for index, cell in enumerate(cells)]
    return NodeRow(node.name, tuple(marked), node.unschedulable, node.ready)


def _pod_cells(pod: Pod, node: str, busy: Mapping[tuple[str, int, str], float]) -> list[Cell]:
    if pod.phase != "Running":
        return [Cell.STARTING] * pod.gpus
    mine = [value for (host, _, who), value in sorted(busy.items()) if (host, who) == (node, _who(pod))]
    return [_heat(mine[min(i, len(mine) - 1)]) if mine else Cell.HELD for i in range(pod.gpus)]


def _heat(percent: float) -> Cell:
    if percent < 5:
        return Cell.IDLE
    return Cell.LOW if percent < 40 else Cell.HALF if percent < 75 else Cell.BUSY


def _who(pod: Pod) -> str:
    return f"{pod.ref.namespace}/{pod.ref.name}"


def _gang_row(gang: Gang) -> GangRow:
    name = gang.job.name if gang.job else gang.ref.name
    return GangRow(name, gang.queue or "", gang.state.value, len(gang.running), gang.minimum)


def _queue_rows(view: ClusterView) -> tuple[QueueRow, ...]:
    books = Books(view)
    return tuple(_queue_row(books, ref) for ref in sorted(view.objects, key=str) if _is_queue(ref))


def _queue_row(books: Books, ref: ObjectRef) -> QueueRow:
    waiting = sum(gang.state is GangState.QUEUED for gang in books.gangs(ref))
    return QueueRow(ref.name, books.used(ref), books.nominal(ref), waiting, is_closed(books.view, ref))


def _is_queue(ref: ObjectRef) -> bool:
    return (group_of(ref), ref.kind) in ((KUEUE, "ClusterQueue"), (OURS, "Queue"))


def _natural(name: str) -> tuple[Any, ...]:
    """gpu-2 before gpu-10."""
    head, _, tail = name.rpartition("-")
    return (head, int(tail)) if tail.isdecimal() else (name, 0)
