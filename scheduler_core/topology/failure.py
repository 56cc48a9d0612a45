"""Why a pod set found no place: data, in Kueue's words where it has them; what came closest and what binds there."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from scheduler_core.topology.capacity import Capacity
from scheduler_core.topology.counts import Counts, LeafCounts, leaves_of
from scheduler_core.topology.forest import Ints, Path
from scheduler_core.topology.gates import Bools
from scheduler_core.topology.request import Ask, Plan

MOST = (1 << 63) - 1  # of a sum in 64 bits


class Cause(StrEnum):
    NO_DOMAINS = "NoDomains"  # no node carries all levels' labels
    DOES_NOT_FIT = "DoesNotFit"
    UNANSWERABLE = "Unanswerable"  # nothing can be free enough for what it asks, as slices that do not divide its pods
    STALE = "StaleAssignment"  # what is to be repaired stands on nodes that are gone


@dataclass(frozen=True, kw_only=True)
class Failure:
    pod_set: str
    cause: Cause
    message: str
    wanted: int = 0  # pods
    closest_level: str | None = None  # where the pod set was looked for last
    closest: Path = ()  # the domain of that level with most room; empty where several could have shared the pod set
    fits: int = 0  # pods of it that have room there, slices counted whole
    binding: str | None = None  # the resource that runs out first there
    fits_without_topology: bool = False  # there is room for every pod, only not as it was asked for
    fits_in_sum: bool = False  # summed over all nodes enough is free of everything: it is scattered
    excluded: tuple[tuple[str, int], ...] = ()  # leaves that take none of its pods, by what keeps them out
    search: "Searched | None" = field(default=None, compare=False, repr=False)  # for `relief.py`, while nothing changes

    @property
    def scattered(self) -> bool:
        """It would fit in what is free in all, and does not fit on the nodes, whatever the topology."""
        return self.fits_in_sum and not self.fits_without_topology


@dataclass(frozen=True, eq=False)
class Searched:
    """What was looked at in vain."""

    capacity: Capacity
    ask: Ask
    leader: Ask | None
    plan: Plan
    counts: Counts
    leaf: LeafCounts


def no_domains(ask: Ask, level: str) -> Failure:
    return Failure(
        pod_set=ask.name, cause=Cause.NO_DOMAINS, message=f"no topology domains at level: {level}", wanted=ask.count
    )


def does_not_fit(search: Searched, level: int, units: int | None) -> Failure:
    """`units` that several domains of `level` held together; None: one domain was asked to hold all."""
    capacity, ask, plan, counts, leaf = search.capacity, search.ask, search.plan, search.counts, search.leaf
    best = _closest(counts, level)
    told = int(counts.slices[level][best]) if units is None else units
    beside = int(counts.led_slices[level][best]) if units is None else units  # the leader
    excluded = _excluded(capacity, ask, leaf)
    begin, end = capacity.forest.leaves_below(level, best) if plan.required else (0, len(leaf.pods))
    short, of_short = ask, leaf
    if search.leader is not None and counts.leads is not None and not counts.leads[-1][begin:end].any():
        short, of_short = search.leader, leaves_of(capacity, search.leader, None, leaf.inside)
    fits = beside * plan.slice_size if short is ask else 0
    return Failure(
        pod_set=short.name,
        cause=Cause.DOES_NOT_FIT,
        message=_message(capacity, plan, counts, level, told) + _excluded_words(len(leaf.pods), excluded),
        wanted=short.count,
        closest_level=capacity.forest.topology.levels[level],
        closest=capacity.forest.levels[level].paths[best] if plan.required else (),
        fits=fits,
        binding=_binding(capacity, short, of_short, slice(begin, end)),
        fits_without_topology=int(of_short.pods.sum()) >= short.count,
        fits_in_sum=_fits_in_sum(capacity, short, of_short),
        excluded=excluded,
        search=search,
    )


def _closest(counts: Counts, level: int) -> int:
    """The domain with room for most, the leader in it where there is one."""
    slices, pods = counts.led_slices[level], counts.led_pods[level]
    leads = np.ones(len(slices), np.bool_) if counts.leads is None else counts.leads[level]
    return int(np.lexsort((pods, -slices, ~leads))[0])


def _message(capacity: Capacity, plan: Plan, counts: Counts, level: int, units: int) -> str:
    name = capacity.forest.topology.name
    if len(plan.layers) > 1:
        best = int(np.argmax(counts.slices[level]))
        parts = [f'topology "{name}" doesn\'t allow to fit']
        for layer, size in plan.layers:
            rows = _below(capacity, level, best, layer)
            fit = int((counts.pods[layer][rows] // size).sum())
            label = capacity.forest.topology.levels[layer]
            parts.append(f"{fit}/{plan.count // size} slice(s) fit on level {label}")
        return "; ".join(parts)
    unit = "pod" if plan.slice_size == 1 else "slice"
    if units == 0:
        return f'topology "{name}" doesn\'t allow to fit any of {plan.units} {unit}(s)'
    return f'topology "{name}" allows to fit only {units} out of {plan.units} {unit}(s)'


def _below(capacity: Capacity, level: int, row: int, deeper: int) -> slice:
    begin, end = row, row + 1
    for each in capacity.forest.levels[level:deeper]:
        begin, end = int(each.begins[begin]), int(each.ends[end - 1])
    return slice(begin, end)


def _excluded(capacity: Capacity, ask: Ask, leaf: LeafCounts) -> tuple[tuple[str, int], ...]:
    found = dict(leaf.gate.kept_out)
    open_to = leaf.gate.open
    if leaf.inside is not None:
        outside = int(np.count_nonzero(open_to & ~leaf.inside))
        if outside:
            found["topologyDomain"] = outside
        open_to = open_to & leaf.inside
    full = open_to & (leaf.pods == 0)
    if full.any():
        for resource, count in _first_to_run_out(capacity, ask, np.flatnonzero(full)).items():
            found[f'resource "{resource}"'] = count
    return tuple(sorted(found.items()))


def _first_to_run_out(capacity: Capacity, ask: Ask, leaves: Ints) -> dict[str, int]:
    """The scarcest resource of each leaf, counted; of equals the one with the earlier name."""
    wanted = capacity.vector(ask.shape.requests)
    if wanted is None:
        strange = sorted(name for name, each in ask.shape.requests.items() if each and name not in capacity.resources)
        return {strange[0]: len(leaves)}
    fits = np.array([np.maximum(capacity.free[row][leaves] // quantity, 0) for row, quantity in wanted])
    scarcest, counts = np.unique(np.argmin(fits, axis=0), return_counts=True)
    rows = [wanted[each][0] for each in scarcest.tolist()]
    return {capacity.resources[row]: int(count) for row, count in zip(rows, counts, strict=True)}


def _excluded_words(leaves: int, excluded: tuple[tuple[str, int], ...]) -> str:
    if not excluded:
        return ""
    return f". Total nodes: {leaves}; excluded: " + ", ".join(sorted(f"{what}: {count}" for what, count in excluded))


def _binding(capacity: Capacity, ask: Ask, leaf: LeafCounts, leaves: slice) -> str:
    """What there is least of in those leaves, counted in pods."""
    wanted = capacity.vector(ask.shape.requests)
    if wanted is None:
        return next(iter(_first_to_run_out(capacity, ask, np.zeros(1, np.int64))))
    open_to = leaf.gate.open[leaves]
    pods = []
    for row, quantity in wanted:
        fits = np.maximum(capacity.free[row][leaves] // quantity, 0) * open_to
        pods.append((int(fits.sum()), capacity.resources[row]))
    return min(pods)[1]


def _fits_in_sum(capacity: Capacity, ask: Ask, leaf: LeafCounts) -> bool:
    wanted = capacity.vector(ask.shape.requests)
    if wanted is None:
        return False
    return all(_sum(capacity.free[row], leaf.gate.open) >= quantity * ask.count for row, quantity in wanted)


def _sum(free: Ints, open_to: Bools) -> int:
    there = np.maximum(free, 0) * open_to
    if int(there.max(initial=0)) > MOST // max(1, len(there)):
        return sum(there.tolist())
    return int(there.sum())
