"""An admission that names racks where this topology goes down to hosts, spelled out to leaves.

Assignments that this core makes always name leaves; those that it is told of may name a wider domain. Their pods are
taken to stand where they would be put today within it; those that find no room are counted to its first leaf, so that
what an admission holds is never less than it says. Domains that are gone with their nodes stay as they are told: they
hold nothing, and `repair` finds new places for their pods.
"""

from dataclasses import replace

from scheduler_core.model import PodShape
from scheduler_core.topologies import Mode, TopologyRequest
from scheduler_core.topology.assignment import Assignment, Part, of_leaves
from scheduler_core.topology.capacity import Capacity
from scheduler_core.topology.failure import Failure
from scheduler_core.topology.place import place
from scheduler_core.topology.request import Ask


def spelled_out(capacity: Capacity, assignment: Assignment, shape: PodShape) -> Assignment:
    """The same by leaves; `capacity` has what others hold, and stays as it is."""
    forest = capacity.forest
    last = len(forest.levels) - 1
    leaves: dict[int, int] = {}
    wide: list[tuple[int, int, int]] = []
    gone: list[Part] = []
    for part in assignment.parts:
        at = forest.domain(part.domain)
        if at is not None and at[0] == last:
            leaves[at[1]] = leaves.get(at[1], 0) + part.count
        elif at is not None:
            wide.append((*at, part.count))
        else:
            gone.append(part)
    room = capacity.fork() if wide else capacity
    if wide:
        room.use(of_leaves(forest, assignment.pod_set, list(leaves.items())), shape.requests)
    for level, row, count in wide:
        stand = _stand(room, assignment.pod_set, shape, (level, row), count)
        room.use(of_leaves(forest, assignment.pod_set, stand), shape.requests)
        for leaf, pods in stand:
            leaves[leaf] = leaves.get(leaf, 0) + pods
    known = of_leaves(forest, assignment.pod_set, list(leaves.items()))
    return Assignment(assignment.pod_set, (*known.parts, *gone)) if gone else known


def _stand(room: Capacity, pod_set: str, shape: PodShape, domain: tuple[int, int], count: int) -> list[tuple[int, int]]:
    label = room.forest.topology.levels[domain[0]]
    ask = Ask(name=pod_set, count=count, shape=shape, topology=TopologyRequest(mode=Mode.REQUIRED, level=label))
    found = place(room, ask, within=domain)
    over = 0
    if isinstance(found, Failure):
        over = count - found.fits
        found = place(room, replace(ask, count=found.fits), within=domain)
    stand = [] if isinstance(found, Failure) else list(found.workers)
    return [*stand, (room.forest.leaves_below(*domain)[0], over)] if over else stand
