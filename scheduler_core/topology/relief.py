"""What would let a pod set in that found no place: the truth behind "why is it pending", worked out when it is asked.

Promised of `free`: once exactly that much has come free on exactly those leaves, the pod set is placed; and no way to
free less, counted in pods (`price.py`), would do, in any domain that it may use. Promised of `add`: new nodes in
`domain` with room for so many of its pods (and its leader, where `add_leader` says so), and it is placed; without
slices and leader, room for one less would not do. Two bounds on the search keep it short, and beyond them the answer is
still enough but may not be the least: LEADERS_AT_MOST leaves for the leader, OVERFULL_AT_MOST over-full leaves.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, combinations

import numpy as np

from scheduler_core.topology.capacity import Capacity
from scheduler_core.topology.counts import leaves_of
from scheduler_core.topology.failure import Searched
from scheduler_core.topology.forest import Path
from scheduler_core.topology.price import Ground, Unit, domain_units, offered, owed, prices
from scheduler_core.topology.request import Ask

LEADERS_AT_MOST = 64  # leaves tried for the leader in one domain, the cheapest first: each costs a pass over the domain
PASSES_AT_MOST = 20_000  # leaves looked at for all of them: 0.1 s
OVERFULL_AT_MOST = 4  # over-full leaves tried in all combinations: 16 passes


@dataclass(frozen=True)
class TooLarge:
    """A pod that no leaf it may use could hold, were that leaf empty."""

    pod_set: str
    resource: str
    wanted: int
    most: int


@dataclass(frozen=True)
class Barred:
    """No leaf takes such a pod, whatever its room: taints, selector, affinity or exclusions keep it out everywhere."""

    pod_set: str


@dataclass(frozen=True)
class Relief:
    pod_set: str
    domain: Path  # where; empty: in the topology as a whole
    add: int  # pods that new nodes there would have to take
    add_leader: bool
    free: tuple[
        tuple[Path, str, int], ...
    ]  # leaf, resource, how much; empty: the domain could not hold it, were it empty
    most: int  # pods that the roomiest domain could hold, were it empty


Remedy = Relief | TooLarge | Barred


def relief(search: Searched) -> Remedy:
    ground = _ground(search)
    if not isinstance(ground, Ground):
        return ground
    level, groups = _domains(search)
    cheapest: tuple[Fraction, int, dict[int, int], int | None] | None = None
    most = 0
    for number, rows in enumerate(groups):
        for start in _starts(ground, search, level, rows):
            found = _cost(ground, search, level, rows, start)
            most = max(most, found[1])
            if found[0] is not None and (cheapest is None or found[0] < cheapest[0]):
                cheapest = (found[0], number, found[2], start.leader)
    adds, leads, closest = _to_add(search, level, groups)
    if cheapest is None:
        return Relief(search.ask.name, closest, adds, leads, (), most)
    _, number, pods, leader = cheapest
    where = _path(search.capacity, level, groups[number]) if search.plan.required else ()
    adds, leads = _missing(search, level, groups[number])
    return Relief(search.ask.name, where, adds, leads, _told(ground, pods, leader), most)


def with_freed(capacity: Capacity, found: Relief) -> Capacity:
    """As though all of it had come free."""
    after = capacity.fork()
    for path, resource, amount in found.free:
        at = capacity.forest.domain(path)
        if at is not None:
            after.free[capacity.row_of[resource], at[1]] += amount
    return after


@dataclass(frozen=True)
class _Start:
    """What is paid before pods are: the leaf of the leader, and the over-full leaves that are used."""

    leader: int | None
    cleared: frozenset[int]


def _ground(search: Searched) -> Ground | TooLarge | Barred:
    capacity, ask, leader = search.capacity, search.ask, search.leader
    for each in (ask, leader) if leader else (ask,):
        large = _too_large(capacity, each, search)
        if large is not None:
            return large
    inside = search.leaf.inside
    leads = leaves_of(capacity, leader, None, inside).gate.open if leader else None
    within = [True] * len(capacity.forest.leaves) if inside is None else inside.tolist()
    return Ground(
        capacity,
        capacity.vector(ask.shape.requests) or (),
        (capacity.vector(leader.shape.requests) or ()) if leader else (),
        tuple(a and b for a, b in zip(search.leaf.gate.open.tolist(), within, strict=True)),
        tuple(a and b for a, b in zip(leads.tolist(), within, strict=True)) if leads is not None else (),
        offered(capacity),
    )


def is_too_large(search: Searched) -> bool:
    """Is a pod of it, or its leader, larger than every leaf that it may use? Cheap: one pass over the leaves."""
    asks = (search.ask, search.leader) if search.leader else (search.ask,)
    return any(isinstance(_too_large(search.capacity, ask, search), TooLarge) for ask in asks)


def _too_large(capacity: Capacity, ask: Ask, search: Searched) -> TooLarge | Barred | None:
    gate, wanted = capacity.gates.gate(ask.shape).open, capacity.vector(ask.shape.requests)
    if search.leaf.inside is not None:
        gate = gate & search.leaf.inside
    if not gate.any():
        return Barred(ask.name)
    if wanted is None:
        strange = sorted(name for name, each in ask.shape.requests.items() if each and name not in capacity.row_of)
        return TooLarge(ask.name, strange[0], ask.shape.requests[strange[0]], 0)
    size = np.maximum(capacity.size, capacity.free)
    able = gate.copy()
    for row, quantity in wanted:
        able &= size[row] >= quantity
    if able.any():
        return None
    tops = [(int(size[row][gate].max()), capacity.resources[row], quantity) for row, quantity in wanted]
    lacks = [each for each in tops if each[0] < each[2]]
    top, resource, quantity = min(lacks) if lacks else (0, "", 0)
    return TooLarge(ask.name, resource, quantity, top)


def _domains(search: Searched) -> tuple[int, list[tuple[int, ...]]]:
    """Level, and what may hold the pod set: one of its domains each, or all of the widest together."""
    if search.plan.required:
        return search.plan.level, [(row,) for row in range(len(search.capacity.forest.levels[search.plan.level]))]
    return 0, [tuple(range(len(search.capacity.forest.levels[0])))]


def _path(capacity: Capacity, level: int, rows: Sequence[int]) -> Path:
    return capacity.forest.levels[level].paths[rows[0]]


def _leaves(search: Searched, level: int, rows: Sequence[int]) -> list[int]:
    bounds = (search.capacity.forest.leaves_below(level, row) for row in rows)
    return [leaf for begin, end in bounds for leaf in range(begin, end)]


def _starts(ground: Ground, search: Searched, level: int, rows: Sequence[int]) -> Iterator[_Start]:
    leaves = _leaves(search, level, rows)
    debts = sorted(
        (owed(ground, leaf, False), leaf) for leaf in leaves if ground.is_over_full(leaf) and ground.open[leaf]
    )
    over_full = [leaf for _, leaf in debts[:OVERFULL_AT_MOST]]
    cleared = list(chain.from_iterable(combinations(over_full, size) for size in range(len(over_full) + 1)))
    leaders: list[int | None] = [None]
    if ground.leading:
        able = [leaf for leaf in leaves if ground.leads[leaf] and _holds_leader(ground, leaf)]
        tries = max(1, min(LEADERS_AT_MOST, PASSES_AT_MOST // len(leaves)))
        leaders = list(sorted(able, key=lambda leaf: (ground.cost(leaf, 0, True), leaf))[:tries])
    for leader in leaders:
        for each in cleared:
            yield _Start(leader, frozenset(each) - {leader})


def _holds_leader(ground: Ground, leaf: int) -> bool:
    return all(int(ground.size[row, leaf]) >= quantity for row, quantity in ground.leading)


def _cost(
    ground: Ground, search: Searched, level: int, rows: Sequence[int], start: _Start
) -> tuple[Fraction | None, int, dict[int, int]]:
    """What it costs there in all, how many pods there could be at most, and how many each leaf gets."""
    total, plan, of = Fraction(0), search.plan, dict[int, list[Unit]]()
    for leaf in _leaves(search, level, rows):
        led, started = leaf == start.leader, leaf == start.leader or leaf in start.cleared
        if started:
            total += owed(ground, leaf, led)
        elif ground.is_over_full(leaf):
            continue
        of[leaf] = prices(ground, leaf, led, started, plan.count)
    units = domain_units(search.capacity.forest, plan, level, rows, of)
    size = plan.slice_size
    if len(units) < plan.units:
        return None, len(units) * size, {}
    chosen = units[: plan.units]
    pods = Counter(leaf for _, leaves in chosen for leaf in leaves)
    return total + sum((cost for cost, _ in chosen), Fraction(0)), len(units) * size, dict(pods)


def _told(ground: Ground, pods: dict[int, int], leader: int | None) -> tuple[tuple[Path, str, int], ...]:
    paths, names = ground.capacity.forest.leaves.paths, ground.capacity.resources
    leaves = sorted({*pods, *(() if leader is None else (leader,))})
    return tuple(
        (paths[leaf], names[row], amount)
        for leaf in leaves
        for row, amount in sorted(ground.lacks(leaf, pods.get(leaf, 0), leaf == leader).items())
    )


def _missing(search: Searched, level: int, rows: Sequence[int]) -> tuple[int, bool]:
    """Pods, and whether a leader, that have no room in these domains."""
    counts, plan = search.counts, search.plan
    slices = sum(int(counts.slices[level][row]) for row in rows)
    if counts.leads is None:
        return (plan.units - slices) * plan.slice_size, False
    prices_of = [int(counts.slices[level][r] - counts.led_slices[level][r]) for r in rows if counts.leads[level][r]]
    if not prices_of:
        return max(0, plan.units - slices) * plan.slice_size, True
    return max(0, plan.units - slices + min(prices_of)) * plan.slice_size, False


def _to_add(search: Searched, level: int, groups: Sequence[tuple[int, ...]]) -> tuple[int, bool, Path]:
    """To the domain that lacks least."""
    found = [(*_missing(search, level, rows), _path(search.capacity, level, rows)) for rows in groups]
    pods, leader, path = min(found, key=lambda each: (each[0] + each[1], each[2]))
    return pods, leader, path if search.plan.required else ()
