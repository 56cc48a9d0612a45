"""Flavors whose nodes overlap: what stands on a host takes room in every forest that has it, as in Kueue.

Only where both forests go down to hosts; of a rack nobody can say which of its nodes are meant.
"""

from collections.abc import Iterator, Mapping

from scheduler_core.topology.assignment import Assignment, Part
from scheduler_core.topology.capacity import Capacity

Overlaps = Mapping[str, tuple[str, ...]]  # flavor -> others that have some of its nodes


def overlaps(capacities: Mapping[str, Capacity]) -> Overlaps:
    """One look at every leaf; most installations have nothing to find."""
    first: dict[str, str] = {}
    found: dict[str, set[str]] = {}
    for name, capacity in capacities.items():
        if capacity.forest.topology.ends_at_hosts:
            for node in capacity.forest.leaf_of_node:
                other = first.setdefault(node, name)
                if other != name:
                    found.setdefault(other, {other}).add(name)
    together: dict[str, set[str]] = {}
    for members in found.values():
        for name in members:
            together.setdefault(name, set()).update(members - {name})
    return {name: tuple(sorted(others)) for name, others in sorted(together.items())}


def felt(
    capacities: Mapping[str, Capacity], others: Overlaps, flavor: str, assignment: Assignment
) -> Iterator[tuple[str, Assignment]]:
    """The assignment by every flavor in whose forest it takes room, its own first."""
    yield flavor, assignment
    for name in others.get(flavor, ()):
        forest = capacities[name].forest
        hosts = (Part(part.domain[-1:], part.count) for part in assignment.parts)
        yield name, Assignment(assignment.pod_set, tuple(part for part in hosts if forest.domain(part.domain)))
