"""The pod sets of one workload, one after another: what the first ones take the next ones do not have.

Two pod sets of a group are a leader and its workers, and stand together: the leader is the one with fewer pods, and has
one (LeaderWorkerSet, MPI).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from scheduler_core.errors import Duplicate, Invalid, SchedulerError
from scheduler_core.topology.assignment import Assignment, of_leaves
from scheduler_core.topology.capacity import Capacity
from scheduler_core.topology.failure import Cause, Failure
from scheduler_core.topology.place import DEFAULT, TopologySettings, place
from scheduler_core.topology.request import Ask

Assignments = Mapping[str, Assignment]
T = TypeVar("T")


def assign(capacity: Capacity, asks: Sequence[Ask], settings: TopologySettings = DEFAULT) -> Assignments | Failure:
    """Where every pod goes, by pod set, or the first pod set that finds no place. The capacity stays as it is."""
    assumed = capacity if len(asks) == 1 else capacity.fork()
    found: dict[str, Assignment] = {}
    for workers, leader in grouped(asks):
        placed = place(assumed, workers, leader, settings)
        if isinstance(placed, Failure):
            return placed
        found[workers.name] = of_leaves(capacity.forest, workers.name, placed.workers)
        if leader is not None and placed.leader is not None:
            found[leader.name] = of_leaves(capacity.forest, leader.name, [(placed.leader, 1)])
        if assumed is not capacity:
            for ask in (workers, leader):
                if ask is not None:
                    assumed.take_for_good(found[ask.name], ask.shape.requests)
    return {ask.name: found[ask.name] for ask in asks}


def answered(answer: Callable[[], T | Failure], asks: Sequence[Ask]) -> T | Failure:
    """The answer; where the asks make no sense on this topology, as slices that do not divide the pods, that is the
    reason for this one workload to wait, and nobody else's concern."""
    try:
        return answer()
    except SchedulerError as error:
        wanted = sum(ask.count for ask in asks if error.name in ("", ask.name))
        message = f"the topology cannot be asked for that: {error.field.removeprefix('topology_request.')}: {error.why}"
        return Failure(pod_set=error.name, cause=Cause.UNANSWERABLE, message=message, wanted=wanted)


def grouped(asks: Sequence[Ask]) -> list[tuple[Ask, Ask | None]]:
    """(workers, leader) in the order of the asks; most have no leader."""
    names = [ask.name for ask in asks]
    for name in names:
        if names.count(name) > 1:
            raise Duplicate("PodSet", name, "name", "is taken")
    groups: dict[str, list[Ask]] = {}
    for ask in asks:
        groups.setdefault(f"group {ask.topology.group}" if ask.topology.group else f"alone {ask.name}", []).append(ask)
    return [_led(members) for members in groups.values()]


def _led(members: list[Ask]) -> tuple[Ask, Ask | None]:
    if len(members) == 1:
        return members[0], None
    if len(members) > 2:
        raise Invalid("PodSet", members[2].name, "topology_request.group", "holds a leader and its workers, no third")
    workers, leader = members
    if leader.count > workers.count:
        workers, leader = leader, workers
    if leader.count != 1:
        raise Invalid("PodSet", leader.name, "count", f"a leader is one pod, not {leader.count}")
    if (leader.topology.mode, leader.topology.level) != (workers.topology.mode, workers.topology.level):
        raise Invalid("PodSet", leader.name, "topology_request", f"differs from that of {workers.name!r} in its group")
    return workers, replace(leader, topology=replace(leader.topology, slices=()))  # slices are the workers'
