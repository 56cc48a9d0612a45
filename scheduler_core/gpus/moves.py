"""The search behind `defragment`: which units to move so that most waiting pods start for every move.

A unit is a single pod, or all pods of a gang. For each unit it is guessed what would start if it left (`filling`), and
the guesses stand in a heap by gain per move. The best is tried on the real fleet: the unit leaves, a first waiting pod
starts, everything that left is placed again, and more waiting pods start on the room that is left. A pod that has no
other place may change places with one that has: two moves. What moved is not moved again.

Guesses go stale as the fleet changes: one that has fallen goes back into the heap, and units on changed nodes are
guessed anew. A guess that is too high costs a try, never a wrong step.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from math import inf

from scheduler_core.gpus.filling import Room, Waiting
from scheduler_core.gpus.fleet import Placement
from scheduler_core.gpus.partners import Partners
from scheduler_core.gpus.placer import Placer

LOOKS_MAX = (
    4_000  # 0.2 ms each, beside the guesses: a plan for a fleet of 1,200 nodes takes between one and two seconds
)


@dataclass(frozen=True)
class Step:
    """Evict these, start the waiting pods there, and start the evicted ones at their new places."""

    evicted: tuple[Placement, ...]
    started: tuple[Placement, ...]
    placed_again: tuple[Placement, ...]

    @property
    def gain_milli(self) -> int:
        return sum(each.ask.demand_milli for each in self.started)


@dataclass(frozen=True, order=True)
class _Guess:
    """Ordered as the heap wants it: most gain per move, then the least that has to move."""

    negative_gain: int  # milli per move
    weight_milli: int
    cpu_milli: int
    unit: int
    swaps: bool
    steps: int = field(compare=False)  # found when it was made: as long as there are no more, it is not stale


class Search:
    def __init__(self, placer: Placer, pods: Sequence[Placement], units: Sequence[tuple[int, ...]], waiting: Waiting):
        self._placer, self._pods, self._units, self._waiting = placer, pods, units, waiting
        self._stays = [False] * len(units)
        self._on: dict[int, list[int]] = defaultdict(list)
        for unit, members in enumerate(units):
            for row in sorted({pods[pod].node for pod in members}):
                self._on[row].append(unit)
        self._partners = Partners(placer, [(unit, pods[m[0]]) for unit, m in enumerate(units) if len(m) == 1])
        self._heap: list[_Guess] = []
        self._found = 0
        self._homeless: set[object] = set()
        """Kinds of pods that had no place anywhere when last looked for."""

    def steps(self, moves_max: int) -> Iterator[Step]:
        self._guess(range(len(self._units)))
        looks = 0
        while self._heap and looks < LOOKS_MAX and moves_max > 0:
            guess = heappop(self._heap)
            moves = len(self._units[guess.unit]) + guess.swaps
            if self._stays[guess.unit] or moves > moves_max or self._fell(guess):
                continue
            step = None
            looks += guess.swaps
            for way in self._ways(guess):
                looks += 1
                step = self._try(way)
                if step is not None:
                    moves_max -= len(step.evicted)
                    yield step
                    break
            if step is None and not guess.swaps and moves == 1:
                gain = -guess.negative_gain // 2
                heappush(self._heap, replace(guess, negative_gain=-gain, swaps=True))

    def undo(self, steps: Sequence[Step]) -> None:
        """The fleet as it was. The search is of no use afterwards."""
        for step in reversed(steps):
            self._undo(step.evicted, (*step.started, *step.placed_again))

    def _guess(self, units: Iterable[int]) -> None:
        for unit in units:
            if not self._stays[unit]:
                self._push(unit, swaps=False)

    def _push(self, unit: int, *, swaps: bool) -> None:
        members = [self._pods[pod] for pod in self._units[unit]]
        gain = self._gain(members) // (len(members) + swaps)
        if gain:
            weight = sum(each.ask.demand_milli for each in members)
            cpu = sum(each.ask.cpu_milli for each in members)
            heappush(self._heap, _Guess(-gain, weight, cpu, unit, swaps, self._found))

    def _fell(self, guess: _Guess) -> bool:
        """Whether less would start now than when the guess was made; it is back in the heap then."""
        if guess.steps == self._found:
            return False
        members = [self._pods[pod] for pod in self._units[guess.unit]]
        if self._gain(members) // (len(members) + guess.swaps) >= -guess.negative_gain:
            return False
        self._push(guess.unit, swaps=guess.swaps)
        return True

    def _gain(self, members: Sequence[Placement]) -> int:
        rooms: dict[int, Room] = {}
        for each in members:
            rooms.setdefault(each.node, Room.of(self._placer.fleet, each.node)).without(each)
        return self._waiting.gain_milli(list(rooms.values()))

    def _ways(self, guess: _Guess) -> Iterator[list[tuple[int, int | None]]]:
        """Which units leave, and the row that one must go to; None: wherever the policy wants it."""
        if not guess.swaps:
            if self._has_a_place(guess.unit):
                yield [(guess.unit, None)]
            return
        pod = self._pods[self._units[guess.unit][0]]
        for partner in self._partners.of(pod, self._stays):
            row = self._pods[self._units[partner][0]].node
            yield [(guess.unit, row), (partner, None)]

    def _has_a_place(self, unit: int) -> bool:
        """False: certainly not. Elsewhere, or on another GPU of the same node."""
        for pod in self._units[unit]:
            here = self._pods[pod]
            if here.ask.key not in self._homeless:
                if len(self._placer.fleet.fitting(here.ask, self._placer.rows)):
                    continue
                self._homeless.add(here.ask.key)
            left = self._placer.fleet.left[here.node]
            if not here.ask.shares or not any(
                left[gpu] >= here.ask.gpu_milli for gpu in range(len(left)) if gpu not in here.gpus
            ):
                return False
        return True

    def _try(self, way: Sequence[tuple[int, int | None]]) -> Step | None:
        """The step as the real fleet has it; None, and nothing has changed, when somebody would find no place."""
        placer = self._placer
        leaving = [(self._pods[pod], aim) for unit, aim in way for pod in self._units[unit]]
        evicted = tuple(pod for pod, _ in leaving)
        for pod in evicted:
            placer.take_away(pod)
        done = [placer.place_at(pod.ask, aim) for pod, aim in leaving if aim is not None]
        first = sorted({self._pods[pod].node for pod in self._units[way[0][0]]})
        started = self._start(first, 1) if None not in done else []
        if started:
            done += [placer.place_again(pod.ask) for pod, aim in leaving if aim is None]
        again = [each for each in done if each is not None]
        if not started or len(again) < len(evicted):
            self._undo(evicted, (*started, *again))
            self._waiting.wait_again(started)
            return None
        started += self._start(sorted({pod.node for pod in evicted}))
        for unit, _ in way:
            self._stays[unit] = True
        self._homeless.clear()
        self._found += 1
        self._guess(sorted({unit for each in (*evicted, *again) for unit in self._on[each.node]}))
        return Step(evicted, tuple(started), tuple(again))

    def _start(self, rows: Sequence[int], most: float = inf) -> list[Placement]:
        """Waiting pods that now fit there, the largest first, and at most so many. They wait no more."""
        started: list[Placement] = []
        for row in rows:
            room = Room.of(self._placer.fleet, row)
            for ask in self._waiting.kinds:
                while len(started) < most and self._waiting.counts[ask.key] and room.take(ask):
                    placed = self._placer.place_at(ask, row)
                    assert placed is not None, "the room was the fleet's own"  # noqa: S101
                    started.append(placed)
                    self._waiting.counts[ask.key] -= 1
                    room = Room.of(self._placer.fleet, row)  # the policy may have chosen another GPU
        return started

    def _undo(self, evicted: Sequence[Placement], put: Sequence[Placement]) -> None:
        for placement in reversed(put):
            self._placer.take_away(placement)
        for placement in evicted:
            self._placer.put_back(placement)
