"""What is left on a node, and how much of it the pods that come can use: the measure that `watchkeeper` descends.

For a GPU with x milli left it is w(x) times a part r. w(x) mixes two answers. One is the price of such a remainder in
the cutting-stock problem of the parts seen (`cutting`): right when every remainder gets the part that suits it. The
other is FGD's, x times the share of the pods small enough for it: right when whatever comes next takes it. r is the
part of those pods that find their CPU, their memory and their model on this node. Kinds of several GPUs count for free
GPUs, as in FGD, by how often they come. Unlike FGD's, the measure knows memory, and pods without GPUs do not dilute it.

Needs of CPU and memory are looked up by levels, so a node's worth takes as many look-ups as it has GPUs.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from scheduler_core.gpus.arrivals import Kind
from scheduler_core.gpus.ask import MILLI
from scheduler_core.gpus.cutting import remainder_values
from scheduler_core.gpus.fleet import Fleet, Ints
from scheduler_core.gpus.fragments import Floats

Counts = Mapping[Kind, float]

LEVELS_MAX = 32  # of CPU, and of memory: the tables stay under 10 MB; a need between two counts as the next larger
BY_CHANCE = 0.3  # how much of w(x) is FGD's answer: with none of it some mixes do worse than under FGD, with 0.6 others


class WorthTable:
    def __init__(self, counts: Counts, fleet: Fleet) -> None:
        self._fleet = fleet
        self._width = fleet.left.shape[1] + 1
        counts = {kind: count for kind, count in counts.items() if 0 < kind[2] < self._width}
        self._cpus = _levels((kind[0], count) for kind, count in counts.items())
        self._memories = _levels((kind[1], count) for kind, count in counts.items())
        single: dict[int, float] = {}
        for kind, count in counts.items():
            single[kind[3]] = single.get(kind[3], 0) + (count if kind[2] == 1 else 0)
        sizes = sorted(size for size in single if single[size])
        self._size_of: Ints = np.searchsorted(sizes, np.arange(MILLI + 1), side="right").astype(np.int64)
        """How many of the sizes seen are no larger: where 0 to 1,000 milli stand in the tables."""
        self._sizes = len(sizes) + 1
        fits = np.array([0, *(single[size] for size in sizes)], dtype=np.float64).cumsum()
        ones, many = self._counted(counts, sizes)
        gpu_pods = sum(counts.values()) or 1
        self.of_gpu: Floats = self._worth(single, fits) * (fits[-1] / gpu_pods if sizes else 1)
        """w(x) for 0 to 1,000 milli left, by the share of the pods that want one GPU or less."""
        self.part: Floats = (
            _summed(ones) / np.maximum(fits, np.finfo(float).tiny) if sizes else np.ones_like(ones)
        ).ravel()
        self.of_free: Floats = (_summed(many) * np.arange(self._width) * (MILLI / gpu_pods)).ravel()

    def _counted(self, counts: Counts, sizes: list[int]) -> tuple[Floats, Floats]:
        """How many pods want exactly so much CPU, memory and GPU, by the models that they may run on."""
        models = self._fleet.models
        shape = (len(models), len(self._cpus) + 1, len(self._memories) + 1)
        ones, many = np.zeros((*shape, self._sizes)), np.zeros((*shape, self._width))
        for (cpu, memory, gpus, milli, wanted), count in counts.items():
            runs = [code for code, model in enumerate(models) if not wanted or model in wanted]
            level = int(self._cpus.searchsorted(cpu)) + 1, int(self._memories.searchsorted(memory)) + 1
            table, least = (ones, sizes.index(milli) + 1) if gpus == 1 else (many, gpus)
            table[runs, level[0], level[1], least] += count
        return ones, many

    def _worth(self, single: dict[int, float], fits: Floats) -> Floats:
        left = np.arange(MILLI + 1)
        parts = {size: count for size, count in single.items() if 0 < size < MILLI and count}
        if not parts:
            return left.astype(np.float64)
        by_chance = left * fits[self._size_of] / fits[-1]
        worth: Floats = (1 - BY_CHANCE) * remainder_values(parts) * MILLI + BY_CHANCE * by_chance
        return worth

    def place(self, model: Ints, cpu_left: Ints, memory_left: Ints) -> Ints:
        """Where nodes with that much left stand in `part` and `of_free`, before sizes and widths are counted in."""
        cpu = self._cpus.searchsorted(cpu_left, side="right")
        memory = self._memories.searchsorted(memory_left, side="right")
        return (model * (len(self._cpus) + 1) + cpu) * (len(self._memories) + 1) + memory

    def each(self, place: Ints, left: Ints) -> Floats:
        """Worth of single GPUs: a row per node."""
        worth: Floats = self.of_gpu[left] * self.part[(place * self._sizes)[:, None] + self._size_of[left]]
        return worth

    def free(self, place: Ints, free: Ints) -> Floats:
        """Worth of free GPUs to those who want several."""
        worth: Floats = self.of_free[place * self._width + free]
        return worth


def _levels(needs: Iterable[tuple[int, float]]) -> Ints:
    """The needs that come most often, and the largest."""
    often: dict[int, float] = {}
    for need, count in needs:
        often[need] = often.get(need, 0) + count
    kept = sorted(often, key=lambda need: (-often[need], -need))[: LEVELS_MAX - 1]
    return np.array(sorted({*kept, max(often, default=0)}), dtype=np.int64)


def _summed(table: Floats) -> Floats:
    """From how many want exactly so much to how many are content with so much."""
    return table.cumsum(axis=1).cumsum(axis=2).cumsum(axis=3)
