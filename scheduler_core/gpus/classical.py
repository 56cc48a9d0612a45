"""The policies that FGD is compared with: random, dotprod, clustering, packing, bestfit; and plain binpack and spread.

Their definitions are those of the simulator that the paper's figures come from (hkust-adsl/kubernetes-scheduler-
simulator), scores cut to whole numbers of 0 to 100 as the Kubernetes scheduler does: with finer scores other nodes win.
"""

from random import Random

import numpy as np

from scheduler_core.gpus.ask import MILLI, Ask
from scheduler_core.gpus.fleet import GPUS_PER_NODE_MAX, Fleet, Ints
from scheduler_core.gpus.placer import NO_ROOM

SCORE_MAX = 100
CPU_UNIT_MILLI = 128_000  # what a full node has, in the paper's setting: 128 cores and 8 GPUs
GPU_UNIT_MILLI = 8 * MILLI


class _Deterministic:
    """No chance, nothing learnt: the best node, the tightest GPU."""

    name = ""

    def saw(self, ask: Ask) -> bool:
        return False

    def choose(self, scores: Ints) -> int:
        return int(scores.argmax())

    def gpu(self, fleet: Fleet, ask: Ask, row: int) -> int:
        left = fleet.left[row].tolist()
        return min((gpu for gpu in range(len(left)) if left[gpu] >= ask.gpu_milli), key=lambda gpu: (left[gpu], gpu))


class BestFit(_Deterministic):
    """The node with the least left of CPU and GPU together."""

    name = "bestfit"

    def scores(self, fleet: Fleet, ask: Ask, rows: Ints) -> Ints:
        cpu = (fleet.cpu_left[rows] - ask.cpu_milli) * (0.5 / CPU_UNIT_MILLI)
        gpu = (fleet.total_left[rows] - ask.demand_milli) * (0.5 / GPU_UNIT_MILLI)
        return _whole((1 - cpu - gpu) * SCORE_MAX)


class Binpack(_Deterministic):
    """The node with least left of its GPUs, whatever else it has left, and its tightest GPU."""

    name = "binpack"

    def scores(self, fleet: Fleet, ask: Ask, rows: Ints) -> Ints:
        fullest: Ints = GPUS_PER_NODE_MAX * MILLI - fleet.total_left[rows]
        return fullest


class Spread(_Deterministic):
    """The emptiest node, the emptiest GPU: the opposite of packing, for those who want headroom."""

    name = "spread"

    def scores(self, fleet: Fleet, ask: Ask, rows: Ints) -> Ints:
        return fleet.total_left[rows]

    def gpu(self, fleet: Fleet, ask: Ask, row: int) -> int:
        return int(fleet.left[row].argmax())


class DotProduct(_Deterministic):
    """What is wanted and what is left should not point the same way (Tetris, Grandl et al., SIGCOMM 2014)."""

    name = "dotprod"

    def scores(self, fleet: Fleet, ask: Ask, rows: Ints) -> Ints:
        cpu = fleet.cpu_left[rows] * (ask.cpu_milli / CPU_UNIT_MILLI / CPU_UNIT_MILLI)
        gpu = fleet.total_left[rows] * (ask.demand_milli / GPU_UNIT_MILLI / GPU_UNIT_MILLI)
        return _whole((1 - (cpu + gpu) / 2) * SCORE_MAX)


class Clustering(_Deterministic):
    """Pods that take as many GPUs as each other on the same nodes."""

    name = "clustering"

    def scores(self, fleet: Fleet, ask: Ask, rows: Ints) -> Ints:
        if not ask.gpus:
            return np.zeros(len(rows), dtype=np.int64)
        kinds = fleet.kinds[rows]
        same = kinds[:, 0 if ask.shares else ask.gpus] > 0
        different = (kinds > 0).sum(axis=1)
        step = np.where(same, np.where(different == 1, 3, 2), np.where(different == 0, 1, 0))
        quarter = SCORE_MAX // 4
        full = np.maximum(GPU_UNIT_MILLI - fleet.total_left[rows], 0)
        score: Ints = quarter * full // GPU_UNIT_MILLI + quarter * step
        return score


class Packing(_Deterministic):
    """GPUs already shared first, then free ones of nodes in use, then free nodes."""

    name = "packing"

    def scores(self, fleet: Fleet, ask: Ask, rows: Ints) -> Ints:
        if not ask.gpus:
            return np.zeros(len(rows), dtype=np.int64)
        free, gpus = fleet.free[rows], fleet.gpus[rows]
        left = fleet.left[rows]
        tightest = np.where(left >= ask.gpu_milli, left, MILLI).min(axis=1)
        on_free = np.where(tightest == MILLI, ask.gpus, 0)  # whole GPUs are free ones; a part takes one if it must
        shared = np.maximum(SCORE_MAX - tightest * SCORE_MAX // MILLI // 10, SCORE_MAX // 2)
        used_node = np.maximum(SCORE_MAX // 2 - on_free, SCORE_MAX // 3)
        free_node = np.maximum(SCORE_MAX // 3 - free, free)
        return np.where(free == gpus, free_node, np.where(on_free > 0, used_node, shared))


class RandomFit(_Deterministic):
    """Any node with room, any GPU with room: what all others are to beat."""

    name = "random"

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def scores(self, fleet: Fleet, ask: Ask, rows: Ints) -> Ints:
        return np.zeros(len(rows), dtype=np.int64)

    def choose(self, scores: Ints) -> int:
        rows = np.flatnonzero(scores != NO_ROOM)
        return int(rows[self._chance.randrange(len(rows))]) if len(rows) else NO_ROOM

    def gpu(self, fleet: Fleet, ask: Ask, row: int) -> int:
        left = fleet.left[row].tolist()
        return self._chance.choice([gpu for gpu in range(len(left)) if left[gpu] >= ask.gpu_milli])


def _whole(scores: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Ints:
    return np.maximum(scores, 0).astype(np.int64)
