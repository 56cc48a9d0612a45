"""At what pace does a training make its steps, by its own measure: now, and at its best for a while.

Slower is: in every few minutes of late some steps were made, and far fewer than in the same time before. A pause for a
checkpoint or an evaluation, after which it goes on as before, is no slower pace; nor is standing still.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from agent.domain.thresholds import Thresholds
from agent.evidence.pod_series import fresh
from agent.ports import Series

SLOT = timedelta(minutes=5)
SLOWER = 0.75  # of the pace before
ABOUT = 0.9  # and who makes so much of it goes at it


@dataclass(frozen=True, slots=True)
class Pace:
    """`share`: the pace of late as a part of the best, and when it went at that; known only where it `fell`."""

    fell: bool = False
    share: float = 1.0
    best: tuple[tuple[datetime, datetime], ...] = ()

    def was_best(self, at: datetime) -> bool:
        return any(start <= at <= end for start, end in self.best)


def pace_of(steps: Iterable[Series], now: datetime, thresholds: Thresholds) -> Pace:
    """Of the counter that has advanced most: ranks count the same steps, and not all of them count."""
    counters = [one for one in steps if fresh(one.points, now)]
    if not counters:
        return Pace()
    one = max(counters, key=lambda s: s.points[-1][1] - s.points[0][1])
    slots, slot_s = _slots(one, now), int(SLOT.total_seconds())
    slots_late, slots_best = thresholds.straggler_slow_s // slot_s, thresholds.straggler_best_s // slot_s
    late, before = slots[-slots_late:], slots[:-slots_late]
    ranked = sorted((made for _, made in before), reverse=True)
    if len(late) < slots_late or len(ranked) < slots_best or ranked[slots_best - 1] <= 0:
        return Pace()
    best = ranked[slots_best - 1]
    if not all(0 < made <= SLOWER * best for _, made in late):
        return Pace()
    times = tuple((end - SLOT, end) for end, made in before if made >= ABOUT * best)
    return Pace(True, sum(made for _, made in late) / slots_late / best, times)


def _slots(one: Series, now: datetime) -> Sequence[tuple[datetime, float]]:
    """The end of each slot up to now, and how far the counter went in it; where it began again at 0 a slot is not."""
    ends: list[tuple[datetime, float]] = []
    end, points = now, list(one.points)
    while points and points[0][0] <= end - SLOT:
        inside = [v for at, v in points if end - SLOT <= at <= end]
        if len(inside) > 1 and all(a <= b for a, b in pairwise(inside)):
            ends.append((end, inside[-1] - inside[0]))
        end -= SLOT
    return ends[::-1]
