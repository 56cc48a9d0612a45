"""Which node each waiting pod gets: gangs whole or not at all, everybody in the order of priority and age."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.adapters.scheduler.gangs import pod_name, pod_set_of
from agent.adapters.scheduler.mapping import core_pod, snapshot_of
from agent.adapters.scheduler.queues import queues_of
from agent.domain.cluster import ClusterView, ObjectRef, Pod
from scheduler_core.model import Pod as CorePod
from scheduler_core.pods import Refusal, place_pods
from scheduler_core.snapshot import Snapshot


@dataclass(frozen=True)
class Placement:
    nodes: dict[ObjectRef, str] = field(default_factory=dict)
    refused: dict[ObjectRef, str] = field(default_factory=dict)  # and why


def place_waiting(view: ClusterView, waiting: Sequence[Pod]) -> Placement:
    """`waiting` are pods of this view that want a node; the others without one are left as they are."""
    snapshot = snapshot_of(view)
    result = Placement()
    for group in _groups(view, snapshot, waiting):
        placed = place_pods(snapshot, list(group.values()))
        if isinstance(placed, Refusal):
            result.refused.update(dict.fromkeys(group, placed.message))
            continue
        for ref, pod in group.items():
            snapshot.bind(pod, placed[pod.name])
            result.nodes[ref] = placed[pod.name]
    return result


def _groups(view: ClusterView, snapshot: Snapshot, waiting: Sequence[Pod]) -> list[dict[ObjectRef, CorePod]]:
    """The waiting members of one gang together, any other pod alone."""
    queues = queues_of(view)
    together: dict[str, dict[ObjectRef, CorePod]] = {}
    taken = {name: snapshot.running(name) for name in snapshot.gangs}
    for pod in sorted(waiting, key=lambda each: each.ref.name):
        gang = snapshot.gangs.get(str(pod.gang)) if pod.gang else None
        pod_set = None
        if gang is not None:
            pod_set = pod_set_of(pod, gang, taken[gang.name])
            taken[gang.name][pod_set] += 1
        made = core_pod(view, pod, gang, pod_set, queues)
        together.setdefault(gang.name if gang else pod_name(pod), {})[pod.ref] = made
    return sorted(together.values(), key=_order)


def _order(group: dict[ObjectRef, CorePod]) -> tuple[float, float, str]:
    first = min(group.values(), key=lambda pod: (pod.created_s, pod.name))
    return (-first.priority, first.created_s, first.name)
