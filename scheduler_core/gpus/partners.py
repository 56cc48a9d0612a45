"""With whom a pod could change places: pods whose leaving would make room for it, and that would fit where it was.

Asked for pods that have no other place as things are (`moves`). Kept as arrays, a row per pod: one NumPy expression
answers for the whole fleet.
"""

from collections.abc import Sequence

import numpy as np

from scheduler_core.gpus.ask import MILLI
from scheduler_core.gpus.fleet import Bools, Ints, Placement
from scheduler_core.gpus.placer import Placer

PARTNERS_MAX = 8  # kinds of pods offered, the smallest first; where none of them will do, larger ones seldom will


class Partners:
    def __init__(self, placer: Placer, single: Sequence[tuple[int, Placement]]) -> None:
        """`single`: units of one pod each, by their numbers."""
        self._fleet = placer.fleet
        here = [pod for _, pod in single]
        self._unit = _column([unit for unit, _ in single])
        self._row = _column([pod.node for pod in here])
        self._cpu = _column([pod.ask.cpu_milli for pod in here])
        self._memory = _column([pod.ask.memory_mib for pod in here])
        self._milli = _column([pod.ask.gpus * pod.ask.gpu_milli for pod in here])
        self._gpu = _column([pod.gpus[0] if pod.ask.shares else -1 for pod in here])
        codes: dict[object, int] = {}
        self._kind = _column([codes.setdefault(pod.ask.key, len(codes)) for pod in here])

    def of(self, pod: Placement, stays: Sequence[bool]) -> list[int]:
        """Units, one of each kind, those with least CPU first; `stays` says which may not move any more."""
        entries = np.flatnonzero(self._makes_room(pod) & self._fits_at(pod) & (self._row != pod.node))
        entries = entries[[not stays[unit] for unit in self._unit[entries].tolist()]]
        entries = entries[np.lexsort((entries, self._memory[entries], self._milli[entries], self._cpu[entries]))]
        first_of_kind = np.sort(np.unique(self._kind[entries], return_index=True)[1])
        return [int(unit) for unit in self._unit[entries[first_of_kind[:PARTNERS_MAX]]]]

    def _makes_room(self, pod: Placement) -> Bools:
        fleet, row, ask = self._fleet, self._row, pod.ask
        if not fleet.capacity_milli or ask.mig is not None:
            return np.zeros(len(row), dtype=np.bool_)
        room = (fleet.cpu_left[row] + self._cpu >= ask.cpu_milli) & (
            fleet.memory_left[row] + self._memory >= ask.memory_mib
        )
        room &= fleet.may_run(ask)[fleet.model[row]]
        shares = self._gpu >= 0
        on_its_gpu = np.where(shares, fleet.left[row, self._gpu] + self._milli, np.minimum(self._milli, MILLI))
        if ask.shares:
            return room & (np.maximum(fleet.most_left[row], on_its_gpu) >= ask.gpu_milli)
        freed = np.where(shares, on_its_gpu == MILLI, self._milli // MILLI)
        return room & (fleet.free[row] + freed >= ask.gpus)

    def _fits_at(self, pod: Placement) -> Bools:
        """By CPU, memory and the sum of GPUs: enough to leave out most that would not."""
        fleet, row = self._fleet, pod.node
        fits: Bools = self._cpu <= fleet.cpu_left[row] + pod.ask.cpu_milli
        fits &= self._memory <= fleet.memory_left[row] + pod.ask.memory_mib
        fits &= self._milli <= fleet.total_left[row] + pod.ask.demand_milli
        return fits


def _column(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)
