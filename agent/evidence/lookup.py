"""Finds things in a ClusterView by what people write: kind, namespace and name, whatever API version they had in mind.

Shared by the actions and by the facts. It judges nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from agent.domain.cluster import ClusterView, Gang, Node, ObjectRef, Pod, Workload

T = TypeVar("T")

# Pods that belong to the node itself: a repair takes them along and nobody misses them.
NODE_OWNED_KINDS = frozenset({"DaemonSet", "Node"})


def same_object(a: ObjectRef, b: ObjectRef) -> bool:
    """Do both name one object, whatever API version each was written with?"""
    return a.name == b.name and a.kind == b.kind and a.namespace == b.namespace and a.group == b.group


def find_node(view: ClusterView, ref: ObjectRef) -> Node | None:
    return view.nodes.get(ref.name) if ref.kind == "Node" else None


def find_gang(view: ClusterView, ref: ObjectRef) -> Gang | None:
    """The gang that `ref` names: by its own reference, or by the job that owns its pods."""
    exact = view.gangs.get(ref) or _same(view.gangs, ref)
    if exact is not None:
        return exact
    return next((g for g in in_order(view.gangs) if g.job is not None and same_object(g.job, ref)), None)


def find_workload(view: ClusterView, ref: ObjectRef) -> Workload | None:
    return view.workloads.get(ref) or _same(view.workloads, ref)


def raw_object(view: ClusterView, ref: ObjectRef) -> Mapping[str, Any]:
    """The object as JSON; empty when the view does not hold it."""
    found = view.objects.get(ref)
    return found if found is not None else (_same(view.objects, ref) or {})


def pods_of(view: ClusterView, owner: ObjectRef) -> tuple[Pod, ...]:
    """Pods that `owner` owns or whose gang it is, by name."""
    return view.pods_by_owner.get(owner.identity, ())


def active_pods(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Those that still occupy their place: bound to a node and not ended."""
    return tuple(p for p in pods if p.node is not None and p.phase in ("Pending", "Running", "Unknown"))


def tenant_pods_on(view: ClusterView, node: str) -> tuple[Pod, ...]:
    """Pods on the node that somebody would miss, by name: not those of daemon sets, not static ones."""
    pods = (p for p in view.pods_on(node) if p.owner is None or p.owner.kind not in NODE_OWNED_KINDS)
    return tuple(sorted(pods, key=lambda p: (p.ref.namespace or "", p.ref.name)))


def in_order(things: Mapping[ObjectRef, T]) -> list[T]:
    """The values by reference, so that no order of a dictionary leaks into a decision."""
    return [things[ref] for ref in sorted(things, key=str)]


def _same(things: Mapping[ObjectRef, T], ref: ObjectRef) -> T | None:
    name = ref.name  # first by itself: thousands have another
    alike = [known for known in things if known.name == name and same_object(known, ref)]
    return things[min(alike, key=str)] if alike else None
