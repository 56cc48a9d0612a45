"""FGD, fragmentation gradient descent: a pod goes where it makes the fewest fragments (or mends most).

Weng, Yang, Yu, Wang, Tang, Yang, Zhang: "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation
Gradient Descent", USENIX ATC 2023. The score is the sigmoid of the fall of F_n in GPUs, cut to whole hundredths: small
differences are ties on purpose, and ties go to the first node of the fleet's order. With finer scores FGD is worse.
"""

import numpy as np

from scheduler_core.gpus.ask import MILLI, Ask
from scheduler_core.gpus.classical import SCORE_MAX
from scheduler_core.gpus.fleet import Fleet, Ints
from scheduler_core.gpus.fragments import Floats, FragmentTable
from scheduler_core.gpus.mix import Mix

NO_GPU = -np.inf


class Fgd:
    name = "fgd"

    def __init__(self, mix: Mix, fleet: Fleet) -> None:
        self._table = FragmentTable(mix, fleet)

    def saw(self, ask: Ask) -> bool:
        return False

    def choose(self, scores: Ints) -> int:
        return int(scores.argmax())

    def scores(self, fleet: Fleet, ask: Ask, rows: Ints) -> Ints:
        return _score(self._falls(fleet, ask, rows).max(axis=1))

    def gpu(self, fleet: Fleet, ask: Ask, row: int) -> int:
        falls = self._falls(fleet, ask, np.array([row]))[0]
        return int(np.where(falls == NO_GPU, -1, _score(falls)).argmax())

    def _falls(self, fleet: Fleet, ask: Ask, rows: Ints) -> Floats:
        """How much F_n falls, in milli: a column per GPU for a pod that shares one, else a single column."""
        table, model = self._table, fleet.model[rows]
        rank = table.rank(fleet.cpu_left[rows] - ask.cpu_milli)
        left, free = fleet.left[rows], fleet.free[rows]
        as_is = table.ones[model[:, None], rank[:, None], left]
        before = table.useful(fleet, rows)
        each: Floats = as_is.sum(axis=1)
        if not ask.shares:
            whole_ones = table.ones[model, rank, MILLI] * ask.gpus
            after = each - whole_ones + table.many[model, rank, free - ask.gpus]
            fall: Floats = ask.demand_milli - before + after
            return fall[:, None]
        then = table.ones[model[:, None], rank[:, None], np.maximum(left - ask.gpu_milli, 0)]
        rest = table.many[model[:, None], rank[:, None], free[:, None] - (left == MILLI)]
        after_each = (each - before + ask.demand_milli)[:, None] - as_is + then + rest
        return np.where(left >= ask.gpu_milli, after_each, NO_GPU)


def _score(falls: Floats) -> Ints:
    return (SCORE_MAX / (1 + np.exp(-falls / MILLI))).astype(np.int64)
