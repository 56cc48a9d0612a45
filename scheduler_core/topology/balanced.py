"""Balanced placement: a preferred pod set spread evenly, for collectives that wait for their slowest link.

Kueue's feature gate TASBalancedPlacement (KEP-2724, "Balanced placement"), off by default. Of the domains one level
above the preferred one that hold everything, the one where the smallest share of a domain below the preferred level is
largest; there as few domains as hold it, of those the fewest units of room, each given that share and the rest where
room is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scheduler_core.topology.counts import Counts
from scheduler_core.topology.forest import Forest, Ints
from scheduler_core.topology.request import Plan

STEPS_AT_MOST = 200_000  # of the search for the least room: 0.1 s; beyond, the roomiest domains are taken


@dataclass(frozen=True)
class _Even:
    """One way to spread: `share` units at least in each of the domains one level down that are used."""

    share: int
    wide: Ints  # domains of the preferred level that stay in play
    room: dict[int, int]  # units of each of their children, those with less than the share left out
    fewest: int  # how many of the preferred level's are needed


def balanced(forest: Forest, plan: Plan, counts: Counts) -> tuple[int, list[tuple[int, int]]] | None:
    """(level, [(row, units)]), or None where the usual algorithm has to do it."""
    if plan.units == 0:
        return None
    best: _Even | None = None
    for rows in _families(forest, plan):
        even = _even(forest, plan, counts, rows)
        if even is not None and (best is None or (even.share, -even.fewest) > (best.share, -best.fewest)):
            best = even
    if best is None:
        return None
    narrow = plan.level < plan.slice_level
    if narrow:
        rooms = {int(row): sum(best.room[child] for child in _kept(forest, plan, best, int(row))) for row in best.wide}
        chosen = _least_room(rooms, plan.units, lambda row: _entropy(best, _kept(forest, plan, best, row)))
        rooms = {child: best.room[child] for row in chosen for child in _kept(forest, plan, best, row)}
    else:
        rooms = best.room
    used = _least_room(rooms, plan.units, lambda _row: 0.0)
    if not used or plan.units < best.share * len(used):
        return None
    return plan.level + (1 if narrow else 0), _spread(rooms, used, plan.units, best.share)


def _families(forest: Forest, plan: Plan) -> list[Ints]:
    """Domains of the preferred level by their parent."""
    if plan.level == 0:
        return [np.arange(len(forest.levels[0]))]
    above = forest.levels[plan.level - 1]
    return [np.arange(begin, end) for begin, end in zip(above.begins, above.ends, strict=True)]


def _even(forest: Forest, plan: Plan, counts: Counts, rows: Ints) -> _Even | None:
    narrow = plan.level < plan.slice_level
    level = plan.level + 1 if narrow else plan.level
    begins, ends = forest.levels[plan.level].begins, forest.levels[plan.level].ends
    below = [child for row in rows for child in range(begins[row], ends[row])] if narrow else [int(row) for row in rows]
    room = {row: int(counts.slices[level][row]) for row in below}
    fit = _greedy(list(room.values()), plan.units)
    if fit is None:
        return None
    used, last = fit
    share = min(plan.units // used, last)
    if share == 0:
        return None
    kept = {row: units for row, units in room.items() if units >= share}
    if narrow:
        sums = [sum(kept.get(child, 0) for child in range(begins[row], ends[row])) for row in rows]
    else:
        sums = [kept.get(int(row), 0) for row in rows]
    pruned = _greedy(sums, plan.units)
    if pruned is None:
        return None
    return _Even(
        share, np.array([row for row, units in zip(rows, sums, strict=True) if units], np.int64), kept, pruned[0]
    )


def _kept(forest: Forest, plan: Plan, even: _Even, row: int) -> list[int]:
    level = forest.levels[plan.level]
    return [child for child in range(int(level.begins[row]), int(level.ends[row])) if child in even.room]


def _greedy(rooms: Sequence[int], need: int) -> tuple[int, int] | None:
    """How many of the roomiest hold the need, and the room of the last of them."""
    left = need
    for used, room in enumerate(sorted(rooms, reverse=True), start=1):
        left -= room
        if left <= 0:
            return used, room
    return None


def _entropy(even: _Even, children: Sequence[int]) -> float:
    """How evenly a domain's room is spread over its children."""
    rooms = np.array([even.room[child] for child in children], np.float64)
    shares = rooms / rooms.sum()
    return float(-(shares * np.log2(shares)).sum())


def _least_room(rooms: dict[int, int], need: int, evenness: Callable[[int], float]) -> list[int]:
    """As few as hold the need, of those with the least room in all; the roomier and the more even ones first."""
    fit = _greedy(list(rooms.values()), need)
    if fit is None:
        return []
    order = sorted(rooms, key=lambda row: (-rooms[row], -evenness(row), row))
    count = fit[0]
    sets: list[dict[int, tuple[int, ...]]] = [{} for _ in range(count + 1)]
    sets[0][0] = ()
    steps = 0
    for row in order:
        steps += sum(len(each) for each in sets)
        if steps > STEPS_AT_MOST:
            return order[:count]
        for size in range(count, 0, -1):
            for total, chosen in sets[size - 1].items():
                sets[size].setdefault(total + rooms[row], (*chosen, row))
    return list(sets[count][min(total for total in sets[count] if total >= need)])


def _spread(rooms: dict[int, int], used: Sequence[int], need: int, share: int) -> list[tuple[int, int]]:
    extra = need - share * len(used)
    spread = []
    for row in sorted(used, key=lambda row: (-rooms[row], row)):
        more = min(extra, rooms[row] - share)
        spread.append((row, share + more))
        extra -= more
    return spread
