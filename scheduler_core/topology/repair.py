"""Nodes are lost under an admitted workload, or it grows: pods without a place find one, the others stay.

Kueue does this for one node at a time (KEP-2724, "Node failures"); here for any number. What held before holds after:
- slices: a domain whose slice is broken gets the missing pods itself, the innermost layer first; slices that are lost
  whole may go elsewhere, but stay with a broken one where there is just one and room in it;
- required: the domain of the survivors, those of the leader or the workers in the group counted;
- preferred: the survivors' domain first, then what surrounds it level by level, then anywhere.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from scheduler_core.errors import Invalid
from scheduler_core.topologies import HOSTNAME, Mode, Slice, TopologyRequest
from scheduler_core.topology.assign import grouped
from scheduler_core.topology.assignment import Assignment, of_leaves
from scheduler_core.topology.capacity import Capacity
from scheduler_core.topology.failure import Cause, Failure
from scheduler_core.topology.forest import Forest
from scheduler_core.topology.place import DEFAULT, TopologySettings, place
from scheduler_core.topology.request import Ask

Domain = tuple[int, int]  # level, row


@dataclass(frozen=True)
class Repair:
    """What a pod set has afterwards, and which of it is new."""

    whole: Assignment
    added: Assignment


@dataclass
class _Work:
    """One pod set under repair. `room` is a fork that the added pods are taken from."""

    room: Capacity
    ask: Ask
    pods: dict[int, int]  # by leaf: survivors, and what was added
    missing: int
    avoid: tuple[int, ...]
    settings: TopologySettings

    def at(self, level: int) -> dict[int, int]:
        sums: dict[int, int] = {}
        for leaf, count in sorted(self.pods.items()):
            row = self.room.forest.above(leaf, level)
            sums[row] = sums.get(row, 0) + count
        return sums

    def layers(self) -> Iterator[tuple[int, Slice, tuple[Slice, ...]]]:
        """Level, layer and the layers within it, the innermost first."""
        slices = self.ask.topology.slices
        for place_of in range(len(slices) - 1, -1, -1):
            layer = slices[place_of]
            level = self.room.forest.topology.level(layer.level, self.ask.name, "topology_request.slice_level")
            yield level, layer, slices[place_of + 1 :]

    def broken(self, level: int, size: int) -> list[Domain]:
        return [(level, row) for row, count in self.at(level).items() if count % size]

    def add(self, count: int, topology: TopologyRequest, within: Domain | None) -> Failure | None:
        ask = replace(self.ask, count=count, topology=topology)
        found = place(self.room, ask, None, self.settings, within, self.avoid)
        if isinstance(found, Failure):
            return found
        self.room.take(of_leaves(self.room.forest, ask.name, found.workers), ask.shape.requests)
        for leaf, pods in found.workers:
            self.pods[leaf] = self.pods.get(leaf, 0) + pods
        self.missing -= count
        return None


def repair(
    capacity: Capacity,
    asks: Sequence[Ask],
    existing: Mapping[str, Assignment],
    lost_nodes: Collection[str],
    settings: TopologySettings = DEFAULT,
) -> Mapping[str, Repair] | Failure:
    """New places for the pods on `lost_nodes`, by pod set. The capacity counts the survivors, and stays as it is."""
    forest = capacity.forest
    if lost_nodes and not forest.topology.ends_at_hosts:
        raise Invalid("Topology", forest.topology.name, "levels", f"a node can be replaced only below {HOSTNAME}")
    hosts = {*lost_nodes, *(forest.leaves.paths[leaf][-1] for leaf in _leaves_of(forest, lost_nodes))}
    room = capacity.fork()
    done: dict[str, Repair] = {}
    for workers, leader in grouped(asks):
        members = [ask for ask in (workers, leader) if ask is not None and ask.name in existing]
        survivors: dict[str, dict[int, int]] = {}
        for ask in members:
            left = _survivors(forest, existing[ask.name], hosts)
            if isinstance(left, Failure):
                return left
            survivors[ask.name] = left
        for ask in members:
            stay = dict(survivors[ask.name])
            missing = max(ask.count, existing[ask.name].count) - sum(stay.values())
            work = _Work(room, ask, stay, missing, _leaves_of(forest, hosts), settings)
            restored = _restored(work, survivors)
            if isinstance(restored, Failure):
                return restored
            done[ask.name] = _repair(forest, ask.name, survivors[ask.name], restored.pods)
            room, survivors[ask.name] = restored.room, restored.pods
    return done


def grow(
    capacity: Capacity, asks: Sequence[Ask], existing: Mapping[str, Assignment], settings: TopologySettings = DEFAULT
) -> Mapping[str, Repair] | Failure:
    """More pods for an elastic gang, by the rules of `repair`; `Assignment.first` is what a smaller one keeps."""
    return repair(capacity, asks, existing, (), settings)


def _leaves_of(forest: Forest, names: Collection[str]) -> tuple[int, ...]:
    by_host = (forest.domain((name,)) for name in names)
    leaves = {at[1] for at in by_host if at is not None and at[0] == len(forest.levels) - 1}
    return tuple(sorted(leaves | {forest.leaf_of_node[name] for name in names if name in forest.leaf_of_node}))


def _survivors(forest: Forest, assignment: Assignment, hosts: Collection[str]) -> dict[int, int] | Failure:
    stay: dict[int, int] = {}
    for part in assignment.parts:
        if part.domain[-1] in hosts:
            continue
        at = forest.domain(part.domain)
        if at is None or at[0] != len(forest.levels) - 1:
            gone = part.domain[-1]
            message = (
                "Cannot replace the node, because the existing topologyAssignment is invalid, "
                f"as it contains the stale domain {gone}"
            )
            return Failure(pod_set=assignment.pod_set, cause=Cause.STALE, message=message, wanted=assignment.count)
        stay[at[1]] = stay.get(at[1], 0) + part.count
    return stay


def _restored(work: _Work, survivors: Mapping[str, Mapping[int, int]]) -> _Work | Failure:
    """All lost pods with the one slice that they broke, if there is just one and room; else each to its own."""
    if work.missing == 0:
        return work
    together = replace(work, room=work.room.fork(), pods=dict(work.pods))
    if _together(together):
        return together
    failure = _completed(work)
    if failure is None and work.missing:
        for request, within in _tries(work, survivors):
            failure = work.add(work.missing, request, within)
            if failure is None:
                break
    return work if failure is None else failure


def _together(work: _Work) -> bool:
    for level, layer, inner in work.layers():
        broken = work.broken(level, layer.size)
        if broken:
            done = work.add(work.missing, _inside(layer.level, inner), broken[0]) is None
            return done and not any(work.broken(level, layer.size) for level, layer, _ in work.layers())
    return False


def _completed(work: _Work) -> Failure | None:
    """Every broken slice gets what it lacks, in its domain, the innermost layer first."""
    for level, layer, inner in work.layers():
        for domain in work.broken(level, layer.size):
            short = layer.size - work.at(level)[domain[1]] % layer.size
            if short > work.missing:
                message = f"what stands at {layer.level} is no whole slices of {layer.size}, whatever is added"
                return Failure(pod_set=work.ask.name, cause=Cause.STALE, message=message, wanted=work.ask.count)
            failure = work.add(short, _inside(layer.level, inner), domain)
            if failure is not None:
                return failure
    return None


def _inside(level: str, slices: Sequence[Slice]) -> TopologyRequest:
    return TopologyRequest(mode=Mode.REQUIRED, level=level, slices=tuple(slices))


def _tries(work: _Work, survivors: Mapping[str, Mapping[int, int]]) -> Iterator[tuple[TopologyRequest, Domain | None]]:
    """What to ask for, and within which domain, one after the other until one is granted."""
    request, forest = work.ask.topology, work.room.forest
    leaves = sorted({leaf for each in survivors.values() for leaf in each} | set(work.pods))
    if request.mode is Mode.UNCONSTRAINED or not leaves:
        yield request, None
        return
    wanted = forest.topology.level(request.level or "", work.ask.name, "topology_request.level")
    for level in range(wanted, -1, -1):
        rows = {forest.above(leaf, level) for leaf in leaves}
        if len(rows) == 1:
            yield _inside(forest.topology.levels[level], request.slices), (level, rows.pop())
        if request.mode is Mode.REQUIRED:
            return
    yield request, None


def _repair(forest: Forest, pod_set: str, before: Mapping[int, int], after: Mapping[int, int]) -> Repair:
    whole = of_leaves(forest, pod_set, list(after.items()))
    new = [(leaf, count - before.get(leaf, 0)) for leaf, count in after.items()]
    return Repair(whole, of_leaves(forest, pod_set, [(leaf, count) for leaf, count in new if count > 0]))
