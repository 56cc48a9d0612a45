"""Which GPUs are lost at one moment, and why. Pure: one look at the world in, GPUs by cause out.

Each GPU counts at most once, under the first cause that holds. What a pod holds and does not use is lost. What stands
free is lost only as far as somebody waits who would fit there: nobody is done out of a GPU that nobody asks for.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from agent.domain.cluster import ClusterView, Gang, GangState, Node, ObjectRef, Pod

Place = tuple[str, str]  # namespace, pod


class Cause(StrEnum):
    FAULT = "fault"  # held on a node that is broken, or by a gang of which one pod is there
    STUCK = "stuck"  # held by a gang that is below its minimum
    HUNG = "hung"  # held by processes that hang or crash in a loop, and by their gang
    IDLE = "idle"  # held without being used
    WAITING = "waiting"  # free on a well node, while somebody who would fit waits
    CLOSED = "closed"  # free on a cordoned or broken node, while somebody who would fit waits
    THROWN_AWAY = "thrown_away"  # work that was not saved when a gang was stopped


@dataclass(frozen=True, slots=True)
class Sight:
    """`sick`: nodes with a GPU that stops everything there; `hung`: pods that will never finish by themselves."""

    view: ClusterView
    idle: frozenset[Place] = frozenset()
    sick: frozenset[str] = frozenset()
    hung: frozenset[Place] = frozenset()


@dataclass
class _Room:
    """Free GPUs by node, taken up by those who wait, one after the other."""

    free: dict[str, int] = field(default_factory=dict)

    def take(self, gang: "_Demand", nodes: Mapping[str, Node]) -> int:
        """How many of its pods find a place; their GPUs are gone from here."""
        placed = 0
        for name in self.free:
            while placed < gang.pods and self.free[name] >= gang.gpus and _matches(nodes[name], gang.selector):
                self.free[name] -= gang.gpus
                placed += 1
        return placed


@dataclass(frozen=True, slots=True)
class _Demand:
    pods: int
    gpus: int  # of each
    selector: Mapping[str, str]


def lost_gpus(sight: Sight) -> Counter[Cause]:
    lost: Counter[Cause] = Counter()
    broken = _broken(sight)
    words = _gangs_hit(sight, broken)
    for place, pod in sight.view.pods.items():
        cause = _cause(sight, broken, words, place, pod) if pod.holds_gpus else None
        if cause is not None:
            lost[cause] += pod.gpus
    return lost + _wanted(sight.view, broken)


def _broken(sight: Sight) -> frozenset[str]:
    return sight.sick | {name for name, node in sight.view.nodes.items() if not node.ready}


def _gangs_hit(sight: Sight, broken: frozenset[str]) -> dict[ObjectRef, Cause]:
    """Gangs that stand still because of one of their pods."""
    hit: dict[ObjectRef, Cause] = {}
    for place, pod in sight.view.pods.items():
        if pod.gang is not None and pod.holds_gpus:
            if pod.node in broken:
                hit[pod.gang] = Cause.FAULT
            elif place in sight.hung:
                hit.setdefault(pod.gang, Cause.HUNG)
    return hit


def _cause(
    sight: Sight, broken: frozenset[str], hit: Mapping[ObjectRef, Cause], place: Place, pod: Pod
) -> Cause | None:
    gang = sight.view.gangs.get(pod.gang) if pod.gang else None
    if pod.node in broken:
        return Cause.FAULT
    if gang is not None and gang.ref in hit:
        return hit[gang.ref]
    if gang is not None and gang.state is GangState.STUCK:
        return Cause.STUCK
    if place in sight.hung:
        return Cause.HUNG
    return Cause.IDLE if place in sight.idle else None


# --- free, though wanted ----------------------------------------------------------------------------------------------


def _wanted(view: ClusterView, broken: frozenset[str]) -> Counter[Cause]:
    """Whoever waits takes well nodes first; a gang counts when it would find all its places."""
    demands = [_demand(view, gang) for gang in view.gangs.values() if gang.state is GangState.QUEUED]
    lost: Counter[Cause] = Counter()
    if not demands:
        return lost
    held: Counter[str] = Counter()
    for pod in view.pods.values():
        if pod.holds_gpus and pod.node:
            held[pod.node] += pod.gpus
    free = {name: max(0, node.gpus - held[name]) for name, node in view.nodes.items()}
    well = {n: gpus for n, gpus in free.items() if view.nodes[n].eligible and n not in broken}
    closed = {n: gpus for n, gpus in free.items() if n not in well}
    for demand in demands:
        well_then, closed_then = _Room(dict(well)), _Room(dict(closed))
        here = well_then.take(demand, view.nodes)
        there = closed_then.take(_Demand(demand.pods - here, demand.gpus, demand.selector), view.nodes)
        if demand.pods and here + there == demand.pods:
            lost[Cause.WAITING if not there else Cause.CLOSED] += demand.pods * demand.gpus
            well, closed = well_then.free, closed_then.free
    return lost


def _demand(view: ClusterView, gang: Gang) -> _Demand:
    raw: Any = view.objects.get(gang.ref) or {}
    sets = (raw.get("spec") or {}).get("podSets") or [{}]
    template = ((sets[0].get("template") or {}).get("spec") or {}) if isinstance(sets[0], dict) else {}
    return _Demand(gang.minimum if gang.gpus_per_pod else 0, gang.gpus_per_pod, template.get("nodeSelector") or {})


def _matches(node: Node, selector: Mapping[str, str]) -> bool:
    return all(node.labels.get(name) == value for name, value in selector.items())
