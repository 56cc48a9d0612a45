"""Which of some domains take how much: Kueue's two orders, its choice of the last domain, and exact fits.

- BestFit: the roomiest first; the last one is the tightest that still holds the rest. As many domains as needed, no
  more, and of equally many those that are filled exactly (`exact.py`; the last is ours, not Kueue's).
- LeastFreeCapacity: the least room first, so that small gaps fill up.

Ties go to the domain with fewer pods' room, then to the earlier name. A leader stands in the first domain that has room
for it at a price the rest can bear.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from scheduler_core.topology.exact import exact_values
from scheduler_core.topology.forest import Ints
from scheduler_core.topology.gates import Bools


class Algorithm(StrEnum):
    BEST_FIT = "BestFit"
    LEAST_FREE = "LeastFreeCapacity"


@dataclass(frozen=True)
class Taken:
    row: int
    units: int
    led: bool = False  # the leader stands here


@dataclass(frozen=True, eq=False)
class Pool:
    """Domains of one level to choose from: their rows rise, the columns are of equal length."""

    rows: Ints
    units: Ints
    pods: Ints
    led_units: Ints
    leads: Bools | None

    def without(self, place: int) -> "Pool":
        keep = np.arange(len(self.rows)) != place
        return Pool(self.rows[keep], self.units[keep], self.pods[keep], self.led_units[keep], None)


def choose(pool: Pool, need: int, algorithm: Algorithm, exact: bool) -> list[Taken] | None:
    """Enough of the pool for the need, or None."""
    if need == 0:
        return []
    roomy = np.flatnonzero(pool.units > 0)
    units = pool.units[roomy]
    order = _order(units, pool.pods[roomy], algorithm)
    sorted_units = units[order]
    sums = np.cumsum(sorted_units)
    if not len(sums) or sums[-1] < need:
        return None
    k = int(np.searchsorted(sums, need)) + 1
    rest = need - (int(sums[k - 2]) if k > 1 else 0)
    rows = pool.rows[roomy[order]]
    if algorithm is Algorithm.LEAST_FREE:
        return _filled(rows, sorted_units, k - 1, k - 1, rest)
    behind = sorted_units[k - 1 :]
    enough = int(np.searchsorted(-behind, -rest, side="right"))  # how many still hold the rest
    tightest = int(behind[enough - 1])
    if tightest != rest and exact and k > 1:
        values = exact_values(sorted_units.tolist(), need, k)
        if values is not None:
            return _of_values(rows, sorted_units, values)
    last = k - 1 + int(np.searchsorted(-behind, -tightest, side="left"))
    return _filled(rows, sorted_units, k - 1, last, rest)


def choose_led(pool: Pool, need: int, algorithm: Algorithm, exact: bool, widest: bool) -> list[Taken] | None:
    """The same with a leader. `widest`: where the search ends, domains are weighed with the leader in them."""
    if pool.leads is None:
        return choose(pool, need, algorithm, exact)
    total = int(pool.units.sum())
    weights = pool.led_units if widest else pool.units
    bearable = pool.leads & (total - (pool.units - pool.led_units) >= need)
    places = np.flatnonzero(bearable)
    if not len(places):
        return None
    first = int(places[_order(weights[places], pool.pods[places], algorithm)[0]])
    if algorithm is Algorithm.BEST_FIT and pool.led_units[first] >= need:
        alone = tightest(pool, need)
        return None if alone is None else [Taken(alone, need, led=True)]
    beside = min(need, int(pool.led_units[first]))
    rest = choose(pool.without(first), need - beside, algorithm, exact)
    return None if rest is None else [Taken(int(pool.rows[first]), beside, led=True), *rest]


def tightest(pool: Pool, need: int) -> int | None:
    """The row of the one domain with the least room that holds all of it (and the leader)."""
    fits = pool.led_units >= need
    if pool.leads is not None:
        fits &= pool.leads
    places = np.flatnonzero(fits)
    if not len(places):
        return None
    units = pool.led_units[places]
    places = places[units == units.min()]
    return int(pool.rows[places[np.argmin(pool.pods[places])]])


def _order(units: Ints, pods: Ints, algorithm: Algorithm) -> Ints:
    weights = -units if algorithm is Algorithm.BEST_FIT else units
    if units is pods or np.array_equal(units, pods):
        return np.argsort(weights, kind="stable")
    return np.lexsort((pods, weights))


def _filled(rows: Ints, units: Ints, whole: int, last: int, rest: int) -> list[Taken]:
    taken = [Taken(row, room) for row, room in zip(rows[:whole].tolist(), units[:whole].tolist(), strict=True)]
    return [*taken, Taken(int(rows[last]), rest)]


def _of_values(rows: Ints, units: Ints, values: dict[int, int]) -> list[Taken]:
    left = dict(values)
    taken = []
    for row, room in zip(rows.tolist(), units.tolist(), strict=True):
        if left.get(room):
            left[room] -= 1
            taken.append(Taken(row, room))
    return taken
