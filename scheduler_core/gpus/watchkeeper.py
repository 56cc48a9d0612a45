"""`watchkeeper`, our own policy: descend the worth of what is left, as learnt from the arrivals themselves.

It is FGD's descent with another measure, and with nothing known of the pods beforehand. A pod goes where what it takes
exceeds what the node loses in worth by most (`worth`): a part of 0.32 into the remainder of 0.35 that nothing dearer
fits, not into the 0.53 that waits for a 0.47. Before anything has come the fleet itself is the witness: its owners
bought each kind of node for somebody who wants one whole. That keeps the rare large nodes whole while little has been
learnt, and it fades as pods come.

Differences below `STEP_MILLI` for each GPU taken are ties on purpose, and ties go to the first node of the fleet's
order: so the last nodes stay whole for those who want many GPUs, where finer scores would nibble at all of them. Of a
pod that takes several GPUs the ties go first to the kind of node whose GPUs are worth least when it is empty: pods that
fit only on a few rare nodes come too seldom to move the worth by a step, and still they should find one.
"""

from collections.abc import Mapping

import numpy as np

from scheduler_core.gpus.arrivals import LEARN_FIRST, Arrivals, Kind
from scheduler_core.gpus.ask import MILLI, Ask
from scheduler_core.gpus.fleet import Fleet, Ints
from scheduler_core.gpus.fragments import Floats
from scheduler_core.gpus.worth import WorthTable

STEP_MILLI = (
    150  # FGD's is 40; of 10, 30, 60, 100, 150 and 200 those from 100 on do about equally well, finer ones worse
)
WORTH_SAME = 0.001  # milli; kinds of nodes whose GPUs differ by less are worth the same
SCORE_OF_NO_CHANGE = 1 << 20  # scores are 0 and more; no node holds a thousandth of that many steps
PRIOR_PODS = (
    48  # imagined, in all; 15 let the first pods break up large nodes, 60 cost where nodes are never wanted whole
)
PRIOR_PART = 0.75  # of the node's CPU and memory that such a pod takes
NO_GPU = -np.inf


class Watchkeeper:
    name = "watchkeeper"

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._arrivals = Arrivals()
        self._kinds = _NodeKinds(fleet)
        self._learn(_whole_nodes(fleet, PRIOR_PODS))

    def saw(self, ask: Ask) -> bool:
        if not self._arrivals.saw(ask):
            return False
        counts = self._arrivals.counts
        imagined = _whole_nodes(self._fleet, PRIOR_PODS * LEARN_FIRST / counts.total())
        self._learn({kind: imagined.get(kind, 0) + counts[kind] for kind in (*imagined, *counts)})
        return True

    def _learn(self, counts: Mapping[Kind, float]) -> None:
        self._table = WorthTable(counts, self._fleet)
        self._spare = self._kinds.spare(self._table)

    def choose(self, scores: Ints) -> int:
        return int(scores.argmax())

    def scores(self, fleet: Fleet, ask: Ask, rows: Ints) -> Ints:
        gains = self._gains(fleet, ask, rows).max(axis=1)
        if ask.gpus < 2:
            return _score(gains, STEP_MILLI)
        return _score(gains, STEP_MILLI * ask.gpus) * len(self._fleet) + self._spare[rows]

    def gpu(self, fleet: Fleet, ask: Ask, row: int) -> int:
        gains = self._gains(fleet, ask, np.array([row]))[0]
        return int(np.where(gains == NO_GPU, -1, _score(gains, STEP_MILLI)).argmax())

    def _gains(self, fleet: Fleet, ask: Ask, rows: Ints) -> Floats:
        """What the pod takes less what the node loses, in milli: a column per GPU for a pod that shares one."""
        table, model, left, free = self._table, fleet.model[rows], fleet.left[rows], fleet.free[rows]
        cpu, memory = fleet.cpu_left[rows], fleet.memory_left[rows]
        before = table.place(model, cpu, memory)
        after = table.place(model, cpu - ask.cpu_milli, memory - ask.memory_mib)
        each = table.each(after, left)
        kept: Floats = each.sum(axis=1) - table.each(before, left).sum(axis=1) - table.free(before, free)
        kept += ask.demand_milli
        if not ask.shares:
            whole = table.each(after, np.full((len(rows), 1), MILLI))[:, 0] * ask.gpus
            gain: Floats = kept - whole + table.free(after, free - ask.gpus)
            return gain[:, None]
        then = table.each(after, np.maximum(left - ask.gpu_milli, 0))
        rest = np.where(left == MILLI, table.free(after, free - (free > 0))[:, None], table.free(after, free)[:, None])
        return np.where(left >= ask.gpu_milli, kept[:, None] - each + then + rest, NO_GPU)


def _whole_nodes(fleet: Fleet, pods: float) -> dict[Kind, float]:
    """So many pods, spread evenly over the kinds of nodes, each of which wants such a node whole."""
    kinds = {
        (int(node.cpu_milli * PRIOR_PART), int(node.memory_mib * PRIOR_PART), node.gpus, MILLI, ())
        for node in fleet.nodes
        if node.gpus
    }
    return {kind: pods / len(kinds) for kind in sorted(kinds)}


class _NodeKinds:
    """The fleet's nodes by what they are when they are empty."""

    def __init__(self, fleet: Fleet) -> None:
        codes = {model: code for code, model in enumerate(fleet.models)}
        each = [(codes[node.model], node.cpu_milli, node.memory_mib, node.gpus) for node in fleet.nodes]
        shapes = np.array(each, dtype=np.int64).reshape(len(each), 4)
        kinds, of_row = np.unique(shapes, axis=0, return_inverse=True)
        self._kinds: Ints = kinds
        self._of_row: Ints = of_row.reshape(len(each))

    def spare(self, table: WorthTable) -> Ints:
        """A number for each row, higher where an empty node is worth less a GPU: the kind to be used up first."""
        model, cpu, memory, gpus = self._kinds.T
        place = table.place(model, cpu, memory)
        worth = table.each(place, np.full((len(gpus), 1), MILLI))[:, 0] * gpus + table.free(place, gpus)
        steps = np.floor(worth / np.maximum(gpus, 1) / WORTH_SAME)
        order: Ints = np.unique(-steps, return_inverse=True)[1].reshape(len(gpus)).astype(np.int64)
        return order[self._of_row]


def _score(gains: Floats, step_milli: int) -> Ints:
    steps = np.floor(np.maximum(gains, -SCORE_OF_NO_CHANGE * float(step_milli)) / step_milli)
    return steps.astype(np.int64) + SCORE_OF_NO_CHANGE
