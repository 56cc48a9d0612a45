"""A fleet of GPU nodes as arrays: what is left of each GPU, of CPU and of memory; take some, give it back.

It knows what fits where and keeps count; which of the fitting places is best is the policies' matter. A row of the
arrays is a node, in the order in which the nodes were given: that order breaks every tie in this package.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scheduler_core.errors import Conflict, Duplicate, Invalid, Unknown, require_name, require_whole
from scheduler_core.gpus.ask import MILLI, Ask
from scheduler_core.gpus.islands import most_free, one_island
from scheduler_core.gpus.mig import GEOMETRIES, best_start

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

GPUS_PER_NODE_MAX = 64  # an array column each; the largest single machines sold hold 16


@dataclass(frozen=True)
class GpuNode:
    name: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    model: str
    mig: str | None = None  # which MIG geometry its GPUs have; None: they are not partitioned
    islands: tuple[int, ...] = ()  # how many GPUs each has (`islands`), in their order; none: all are linked alike

    def __post_init__(self) -> None:
        require_name("GpuNode", self.name)
        for field in ("cpu_milli", "memory_mib", "gpus"):
            require_whole("GpuNode", self.name, field, getattr(self, field))
        if self.gpus > GPUS_PER_NODE_MAX:
            raise Invalid("GpuNode", self.name, "gpus", f"{self.gpus} is more than {GPUS_PER_NODE_MAX}")
        if self.gpus and not self.model:
            raise Invalid("GpuNode", self.name, "model", "is empty on a node with GPUs")
        for size in self.islands:
            require_whole("GpuNode", self.name, "islands", size)
        if self.islands and (min(self.islands) < 1 or sum(self.islands) != self.gpus):
            raise Invalid("GpuNode", self.name, "islands", f"{self.islands} are not {self.gpus} GPUs")
        if self.mig is not None and self.mig not in GEOMETRIES:
            raise Unknown("GpuNode", self.name, "mig", f"no geometry {self.mig!r}; there are {', '.join(GEOMETRIES)}")


@dataclass(frozen=True)
class Placement:
    """Where a pod is: enough to take it away again."""

    ask: Ask
    node: int
    gpus: tuple[int, ...] = ()
    start: int = -1  # first memory slice of a MIG slice


class Fleet:
    def __init__(self, nodes: Sequence[GpuNode]) -> None:
        self.nodes = tuple(nodes)
        _require_unique(node.name for node in nodes)
        self.models = tuple(dict.fromkeys(node.model for node in nodes))
        codes = {model: code for code, model in enumerate(self.models)}
        width = max((node.gpus for node in nodes), default=0)
        self.model = np.array([codes[node.model] for node in nodes], dtype=np.int64)
        self.cpu_left = np.array([node.cpu_milli for node in nodes], dtype=np.int64)
        self.memory_left = np.array([node.memory_mib for node in nodes], dtype=np.int64)
        self.gpus = np.array([node.gpus for node in nodes], dtype=np.int64)
        self.left: Ints = np.where(np.arange(width) < self.gpus[:, None], MILLI, 0).astype(np.int64)
        """Milli left of each GPU for whole and shared work: none on a GPU that is cut into MIG slices."""
        self.total_left: Ints = self.left.sum(axis=1)
        self.most_left: Ints = self.left.max(axis=1, initial=0)
        self.free: Ints = (self.left == MILLI).sum(axis=1)
        self.linked_free: Ints = np.array([max(node.islands, default=node.gpus) for node in nodes], dtype=np.int64)
        """Free GPUs of the island that has most of them."""
        self.kinds = np.zeros((len(nodes), width + 1), dtype=np.int64)
        """Pods by what they take: column 0 those that share a GPU, column n those with n whole ones."""
        self.slices = np.zeros((len(nodes), width), dtype=np.int64)
        """Memory slices in use of each GPU that is cut up, as bits."""
        self.capacity_milli = int(self.gpus.sum()) * MILLI
        self.allocated_milli = 0

    def __len__(self) -> int:
        return len(self.nodes)

    def may_run(self, ask: Ask) -> Bools:
        """By model: one answer for each of `self.models`."""
        return np.array([not ask.models or model in ask.models for model in self.models], dtype=np.bool_)

    def fitting(self, ask: Ask, rows: Ints) -> Ints:
        """Those of the rows on which the pod fits as things are, in their order."""
        fits = (self.cpu_left[rows] >= ask.cpu_milli) & (self.memory_left[rows] >= ask.memory_mib)
        if ask.models:
            fits &= self.may_run(ask)[self.model[rows]]
        if ask.mig is not None:
            return self._with_slice(ask.mig, rows[fits])
        if ask.shares:
            fits &= self.most_left[rows] >= ask.gpu_milli
        elif ask.gpus:
            fits &= (self.linked_free if ask.linked else self.free)[rows] >= ask.gpus
        return rows[fits]

    def _with_slice(self, profile: str, rows: Ints) -> Ints:
        return rows[[self.slice_for(profile, int(row)) is not None for row in rows]]

    def slice_for(self, profile: str, row: int) -> tuple[int, int] | None:
        """GPU and first slice: a GPU already cut up rather than a whole one, the fullest of those."""
        geometry = self.nodes[row].mig
        if geometry is None:
            return None
        used = [int(bits) for bits in self.slices[row]]
        cut = sorted((gpu for gpu, bits in enumerate(used) if bits), key=lambda gpu: -used[gpu].bit_count())
        whole = np.flatnonzero(self.left[row] == MILLI).tolist()
        for gpu in (*cut, *whole):
            start = best_start(geometry, profile, used[gpu])
            if start is not None:
                return gpu, start
        return None

    def take(self, placement: Placement) -> None:
        """Puts a pod there; `Conflict` when there is no room, and nothing has changed then."""
        self._require_room(placement)
        self._add(placement, 1)

    def give_back(self, placement: Placement) -> None:
        """Takes a pod away that `take` has put there."""
        self._add(placement, -1)

    def _require_room(self, placement: Placement) -> None:
        ask, row = placement.ask, placement.node
        name = self.nodes[row].name
        if self.cpu_left[row] < ask.cpu_milli or self.memory_left[row] < ask.memory_mib:
            raise Conflict("GpuNode", name, "cpu_milli, memory_mib", f"no room for {ask.key}")
        if ask.models and self.nodes[row].model not in ask.models:
            raise Conflict("GpuNode", name, "model", f"{self.nodes[row].model} is none of {', '.join(ask.models)}")
        if ask.mig is not None:
            self._require_slice(placement, ask.mig)
        elif len(set(placement.gpus)) != ask.gpus:
            raise Conflict("GpuNode", name, "gpus", f"{placement.gpus} are not {ask.gpus} GPUs")
        elif any(gpu >= self.gpus[row] or self.left[row, gpu] < ask.gpu_milli for gpu in placement.gpus):
            raise Conflict("GpuNode", name, "gpus", f"{placement.gpus} have no room for {ask.gpu_milli} each")
        elif ask.linked and not one_island(placement.gpus, self.nodes[row].islands):
            raise Conflict("GpuNode", name, "islands", f"{placement.gpus} are not in one of {self.nodes[row].islands}")

    def _require_slice(self, placement: Placement, profile: str) -> None:
        row, name = placement.node, self.nodes[placement.node].name
        wanted = GEOMETRIES.get(self.nodes[row].mig or "", {}).get(profile)
        gpu = placement.gpus[0] if len(placement.gpus) == 1 else -1
        if wanted is None or not 0 <= gpu < self.gpus[row] or placement.start not in wanted.starts:
            raise Conflict("GpuNode", name, "mig", f"no {profile} starts at {placement.start} of GPU {gpu}")
        used = int(self.slices[row, gpu])
        if used & wanted.bits(placement.start) or (not used and self.left[row, gpu] < MILLI):
            raise Conflict("GpuNode", name, "mig", f"slice {placement.start} of GPU {gpu} is taken")

    def _add(self, placement: Placement, sign: int) -> None:
        ask, row = placement.ask, placement.node
        self.cpu_left[row] -= sign * ask.cpu_milli
        self.memory_left[row] -= sign * ask.memory_mib
        self.allocated_milli += sign * ask.demand_milli
        if not placement.gpus:
            return
        left = self.left[row]
        if ask.mig is not None:
            (gpu,) = placement.gpus
            geometry = GEOMETRIES[str(self.nodes[row].mig)]
            self.slices[row, gpu] ^= geometry[ask.mig].bits(placement.start)
            left[gpu] = 0 if self.slices[row, gpu] else MILLI
        else:
            for gpu in placement.gpus:
                left[gpu] -= sign * ask.gpu_milli
            self.kinds[row, 0 if ask.shares else ask.gpus] += sign
        values = left.tolist()
        self.total_left[row] = sum(values)
        self.most_left[row] = max(values)
        self.free[row] = values.count(MILLI)
        sizes = self.nodes[row].islands
        self.linked_free[row] = most_free(values, sizes) if sizes else self.free[row]


def _require_unique(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Duplicate("GpuNode", name, "name", "is taken")
        seen.add(name)
