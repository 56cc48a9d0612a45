"""One pod set onto the forest, with its leader where it has one: find the level, choose there, go down to the leaves.

Kueue's algorithm (KEP-2724, "Computing the assignment"). Required: one domain of the level holds all, the one with the
least room. Preferred: the same, level by level upwards; where not even the widest level has such a domain, the fewest
of its domains together. Unconstrained: any leaves; with slices, any domains of the widest level. On the way down the
children of all chosen domains are one pool until the slices' level, so that the fewest are used; below it each domain
keeps the slices that it was given.

Cost: one pass over leaves x requested resources, sums by level, one sort of the pool at each level.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scheduler_core.topology.balanced import balanced
from scheduler_core.topology.capacity import Capacity
from scheduler_core.topology.choose import Algorithm, Pool, Taken, choose, choose_led, tightest
from scheduler_core.topology.counts import Counts, LeafCounts, count
from scheduler_core.topology.failure import Failure, Searched, does_not_fit, no_domains
from scheduler_core.topology.forest import Forest, Ints
from scheduler_core.topology.gates import Bools
from scheduler_core.topology.request import Ask, Plan, resolve


@dataclass(frozen=True)
class TopologySettings:
    """Kueue's profile by default: BestFit where a level is named, LeastFreeCapacity where none is."""

    unconstrained: Algorithm = Algorithm.LEAST_FREE
    exact_fits: bool = True  # ours: of equally many domains those that are filled; False: as Kueue does, to the letter
    balanced: bool = False  # Kueue's feature gate TASBalancedPlacement: preferred pod sets are spread evenly


DEFAULT = TopologySettings()
LEADERS_AT_MOST = 64  # leaves tried for the leader of a balanced pod set: each costs a pass over all leaves


@dataclass(frozen=True)
class Found:
    workers: tuple[tuple[int, int], ...]  # (leaf, pods)
    leader: int | None = None  # its leaf


@dataclass(frozen=True, eq=False)
class Search:
    """What one placement looks at."""

    forest: Forest
    plan: Plan
    counts: Counts
    algorithm: Algorithm
    exact: bool

    @property
    def led(self) -> bool:
        return self.counts.leads is not None

    def pool(self, level: int, rows: Ints | slice, step: int | None = None) -> Pool:
        """Domains to choose from; below the slices' level in multiples of `step` pods."""
        counts = self.counts
        pods, led = counts.pods[level][rows], counts.led_pods[level][rows]
        units, led_units = counts.slices[level][rows], counts.led_slices[level][rows]
        if step is not None:
            units, led_units = (pods, led) if step == 1 else (pods // step, led // step)
        numbers = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        return Pool(numbers, units, pods, led_units, None if counts.leads is None else counts.leads[level][rows])

    def all_of(self, level: int) -> Pool:
        return self.pool(level, slice(0, len(self.forest.levels[level])))


def place(
    capacity: Capacity,
    ask: Ask,
    leader: Ask | None = None,
    settings: TopologySettings = DEFAULT,
    within: tuple[int, int] | None = None,
    avoid: Sequence[int] = (),
) -> Found | Failure:
    """`within`: level and row of a domain that no pod may leave; `avoid`: leaves that take none."""
    forest, plan = capacity.forest, resolve(capacity.forest.topology, ask)
    if not forest.nodes:
        return no_domains(ask, forest.topology.levels[plan.level])
    if ask.count == 0 and leader is None:
        return Found(())
    counts, leaf = count(capacity, ask, plan, leader, _inside(forest, within, avoid))
    algorithm = settings.unconstrained if plan.unconstrained else Algorithm.BEST_FIT
    search = Search(forest, plan, counts, algorithm, settings.exact_fits)
    if settings.balanced and not plan.required and not plan.unconstrained:
        even = _balanced(search) if leader is None else _balanced_led(capacity, search, ask, leader, leaf)
        if even is not None:
            return even
    start = _start(search)
    if start is None:
        level = plan.level if plan.required or plan.unconstrained else 0
        held = None if plan.required else _held(search, level)
        return does_not_fit(Searched(capacity, ask, leader, plan, counts, leaf), level, held)
    return _down(search, *start, pooled=True)


def _balanced(search: Search) -> Found | None:
    even = balanced(search.forest, search.plan, search.counts)
    if even is None:
        return None
    level, spread = even
    return _down(search, level, [Taken(row, units) for row, units in spread], pooled=False)


def _balanced_led(capacity: Capacity, search: Search, ask: Ask, leader: Ask, leaf: LeafCounts) -> Found | None:
    """The leader on the leaf beside which its workers are spread most evenly over fewest leaves; it stands with some
    of them. Leaves where it takes the least room from workers are tried first, LEADERS_AT_MOST of them."""
    if leaf.leads is None or leaf.led is None:
        return None
    prices, able = leaf.pods - leaf.led, np.flatnonzero(leaf.leads)
    best: tuple[tuple[int, int], Found] | None = None
    for at in able[np.lexsort((able, prices[able]))][:LEADERS_AT_MOST].tolist():
        room = capacity.fork()
        for row, quantity in capacity.vector(leader.shape.requests) or ():
            room.free[row, at] -= quantity
        counts, _ = count(room, ask, search.plan, None, leaf.inside)
        found = _balanced(replace(search, counts=counts))
        if found is not None and at in {there for there, _ in found.workers}:
            evenness = (min(pods for _, pods in found.workers), -len(found.workers))
            if best is None or evenness > best[0]:
                best = evenness, replace(found, leader=at)
    return None if best is None else best[1]


def _inside(forest: Forest, within: tuple[int, int] | None, avoid: Sequence[int]) -> Bools | None:
    if within is None and not avoid:
        return None
    inside = np.ones(len(forest.nodes), np.bool_)
    if within is not None:
        begin, end = forest.leaves_below(*within)
        inside[:begin] = inside[end:] = False
    inside[list(avoid)] = False
    return inside


def _start(search: Search) -> tuple[int, list[Taken]] | None:
    """The level where the search ends and the domains that are chosen there."""
    plan = search.plan
    for level in range(plan.level, -1, -1):
        one = tightest(search.all_of(level), plan.units)
        if one is not None:
            return level, [Taken(one, plan.units, search.led)]
        if plan.required:
            return None
        if level == 0 or plan.unconstrained:
            several = _choose(search, search.all_of(level), plan.units, search.led, widest=True)
            return None if several is None else (level, several)
    return None


def _held(search: Search, level: int) -> int:
    """How many units all domains of a level would hold together."""
    pool = search.all_of(level)
    total = int(pool.units.sum())
    if pool.leads is None:
        return total
    prices = (pool.units - pool.led_units)[pool.leads]
    return total - int(prices.min()) if len(prices) else 0


def _choose(search: Search, pool: Pool, need: int, led: bool, widest: bool = False) -> list[Taken] | None:
    if led:
        return choose_led(pool, need, search.algorithm, search.exact, widest)
    return choose(pool, need, search.algorithm, search.exact)


def _down(search: Search, level: int, taken: list[Taken], pooled: bool) -> Found:
    """From the chosen domains to their leaves; units are slices down to the slices' level, then multiples of pods."""
    plan, last = search.plan, len(search.forest.levels) - 1
    while pooled and level < plan.slice_level:
        rows = _children(search.forest, level, sorted(each.row for each in taken))
        led = any(each.led for each in taken)
        taken = _certain(_choose(search, search.pool(level + 1, rows), sum(each.units for each in taken), led))
        level += 1
    size = plan.slice_size
    while level < last:
        step = size if level < plan.slice_level else plan.inner.get(level + 1, 1)
        taken = [below for each in taken for below in _inside_one(search, level, each, size, step)]
        size, level = step, level + 1
    leader = next((each.row for each in taken if each.led), None)
    return Found(tuple((each.row, each.units * size) for each in taken if each.units), leader)


def _inside_one(search: Search, level: int, domain: Taken, size: int, step: int) -> list[Taken]:
    """What a domain was given, shared among its children; `size` pods a unit above, `step` pods a unit below."""
    each = search.forest.levels[level]
    rows = slice(int(each.begins[domain.row]), int(each.ends[domain.row]))
    slices = level < search.plan.slice_level
    pool = search.pool(level + 1, rows, None if slices else step)
    if not domain.led:
        pool = replace(pool, leads=None, led_units=pool.units)
    if not slices and not search.exact:  # Kueue fills the smallest first here, whatever its documentation says
        search = replace(search, algorithm=Algorithm.LEAST_FREE)
    return _certain(_choose(search, pool, domain.units * size // step, domain.led))


def _children(forest: Forest, level: int, rows: Sequence[int]) -> Ints:
    each = forest.levels[level]
    return np.concatenate([np.arange(each.begins[row], each.ends[row]) for row in rows])


def _certain(taken: list[Taken] | None) -> list[Taken]:
    """What a domain was counted to hold its children hold: counts are sums."""
    if taken is None:
        raise AssertionError("a domain holds less than was counted for it")
    return taken
