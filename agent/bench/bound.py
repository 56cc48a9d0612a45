"""No policy that takes every pod that fits can allocate more: the cutting-stock relaxation of a list of arrivals.

Let t be the first time that a pod of one GPU or less is turned down. Before t all parts of GPUs that came have a place,
and at t no GPU is free, nor ever after. So of C GPUs at least C less the whole ones asked for until t are shared, the
parts seen until t are all in them, and whatever comes later can only fill gaps. How best to cut the shared GPUs is the
cutting-stock problem; nodes, CPU, memory and models are left out, and pieces may be fractions: both can only raise
the bound. Over all t it is at most the largest over short intervals, with the parts due at an interval's beginning and
the whole GPUs at its end.

The linear program is the arc-flow form (Valério de Carvalho, Annals of Operations Research 86, 1999), which is as tight
as the one over all patterns and needs none of them; SciPy's HiGHS solves it.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import gcd

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, vstack

from scheduler_core.gpus import MILLI, Ask

PERCENT = 100
EARLY_PERCENT = 90  # before that one interval is enough: most demand has not even come
STEP_PERCENT = 0.5


def bound_percent(asks: Sequence[Ask], capacity_milli: int, at_percent: int = 100) -> float:
    """Of the GPUs allocated after the last arrival whose rounded demand is `at_percent`."""
    demands = np.cumsum([ask.demand_milli for ask in asks]) * PERCENT / capacity_milli
    end = int(np.searchsorted(demands, at_percent + 0.5, side="right"))
    edges = [0.0, *np.arange(EARLY_PERCENT, at_percent + 0.5, STEP_PERCENT).tolist(), at_percent + 0.5]
    cuts = [int(np.searchsorted(demands, edge, side="right")) for edge in edges]
    everything, gpus = _parts(asks[:end]), capacity_milli / MILLI
    best = 0.0
    for early, late in pairwise(cuts):
        whole = sum(ask.gpus for ask in asks[:late] if not ask.shares)
        best = max(best, _most_allocated(_parts(asks[:early]), everything, gpus - whole, gpus))
    return min(best * PERCENT / gpus, float(demands[end - 1]) if end else 0.0)


def _parts(asks: Sequence[Ask]) -> Counter[int]:
    return Counter(ask.gpu_milli for ask in asks if ask.shares)


def _most_allocated(due: Counter[int], offered: Counter[int], shared_least: float, gpus: float) -> float:
    """In GPUs: those not shared are whole, those shared are filled as well as the parts allow."""
    sizes = sorted(offered)
    if not sizes:
        return gpus
    unit = gcd(MILLI, *sizes)
    ends = MILLI // unit
    arcs = [(i, at, at + size // unit) for i, size in enumerate(sizes) for at in range(ends - size // unit + 1)]
    arcs += [(-1, at, at + 1) for at in range(ends)]  # nothing there
    which, tails, heads = (np.array(column) for column in zip(*arcs, strict=True))
    count = len(arcs)
    columns = np.arange(count)
    inner = csr_matrix(
        (np.concatenate([np.ones(count), -np.ones(count)]), (np.concatenate([tails, heads]), np.tile(columns, 2))),
        shape=(ends + 1, count),
    )[1:ends]
    parts = csr_matrix((np.ones(count), (np.where(which < 0, len(sizes), which), columns)))[: len(sizes)]
    opened = csr_matrix((np.ones(count), (np.zeros(count, dtype=int), columns)), shape=(1, count)).multiply(tails == 0)
    worth = np.where(which >= 0, np.array([*sizes, 0])[which] / MILLI, 0.0) - (tails == 0)
    at_least = [due[size] for size in sizes]
    at_most = [offered[size] for size in sizes]
    found = linprog(
        -worth,
        A_ub=_stack(parts, -parts, -opened, opened),
        b_ub=[*at_most, *(-n for n in at_least), -max(shared_least, 0.0), gpus],
        A_eq=inner,
        b_eq=np.zeros(ends - 1),
        method="highs",
    )
    return gpus - found.fun if found.status == 0 else 0.0  # no such interval: the parts due do not even fit


def _stack(*blocks: csr_matrix) -> csr_matrix:
    return csr_matrix(vstack([csr_matrix(block) for block in blocks]))
