"""Why pods that may be placed by quota fit on no nodes: which number binds, and what would lift it.

Told as the cheapest remedy first: an exclusion we made ourselves, then nodes that are cordoned or not ready, then
a mismatch that no waiting will mend, then pods larger than any node, then scattered free GPUs, then too few.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from scheduler_core.eligibility import Barrier, barrier
from scheduler_core.model import Node, PodShape, gpus, is_gpu
from scheduler_core.placement import Demand, Free, place, room_for, with_pod
from scheduler_core.policies import policy
from scheduler_core.settings import Settings
from scheduler_core.shortage_relief import Lacking, to_free
from scheduler_core.snapshot import Snapshot
from scheduler_core.units import told

NAMES_LIMIT = 8  # names told in one sentence


class PlacementReason(StrEnum):
    NODES_EXCLUDED = "NodesExcluded"
    NODES_UNAVAILABLE = "NodesUnavailable"
    NO_MATCHING_NODE = "NoMatchingNode"
    POD_TOO_LARGE = "PodTooLarge"
    FRAGMENTED = "Fragmented"
    INSUFFICIENT_CAPACITY = "InsufficientCapacity"


@dataclass(frozen=True)
class Shortage:
    reason: PlacementReason
    message: str
    remedy: str
    resource: str = ""  # the one that binds
    wanted: int = 0
    available: int = 0
    nodes: tuple[str, ...] = ()  # the ones the remedy is about
    lacking: Lacking = ()  # what must come free there


def shortage(snapshot: Snapshot, demands: Sequence[Demand], settings: Settings) -> Shortage:
    """Only for demands that could not be placed."""
    wanted = [each for each in demands if each.count]
    for diagnose in (_excluded, _unavailable):
        found = diagnose(snapshot, wanted, settings)
        if found is not None:
            return found
    for demand in wanted:
        found = _unmatched(snapshot, demand) or _too_large(snapshot, demand)
        if found is not None:
            return found
    return _too_few(snapshot, wanted, to_free(snapshot, wanted, settings))


def _fits(snapshot: Snapshot, demands: Sequence[Demand], settings: Settings, nodes: dict[str, Node]) -> bool:
    return place(nodes, snapshot.free, demands, policy(settings.policy)) is not None


def _each(demands: Sequence[Demand], change: Callable[[PodShape], PodShape]) -> list[Demand]:
    return [replace(each, shape=change(each.shape)) for each in demands]


def _excluded(snapshot: Snapshot, demands: Sequence[Demand], settings: Settings) -> Shortage | None:
    excluded = sorted(set().union(*(each.shape.excluded_nodes for each in demands)) & set(snapshot.nodes))
    freed = _each(demands, lambda shape: replace(shape, excluded_nodes=frozenset()))
    if not excluded or not _fits(snapshot, freed, settings, dict(snapshot.nodes)):
        return None
    names = _names(excluded)
    return Shortage(
        PlacementReason.NODES_EXCLUDED,
        f"it would fit, were it not kept off {names}",
        f"allow it on {names}, or free as much elsewhere",
        nodes=tuple(excluded),
    )


def _unavailable(snapshot: Snapshot, demands: Sequence[Demand], settings: Settings) -> Shortage | None:
    away = [name for name, node in sorted(snapshot.nodes.items()) if node.unschedulable or not node.ready]
    healed = {name: _in_service(node) for name, node in snapshot.nodes.items()}
    if not away or not _fits(snapshot, demands, settings, healed):
        return None
    useful = [
        name for name in away if any(barrier(healed[name], each.shape) is None for each in demands)
    ]  # a cordoned node that these pods could not use anyway is nobody's remedy
    names = _names(useful)
    return Shortage(
        PlacementReason.NODES_UNAVAILABLE,
        f"it would fit, were {names} in service",
        f"bring back {names}, or free as much elsewhere",
        nodes=tuple(useful),
    )


def _unmatched(snapshot: Snapshot, demand: Demand) -> Shortage | None:
    barriers = (barrier(_in_service(node), demand.shape) for _, node in sorted(snapshot.nodes.items()))
    found: list[Barrier] = []
    for each in barriers:
        if each is None or each is Barrier.EXCLUDED:
            return None
        found.append(each)
    barred = ", ".join(f"{found.count(each)} by {each}" for each in Barrier if each in found) or "there are none"
    return Shortage(
        PlacementReason.NO_MATCHING_NODE,
        f"no node takes pods of {demand.key} (barred: {barred})",
        "change the pods' selector, affinity or tolerations, or add nodes that match",
    )


def _in_service(node: Node) -> Node:
    return replace(node, ready=True, unschedulable=False) if node.unschedulable or not node.ready else node


def _too_large(snapshot: Snapshot, demand: Demand) -> Shortage | None:
    able = _able(snapshot, demand.shape)
    if any(room_for(node.allocatable, demand.shape.requests) for node in able) or not able:
        return None
    lacks = [
        (max(node.allocatable.get(name, 0) for node in able), name, quantity)
        for name, quantity in sorted(demand.shape.requests.items())
        if quantity and all(node.allocatable.get(name, 0) < quantity for node in able)
    ]
    most, resource, quantity = lacks[0] if lacks else (0, "", 0)
    said = f"asks for {quantity} {resource}; the largest node it may use has {most}" if lacks else "fits on no node"
    return Shortage(
        PlacementReason.POD_TOO_LARGE,
        f"a pod of {demand.key} {said}",
        "ask for less in one pod, or add larger nodes",
        resource,
        quantity,
        most,
    )


def _able(snapshot: Snapshot, shape: PodShape) -> list[Node]:
    return [node for _, node in sorted(snapshot.nodes.items()) if barrier(node, shape) is None]


def _too_few(snapshot: Snapshot, demands: Sequence[Demand], lacking: Lacking | None) -> Shortage:
    """Is there enough in total, only scattered? Judged on the nodes that any of the pods may use."""
    able = {node.name for each in demands for node in _able(snapshot, each.shape)}
    resources = sorted(
        {name for each in demands for name in each.shape.requests}, key=lambda name: (not is_gpu(name), name)
    )
    for resource in resources:
        wanted = sum(each.count * each.shape.requests.get(resource, 0) for each in demands)
        free = _total(snapshot.free, able, resource)
        if wanted > free:
            return Shortage(
                PlacementReason.INSUFFICIENT_CAPACITY,
                f"it lacks {wanted} {resource}; {free} are free on {len(able)} nodes",
                f"{_freeing(lacking)}, or add nodes" if lacking else _more_nodes(snapshot, demands),
                resource,
                wanted,
                free,
                tuple(dict.fromkeys(name for name, _, _ in lacking or ())),
                lacking or (),
            )
    return _fragmented(snapshot, demands, able, lacking)


def _freeing(lacking: Lacking) -> str:
    """What must come free, and on which nodes: GPUs first."""
    resources = sorted({resource for _, resource, _ in lacking}, key=lambda name: (not is_gpu(name), name))
    return "free " + " and ".join(_of_one(resource, lacking) for resource in resources)


def _of_one(resource: str, lacking: Lacking) -> str:
    there = [(name, amount) for name, each, amount in lacking if each == resource]
    amounts = [f"{told(resource, amount)} on {name}" for name, amount in there]
    total = told(resource, sum(amount for _, amount in there))
    if len(there) == 1:
        return f"{total} more {resource} on {there[0][0]}"
    return f"{total} more {resource} ({_names(amounts)})"


def _more_nodes(snapshot: Snapshot, demands: Sequence[Demand]) -> str:
    """Of those that there are, all were empty and it would still not fit."""
    left = [(each.key, each.count - _room(snapshot, each)) for each in demands]
    pods = " and ".join(f"{count} more pods of {key}" for key, count in left if count > 0)
    return f"add nodes with room for {pods}" if pods else "add nodes"


def _room(snapshot: Snapshot, demand: Demand) -> int:
    """Pods of one shape that fit now."""
    able = (node.name for node in _able(snapshot, demand.shape))
    return sum(room_for(snapshot.free[name], demand.shape.requests) for name in able)


def _total(free: Free, nodes: set[str], resource: str) -> int:
    return sum(max(0, free[name].get(resource, 0)) for name in nodes)


def _fragmented(snapshot: Snapshot, demands: Sequence[Demand], able: set[str], lacking: Lacking | None) -> Shortage:
    hardest = max(demands, key=lambda each: (gpus(each.shape.requests), each.count, each.key))
    rooms = {name: room_for(snapshot.free[name], hardest.shape.requests) for name in sorted(able)}
    fit = min(hardest.count, sum(rooms.values()))
    resource = next((name for name in sorted(hardest.shape.requests) if is_gpu(name)), "pods")
    total = _total(snapshot.free, able, resource)
    wanted = sum(each.count * with_pod(each.shape.requests).get(resource, 0) for each in demands)
    return Shortage(
        PlacementReason.FRAGMENTED,
        f"{total} {resource} are free for the {wanted} it lacks, but scattered: {fit} of {hardest.count} pods fit",
        f"{_freeing(lacking)}, or move what is there" if lacking else _more_nodes(snapshot, demands),
        resource,
        wanted,
        total,
        tuple(name for name, room in rooms.items() if not room and snapshot.free[name].get(resource, 0) > 0),
        lacking or (),
    )


def _names(names: Sequence[str]) -> str:
    first = ", ".join(names[:NAMES_LIMIT])
    return f"{first} and {len(names) - NAMES_LIMIT} more" if len(names) > NAMES_LIMIT else first
