"""Carries the core's snapshot of one view on to the next one.

Of what has changed only what the mapping reads counts: queues, gangs and the quota that they hold, what a pod asks for
and where it is, a node's own words. As long as queues, gangs and their quota are the same, pods and nodes are brought
to what they are now, and the snapshot's contents are those of one that is made anew. Anything else is for the mapping.
"""

from collections.abc import Collection
from typing import NamedTuple

from agent.adapters.kubernetes.gang_size import KUEUE
from agent.adapters.kubernetes.owners import group_of
from agent.adapters.kueue.rules import KueueRules
from agent.adapters.scheduler.gangs import assignments, is_labelled, pod_name, pod_set_of
from agent.adapters.scheduler.mapping import MALFORMED, STANDING, Mapped, core_gang, core_node, core_pod, waits
from agent.adapters.scheduler.queues import WATCHKEEPER, queues_of
from agent.adapters.scheduler.states import state_of, status_of
from agent.domain.cluster import ClusterView, Gang as DomainGang, GangState, ObjectRef, Pod
from scheduler_core.model import Gang, Pod as CorePod

_SEEN_APART = ("Pod", "Node")  # kinds of which a view has tables of its own


class _Place(NamedTuple):
    """A pod as the snapshot has it; one without a node waits for one."""

    pod: CorePod
    node: str | None


def carry_on(seen: Mapped, before: ClusterView, view: ClusterView, rules: KueueRules) -> bool:
    """False where that takes a mapping of its own; then `seen` is of no more use.

    A drained queue sends back as of now, so that nothing of it can be carried on.
    """
    if seen.by_time or not _same_nodes(before, view):
        return False
    try:
        if not is_of_nodes_alone(before, view):
            changed = _changed_objects(before, view)
            stand = _queues_stand(seen, view, changed, rules) and _gangs_stand(seen, before, view, changed)
            if not stand or not _pods_carried(seen, before, view):
                return False
    except MALFORMED:  # of the one whose wishes cannot be read the mapping tells
        return False
    for name, node in view.nodes.items():
        if before.nodes[name] is not node:
            seen.snapshot.replace_node(core_node(node, seen.queues))
    return True


def is_of_nodes_alone(before: ClusterView, view: ClusterView) -> bool:
    """Whether nothing has changed between the two but what nodes say of themselves."""
    return view.beside_nodes is not None and view.beside_nodes is before.beside_nodes


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


def _queues_stand(seen: Mapped, view: ClusterView, changed: Collection[ObjectRef], rules: KueueRules) -> bool:
    read = (KUEUE, WATCHKEEPER)
    if not any(group_of(ref.api_version) in read or ref.kind == "Namespace" for ref in changed):
        return True
    return queues_of(view, rules) == seen.queues


def _gangs_stand(seen: Mapped, before: ClusterView, view: ClusterView, changed: Collection[ObjectRef]) -> bool:
    """What a gang wants and what it holds. Which of its pods run is its pods' to say."""
    for ref in before.gangs.keys() | view.gangs.keys():
        old, new = _living(before.gangs.get(ref)), _living(view.gangs.get(ref))
        if old is None and new is None:
            continue
        if old is None or new is None or (ref in seen.left_out and old is not new):
            return False
        if (old is not new or ref in changed or new.job in changed) and not _stands(seen, before, view, old, new):
            return False
    return True


def _living(gang: DomainGang | None) -> DomainGang | None:
    return gang if gang is not None and gang.state is not GangState.FINISHED else None


def _stands(seen: Mapped, before: ClusterView, view: ClusterView, old: DomainGang, new: DomainGang) -> bool:
    if new.ref in seen.left_out:
        return False
    core = seen.snapshot.gang(str(new.ref))
    return (
        core_gang(view, new, seen.queues) == core
        and state_of(view, new, core, seen.queues) == state_of(before, old, core, seen.queues)
        and assignments(status_of(view, new)) == assignments(status_of(before, old))
    )


def _pods_carried(seen: Mapped, before: ClusterView, view: ClusterView) -> bool:
    if before.pods is view.pods:
        return True
    old, new = before.pods, view.pods
    places = [place for place, pod in new.items() if old.get(place) is not pod]
    places += [place for place in old if place not in new]
    for place in places:
        pods = [each for each in (old.get(place), new.get(place)) if each is not None]
        if any(pod.ref in seen.left_out or not _in_one_way(seen, before, view, pod) for pod in pods):
            return False
        if not _pod_carried(seen, view, pods[-1], gone=place not in new):
            return False
    return True


def _in_one_way(seen: Mapped, before: ClusterView, view: ClusterView, pod: Pod) -> bool:
    """Whether which pod set a pod of its gang is in does not depend on the others."""
    gang = _gang_of(seen, pod)
    if pod.gang is None or gang is None or len(gang.pod_sets) == 1:
        return True
    members = (each for one in (before, view) for each in one.pods_by_owner.get(pod.gang.identity, ()))
    return all(is_labelled(each, gang) for each in members)


def _pod_carried(seen: Mapped, view: ClusterView, pod: Pod, *, gone: bool) -> bool:
    name, snapshot = pod_name(pod), seen.snapshot
    now = None if gone else _place(seen, view, pod)
    known = snapshot.pods.get(name)
    waiting = snapshot.waiting_pods.get(name)
    then = _Place(known.pod, known.node) if known is not None else _Place(waiting, None) if waiting else None
    if then == now:
        return True
    if any(place is not None and not _is_of_its_node(seen, place) for place in (then, now)):
        return False
    if then is not None:
        snapshot.forget_pod(name)
    if now is not None and now.node is not None:
        snapshot.put_pod(now.pod, now.node)
    elif now is not None:
        snapshot.wait(now.pod)
    return True


def _is_of_its_node(seen: Mapped, place: _Place) -> bool:
    """Of what the node does not have, nothing would stay behind in the books where it had never been before."""
    return place.node is None or place.pod.requests.keys() <= seen.snapshot.nodes[place.node].allocatable.keys()


def _place(seen: Mapped, view: ClusterView, pod: Pod) -> _Place | None:
    """Where the mapping puts it; None for one that it leaves out."""
    if pod.phase not in STANDING:
        return None
    gang = _gang_of(seen, pod)
    made = core_pod(view, pod, gang, pod_set_of(pod, gang, {}) if gang is not None else None, seen.queues)
    if pod.node is not None and pod.node in view.nodes:
        return _Place(made, pod.node)
    return _Place(made, None) if waits(pod, gang) else None


def _gang_of(seen: Mapped, pod: Pod) -> Gang | None:
    return seen.snapshot.gangs.get(str(pod.gang)) if pod.gang is not None and not pod.terminating else None
