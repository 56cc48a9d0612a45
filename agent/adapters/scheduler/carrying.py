"""Carries the core's snapshot of one view on to the next one.

Of what has changed only what the mapping reads counts: queues, gangs and the quota that they hold, what a pod asks for
and where it is, a node's own words. As long as the queues are the same and what has changed can be read, gangs, pods
and nodes are brought to what they are now, and the snapshot's contents are those of one that is made anew. A gang of
which anything has changed is put there anew with all its pods, since in which pod set one of them is may depend on the
others. Anything else is for the mapping.
"""

from collections.abc import Collection, Iterable, Mapping

from agent.adapters.kubernetes.gang_size import KUEUE
from agent.adapters.kubernetes.owners import group_of
from agent.adapters.kueue.rules import KueueRules
from agent.adapters.scheduler.gangs import pod_name
from agent.adapters.scheduler.mapping import MALFORMED, Mapped, add_pods, core_gang, core_node, restore
from agent.adapters.scheduler.queues import WATCHKEEPER, queues_of
from agent.domain.cluster import ClusterView, Gang as DomainGang, GangState, ObjectRef
from scheduler_core.snapshot import Snapshot

_SEEN_APART = ("Pod", "Node")  # kinds of which a view has tables of its own
Place = tuple[str, str]  # a pod's


def carry_on(seen: Mapped, before: ClusterView, view: ClusterView, rules: KueueRules) -> bool:
    """False where that takes a mapping of its own; then `seen` is of no more use.

    A drained queue sends back as of now, so that nothing of it can be carried on.
    """
    if seen.by_time or not _same_nodes(before, view):
        return False
    if not is_of_nodes_alone(before, view):
        changed = _changed_objects(before, view)
        if not _queues_stand(seen, view, changed, rules) or not _carried(seen, before, view, changed):
            return False
    for name, node in view.nodes.items():
        if before.nodes[name] is not node:
            seen.snapshot.replace_node(core_node(node, seen.queues))
    return True


def is_of_nodes_alone(before: ClusterView, view: ClusterView) -> bool:
    """Whether nothing has changed between the two but what nodes say of themselves."""
    return view.beside_nodes is not None and view.beside_nodes is before.beside_nodes


# -- what has changed --------------------------------------------------------------------------------------------------


def _same_nodes(before: ClusterView, view: ClusterView) -> bool:
    """By what says of which flavor they are, or of which part of a topology."""
    nodes = before.nodes
    return nodes.keys() == view.nodes.keys() and all(
        node is nodes[name] or node.labels == nodes[name].labels for name, node in view.nodes.items()
    )


def _changed_objects(before: ClusterView, view: ClusterView) -> set[ObjectRef]:
    """But for pods and nodes."""
    old, new = before.objects, view.objects
    changed = {ref for ref, raw in new.items() if ref.kind not in _SEEN_APART and old.get(ref) is not raw}
    return changed | {ref for ref in old if ref.kind not in _SEEN_APART and ref not in new}


def _queues_stand(seen: Mapped, view: ClusterView, changed: Iterable[ObjectRef], rules: KueueRules) -> bool:
    read = (KUEUE, WATCHKEEPER)
    if not any(group_of(ref.api_version) in read or ref.kind == "Namespace" for ref in changed):
        return True
    return queues_of(view, rules) == seen.queues


def _changed_pods(before: ClusterView, view: ClusterView) -> set[Place]:
    old, new = before.pods, view.pods
    changed = {place for place, pod in new.items() if old.get(place) is not pod} if old is not new else set()
    return changed | {place for place in old if place not in new}


def _changed_gangs(before: ClusterView, view: ClusterView, changed: Collection[ObjectRef]) -> set[ObjectRef]:
    """Those of which something is read that has changed, or that are there in one of the two alone."""
    old, new = _living(before), _living(view)
    read = {ref for ref, gang in new.items() if old.get(ref) is not gang or ref in changed or gang.job in changed}
    return read | (old.keys() ^ new.keys())


def _living(view: ClusterView) -> Mapping[ObjectRef, DomainGang]:
    return {ref: gang for ref, gang in view.gangs.items() if gang.state is not GangState.FINISHED}


def _members(view: ClusterView, gang: ObjectRef) -> Iterable[Place]:
    pods = view.pods_by_owner.get(gang.identity, ())
    return ((pod.ref.namespace or "", pod.ref.name) for pod in pods if pod.gang == gang)


# -- carrying it on ----------------------------------------------------------------------------------------------------


def _carried(seen: Mapped, before: ClusterView, view: ClusterView, changed: Collection[ObjectRef]) -> bool:
    places = _changed_pods(before, view)
    gangs = _changed_gangs(before, view, changed)
    gangs |= {pod.gang for each in (before, view) for place in places if (pod := each.pods.get(place)) and pod.gang}
    places |= {place for each in (before, view) for ref in gangs for place in _members(each, ref)}
    pods = [pod for each in (before, view) for place in sorted(places) if (pod := each.pods.get(place))]
    here = {ref: gang for ref, gang in _living(view).items() if ref in gangs}
    names = {pod_name(pod) for pod in pods}
    odd = not seen.left_out.keys().isdisjoint([*gangs, *(pod.ref for pod in pods)])
    if odd or any(seen.queues.is_drained(gang) for gang in here.values()) or not _clean(seen.snapshot, names):
        return False
    _take_out(seen.snapshot, {str(ref) for ref in gangs}, names)
    try:
        cores = {ref: core_gang(view, here[ref], seen.queues) for ref in sorted(here, key=str)}
        for ref, core in cores.items():
            seen.snapshot.add_gang(core)
            restore(seen.snapshot, view, here[ref], core, seen.queues)
    except MALFORMED:  # what cannot be read is for the mapping to tell
        return False
    there = [view.pods[place] for place in sorted(places & view.pods.keys())]
    return not add_pods(seen.snapshot, view, there, cores, seen.queues)


def _clean(snapshot: Snapshot, names: Iterable[str]) -> bool:
    """Whether nothing stays behind in a node's books: of what it does not have, none would, where nothing had been."""
    bound = (snapshot.pods[name] for name in names if name in snapshot.pods)
    return all(each.pod.requests.keys() <= snapshot.nodes[each.node].allocatable.keys() for each in bound)


def _take_out(snapshot: Snapshot, gangs: Iterable[str], pods: Iterable[str]) -> None:
    for gang in sorted(gangs):
        if gang in snapshot.gangs:
            snapshot.remove_gang(gang)
    for pod in sorted(pods):
        if pod in snapshot.pods or pod in snapshot.waiting_pods:
            snapshot.forget_pod(pod)
