"""Which few running pods to move so that pods that wait find room: on a whole fleet, GPU by GPU.

A step takes one unit (a single pod, or all pods of a gang) from its place, gives the room to a waiting pod, and finds
the unit's pods other places by the placer's policy. A step is kept only if every one of them has one: nothing is
evicted that is not placed again. Waiting pods come in the order of what they want, the largest first; for each the unit
is tried that is fewest and smallest to move and whose leaving makes room. A plan that wins less than noise is no plan.

Pure as seen from outside: the fleet is tried on and put back as it was. `scheduler_core.defragment` asks the other
question, how one given gang could start; this one is for the fleet as a whole.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scheduler_core.errors import Invalid
from scheduler_core.gpus.ask import MILLI, Ask
from scheduler_core.gpus.fleet import Bools, Ints, Placement
from scheduler_core.gpus.placer import Placer

MOVES_MAX = 100  # each restarts somebody's pod; more is a reorganisation
TRIES_MAX = 200  # units tried for a waiting pod, 0.1 ms each; the smallest come first and find places most easily
NOISE_PERCENT = 0.5  # of the fleet's GPUs: what the luck of the arrivals alone makes up


@dataclass(frozen=True)
class Running:
    placement: Placement
    gang: str | None = None  # its pods are moved together or not at all
    stays: bool = False  # nobody may move it


@dataclass(frozen=True)
class Step:
    """Evict these, start the waiting pod there, and start the evicted ones at their new places."""

    evicted: tuple[Placement, ...]
    started: Placement
    placed_again: tuple[Placement, ...]


@dataclass(frozen=True)
class Plan:
    steps: tuple[Step, ...] = ()

    @property
    def moves(self) -> int:
        return sum(len(step.evicted) for step in self.steps)

    @property
    def gain_milli(self) -> int:
        return sum(step.started.ask.demand_milli for step in self.steps)


def defragment(
    placer: Placer,
    running: Sequence[Running],
    waiting: Sequence[Ask],
    moves_max: int = MOVES_MAX,
    noise_percent: float = NOISE_PERCENT,
) -> Plan:
    """Steps that let waiting pods start, in the order in which they are to be taken; none when they win too little."""
    if moves_max < 0:
        raise Invalid("Plan", "", "moves_max", f"{moves_max} is below 0")
    search = _Search(placer, running)
    steps: list[Step] = []
    for ask, count in _largest_first(waiting):
        for _ in range(count):
            step = search.step_for(ask, moves_max - sum(len(each.evicted) for each in steps))
            if step is None:
                break
            steps.append(step)
    search.undo(steps)
    plan = Plan(tuple(steps))
    return plan if plan.gain_milli * 100 >= noise_percent * placer.fleet.capacity_milli else Plan()


def carry_out(placer: Placer, plan: Plan) -> None:
    for step in plan.steps:
        for gone in step.evicted:
            placer.take_away(gone)
        for placement in (step.started, *step.placed_again):
            placer.put_back(placement)


def _largest_first(waiting: Sequence[Ask]) -> list[tuple[Ask, int]]:
    counts = Counter(ask.key for ask in waiting)
    one_of = {ask.key: replace(ask, name="") for ask in waiting if ask.demand_milli and ask.mig is None}
    order = sorted(one_of.values(), key=lambda ask: (-ask.demand_milli, ask.cpu_milli, ask.memory_mib, ask.key))
    return [(ask, counts[ask.key]) for ask in order]


class _Search:
    """Units by what their leaving gives back, as arrays: which of them would make room is one NumPy expression.

    An entry is one pod of a unit, which may be all of it.
    """

    def __init__(self, placer: Placer, running: Sequence[Running]) -> None:
        self._placer = placer
        self._pods = [each.placement for each in running]
        single = [(pod,) for pod, each in enumerate(running) if each.gang is None and not each.stays]
        entries = [(unit, pod) for unit in (*single, *_gangs(running)) for pod in unit]
        self._units = [unit for unit, _ in entries]
        here = [self._pods[pod] for _, pod in entries]
        self._row = _column([pod.node for pod in here])
        self._cpu = _column([pod.ask.cpu_milli for pod in here])
        self._memory = _column([pod.ask.memory_mib for pod in here])
        self._milli = _column([pod.ask.gpus * pod.ask.gpu_milli for pod in here])
        self._gpu = _column([pod.gpus[0] if pod.ask.shares else -1 for pod in here])
        self._weight = _column([sum(self._pods[pod].ask.demand_milli for pod in unit) for unit in self._units])
        self._size = _column([len(unit) for unit in self._units])
        self._open = np.ones(len(entries), dtype=np.bool_)
        self._entries_of: dict[int, list[int]] = defaultdict(list)
        for entry, unit in enumerate(self._units):
            for pod in unit:
                self._entries_of[pod].append(entry)

    def step_for(self, ask: Ask, moves_left: int) -> Step | None:
        """The first that works. A pod is moved once."""
        helps = self._makes_room(ask) & self._open & (self._size <= moves_left)
        entries = np.flatnonzero(helps)
        order = np.lexsort((entries, self._cpu[entries], self._weight[entries], self._size[entries]))
        for entry in entries[order[:TRIES_MAX]].tolist():
            step = self._try(ask, self._units[entry], int(self._row[entry]))
            if step is not None:
                for pod in self._units[entry]:
                    self._open[self._entries_of[pod]] = False
                return step
        return None

    def _makes_room(self, ask: Ask) -> Bools:
        """Of each entry, if it left."""
        fleet, row = self._placer.fleet, self._row
        if not fleet.capacity_milli:
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

    def _try(self, ask: Ask, unit: Sequence[int], row: int) -> Step | None:
        placer, members = self._placer, [self._pods[pod] for pod in unit]
        for gone in members:
            placer.take_away(gone)
        done: list[Placement] = []
        if len(placer.fleet.fitting(ask, np.array([row]))):
            done.append(placer.on(ask, row))
            placer.put_back(done[0])
            for gone in members:
                again = placer.place_again(gone.ask)
                if again is None:
                    break
                done.append(again)
        if len(done) == 1 + len(members):
            return Step(tuple(members), done[0], tuple(done[1:]))
        _undo(placer, members, done)
        return None

    def undo(self, steps: Sequence[Step]) -> None:
        for step in reversed(steps):
            _undo(self._placer, step.evicted, (step.started, *step.placed_again))


def _gangs(running: Sequence[Running]) -> list[tuple[int, ...]]:
    members: dict[str, list[int]] = defaultdict(list)
    for pod, each in enumerate(running):
        if each.gang is not None:
            members[each.gang].append(pod)
    return [tuple(pods) for _, pods in sorted(members.items()) if not any(running[pod].stays for pod in pods)]


def _undo(placer: Placer, evicted: Sequence[Placement], put: Sequence[Placement]) -> None:
    for placement in reversed(put):
        placer.take_away(placement)
    for placement in evicted:
        placer.put_back(placement)


def _column(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)
