"""What a policy may know before a workload is let in: would it stand on healthy nodes, on mended ones, on any?

Pure but for what it is given. Where nodes are in trouble by their own conditions, a cordon, another repairer's mark or
an open incident, they are sick. A workload that a topology has seats for needs just those hosts. Objectives of GPU
services are to be facts of the same form.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.gang_size import KUEUE
from agent.adapters.kubernetes.owners import group_of
from agent.adapters.kueue.nodes import flavor as flavor_of
from agent.adapters.kueue.waiting import Reserved
from agent.adapters.scheduler.amounts import asked_for
from agent.adapters.scheduler.shapes import HOSTNAME, node_of, shape_of
from agent.domain.cluster import ClusterView, Node
from agent.domain.incident import Incident, Symptom
from agent.evidence.nodes import bad_conditions, cordoned_by_us, others_at_work
from scheduler_core.capacity import Capacity, Space
from scheduler_core.model import Node as CoreNode, Requests
from scheduler_core.placement import Demand, fit, less
from scheduler_core.policies import policy
from scheduler_core.quota import Flavor

_TROUBLE = (Symptom.GPU_FAULT, Symptom.NODE_UNHEALTHY)
_PLACING = policy("bestfit")


class AdmissionFacts(Protocol):
    def about(self, reserved: Reserved, view: ClusterView, now: datetime) -> Mapping[str, Any]:
        """Raises ValueError for a workload that cannot be read. May raise Fault."""
        ...


@dataclass(frozen=True)
class _Nodes:
    """The nodes of one flavor."""

    count: int
    sick: tuple[tuple[str, tuple[str, ...]], ...]  # and why
    healthy: Space
    mended: Space
    empty: Space  # the healthy ones, were nobody there


@dataclass(frozen=True)
class _Ground:
    """One look at all nodes; those of a flavor are put together when they are first asked for."""

    view: ClusterView
    nodes: Mapping[str, CoreNode]
    free: Mapping[str, Requests]
    sick: Mapping[str, tuple[str, ...]]
    flavors: Mapping[str, Flavor | str]  # or why it cannot be read
    known: dict[str, _Nodes] = field(default_factory=dict)


class NodeFacts:
    """From the cluster's objects, the open incidents, and the kill switch."""

    def __init__(self, incidents: Callable[[], Sequence[Incident]], frozen: Callable[[], str | None]) -> None:
        self._incidents, self._frozen = incidents, frozen
        self._ground: _Ground | None = None

    def about(self, reserved: Reserved, view: ClusterView, now: datetime) -> Mapping[str, Any]:
        if self._ground is None or self._ground.view is not view:
            self._ground = _ground_of(view, self._incidents())
        ground = self._ground
        return {
            "frozen": self._frozen(),
            "flavors": {name: _flavor_facts(ground, reserved, name) for name in sorted(reserved.flavors)},
        }


def _flavor_facts(ground: _Ground, reserved: Reserved, name: str) -> dict[str, Any]:
    flavor = ground.flavors.get(name, "there is no such object")
    if isinstance(flavor, str):
        raise ValueError(f"ResourceFlavor {name}: {flavor}")
    if name not in ground.known:
        ground.known[name] = _nodes_of(ground, flavor)
    there, seated, anywhere = ground.known[name], *(_demands(reserved, flavor, seats=seats) for seats in (True, False))
    return {
        "nodes": there.count,
        "sick": [{"name": node, "why": list(why)} for node, why in there.sick],
        "fits_healthy": fit(there.healthy, seated, _PLACING) is not None,
        "fits_if_mended": fit(there.mended, seated, _PLACING) is not None,
        "fits_at_all": fit(there.empty, anywhere, _PLACING) is not None,
    }


def _demands(reserved: Reserved, flavor: Flavor, *, seats: bool) -> list[Demand]:
    """What each pod set wants of the nodes of this flavor; with seats, so many of each host."""
    found = []
    for each in reserved.parts:
        if flavor.name not in each.flavors:
            continue
        shape = shape_of(each.spec)
        shape = replace(shape, tolerations=(*shape.tolerations, *flavor.tolerations))
        if not (seats and each.hosts):
            found.append(Demand(each.name, shape, each.count))
            continue
        for host, count in each.hosts:
            there = replace(shape, node_selector={**shape.node_selector, HOSTNAME: host})
            found.append(Demand(f"{each.name} on {host}", there, count))
    return found


# -- one look ----------------------------------------------------------------------------------------------------------


def _ground_of(view: ClusterView, incidents: Sequence[Incident]) -> _Ground:
    nodes = {name: node_of(node) for name, node in sorted(view.nodes.items())}
    free: dict[str, Requests] = {name: node.allocatable for name, node in nodes.items()}
    for _, pod in sorted(view.pods.items()):
        if pod.node in free and pod.phase in ("Pending", "Running"):
            free[pod.node] = less(free[pod.node], asked_for(pod.requests))
    known = [each for each in incidents if each.symptom in _TROUBLE and each.recovered_at is None]
    sick = {name: _why_sick(node, known) for name, node in sorted(view.nodes.items())}
    return _Ground(view, nodes, free, {name: why for name, why in sick.items() if why}, _flavors(view))


def _flavors(view: ClusterView) -> dict[str, Flavor | str]:
    found: dict[str, Flavor | str] = {}
    for ref, raw in view.objects.items():
        if (group_of(ref.api_version), ref.kind) == (KUEUE, "ResourceFlavor"):
            try:
                found[ref.name] = flavor_of(Fields.of(raw))
            except (ValueError, TypeError, AttributeError) as wrong:
                found[ref.name] = str(wrong)
    return found


def _why_sick(node: Node, incidents: Sequence[Incident]) -> tuple[str, ...]:
    why = [f"condition {each}" for each in bad_conditions(node)]
    if cordoned_by_us(node):
        why.append("cordoned by watchkeeper")
    why += others_at_work(node)
    why += [f"incident {each.id}" for each in incidents if each.subject == node.ref]
    return tuple(why)


def _nodes_of(ground: _Ground, flavor: Flavor) -> _Nodes:
    labels = flavor.node_labels.items()
    there = {name: each for name, each in ground.nodes.items() if labels <= each.labels.items()}
    healthy = {name: each for name, each in there.items() if name not in ground.sick}
    well = {name: replace(each, ready=True, unschedulable=False, taints=()) for name, each in there.items()}
    return _Nodes(
        count=len(there),
        sick=tuple((name, ground.sick[name]) for name in there if name in ground.sick),
        healthy=_space(healthy, ground.free),
        mended=_space({**well, **healthy}, ground.free),
        empty=_space(healthy, {name: each.allocatable for name, each in healthy.items()}),
    )


def _space(nodes: Mapping[str, CoreNode], free: Mapping[str, Requests]) -> Space:
    return Capacity(nodes, {name: free[name] for name in nodes}).space()
