"""Nodes for a gang that asks for a topology, in a snapshot whose pods stand on nodes.

`topology/` says how many pods go to which domain; each such part is then placed on the nodes of that domain like any
other pods. The admission cycle, which keeps seats from cycle to cycle, has `sites.py` for the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from scheduler_core.flavors import asks_for_topology, on_nodes_of
from scheduler_core.model import Gang, PodSet, PodShape
from scheduler_core.placement import Demand, Placed, fit
from scheduler_core.policies import policy
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.topologies import Topology
from scheduler_core.topology import UNCONSTRAINED, Ask, Assignment, Capacity, Failure, Forest, answered, assign

Flavors = Mapping[str, Mapping[str, str]]  # pod set -> resource -> flavor
Shapes = Mapping[str, PodShape]  # pod set -> its pods


def asks_for_seats(snapshot: Snapshot, gang: Gang) -> bool:
    """With members on nodes already, it is completed wherever there is room: `topology/repair.py` is for lost seats."""
    asks = any(asks_for_topology(each) for each in gang.pod_sets)
    return asks and bool(snapshot.topologies) and not snapshot.pods_of(gang.name)


def seated(
    snapshot: Snapshot, gang: Gang, counts: Mapping[str, int], flavors: Flavors, shapes: Shapes, settings: Settings
) -> Placed | None:
    demands: list[Demand] = []
    by_flavor: dict[str | None, list[PodSet]] = {}
    for each in gang.pod_sets:
        by_flavor.setdefault(_with_topology(snapshot, flavors.get(each.name, {})), []).append(each)
    for name, sets in by_flavor.items():
        shaped = {
            each.name: on_nodes_of(shapes[each.name], flavors.get(each.name, {}), snapshot.flavors) for each in sets
        }
        if name is None:
            demands += [Demand(f"/{each.name}", shaped[each.name], counts[each.name]) for each in sets]
            continue
        topology, capacity = _capacity(snapshot, name)
        asks = [_ask(each, counts[each.name], shaped[each.name]) for each in sets]
        found = answered(partial(assign, capacity, asks), asks)
        if isinstance(found, Failure):
            return None
        for each in sets:
            demands += _in_their_domains(topology, found[each.name], shaped[each.name])
    placed = fit(snapshot.capacity.space(), demands, policy(settings.policy))
    return None if placed is None else _together(placed)


def _with_topology(snapshot: Snapshot, flavors: Mapping[str, str]) -> str | None:
    chosen = (name for _, name in sorted(flavors.items()))
    return next((name for name in chosen if name in snapshot.flavors and snapshot.flavors[name].topology), None)


def _capacity(snapshot: Snapshot, name: str) -> tuple[Topology, Capacity]:
    """What is free by what stands on the nodes, whoever it belongs to."""
    flavor = snapshot.flavors[name]
    topology = snapshot.topologies[str(flavor.topology)]
    capacity = Capacity.of(Forest.of(topology, snapshot.nodes.values(), flavor.node_labels))
    capacity.occupy((bound.node, bound.pod.requests) for bound in snapshot.pods.values())
    return topology, capacity


def _ask(pod_set: PodSet, count: int, shape: PodShape) -> Ask:
    return Ask(name=pod_set.name, count=count, shape=shape, topology=pod_set.topology or UNCONSTRAINED)


def _in_their_domains(topology: Topology, found: Assignment, shape: PodShape) -> Iterator[Demand]:
    for number, part in enumerate(found.parts):
        labels = dict(zip(topology.levels, part.domain, strict=False))
        there = replace(shape, node_selector={**shape.node_selector, **labels})
        yield Demand(f"{number}/{found.pod_set}", there, part.count)


def _together(placed: Placed) -> Placed:
    """By pod set again: what stands before the first stroke is the part's number."""
    found: dict[str, tuple[str, ...]] = {}
    for key, nodes in placed.items():
        name = key.partition("/")[2]
        found[name] = (*found.get(name, ()), *nodes)
    return found
