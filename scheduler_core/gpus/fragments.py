"""How much of what a node has left is a fragment: of no use to the pods that come.

For one kind of pod m, all GPU left on node n is a fragment when m cannot run there (or wants no GPU at all); otherwise
the GPUs with less left than m takes of one are. F_n is the mean over a mix of pods (Weng et al., USENIX ATC 2023,
section 4.2). What is no fragment is *useful*, and useful falls apart: for a kind that takes one GPU or a part of one,
each GPU with enough left counts for itself; a kind of several GPUs can use whole free ones only. So one table over
(model, CPU left, milli left) and one over (model, CPU left, free GPUs) answer for the whole mix at once, and F_n costs
as many look-ups as a node has GPUs, however many kinds there are.
"""

import numpy as np
import numpy.typing as npt

from scheduler_core.gpus.ask import MILLI
from scheduler_core.gpus.fleet import Fleet, Ints
from scheduler_core.gpus.mix import Kind, Mix

Floats = npt.NDArray[np.float64]


class FragmentTable:
    def __init__(self, mix: Mix, fleet: Fleet) -> None:
        self._cpus = np.unique(np.array([kind.cpu_milli for kind, _ in mix.shares], dtype=np.int64))
        models, ranks, width = len(fleet.models), len(self._cpus) + 1, fleet.left.shape[1] + 1
        ones = np.zeros((models, ranks, MILLI + 1))
        many = np.zeros((models, ranks, width))
        for kind, share in mix.shares:
            if kind.gpus and kind.gpus < width:
                runs = [code for code, model in enumerate(fleet.models) if not kind.models or model in kind.models]
                table, least = (ones, kind.gpu_milli) if kind.gpus == 1 else (many, kind.gpus)
                table[runs, self._rank_of(kind), least] += share
        self.ones: Floats = _summed(ones) * np.arange(MILLI + 1)
        """Useful milli of a GPU with so much left, on a node of that model with that much CPU left."""
        self.many: Floats = _summed(many) * np.arange(width) * MILLI
        """Useful milli that so many free GPUs are to the kinds that take several."""

    def _rank_of(self, kind: Kind) -> int:
        return int(np.searchsorted(self._cpus, kind.cpu_milli)) + 1

    def rank(self, cpu_left: Ints) -> Ints:
        """CPU left, as a place in the tables."""
        return self._cpus.searchsorted(cpu_left, side="right")

    def useful(self, fleet: Fleet, rows: Ints) -> Floats:
        """Milli per node that is no fragment."""
        model, rank = fleet.model[rows], self.rank(fleet.cpu_left[rows])
        each: Floats = self.ones[model[:, None], rank[:, None], fleet.left[rows]].sum(axis=1)
        return each + self.many[model, rank, fleet.free[rows]]

    def fragment_milli(self, fleet: Fleet) -> float:
        """What is fragments in the whole fleet."""
        rows = np.arange(len(fleet))
        return float((fleet.total_left - self.useful(fleet, rows)).sum())


def _summed(table: Floats) -> Floats:
    """From how often a kind needs exactly so much CPU and GPU to how often so much is enough."""
    return table.cumsum(axis=1).cumsum(axis=2)
