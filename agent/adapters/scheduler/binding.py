"""Which node each waiting pod gets: gangs whole or not at all, everybody in the order of priority and age."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

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
    taken, seats = {name: snapshot.running(name) for name in snapshot.gangs}, _Seats(snapshot)
    for pod in sorted(waiting, key=lambda each: each.ref.name):
        gang = snapshot.gangs.get(str(pod.gang)) if pod.gang else None
        pod_set = None
        if gang is not None:
            pod_set = pod_set_of(pod, gang, taken[gang.name])
            taken[gang.name][pod_set] += 1
        made = core_pod(view, pod, gang, pod_set, queues)
        seat = seats.next_of(gang.name, str(pod_set)) if gang is not None else {}
        made = replace(made, node_selector={**made.node_selector, **seat}) if seat else made
        together.setdefault(gang.name if gang else pod_name(pod), {})[pod.ref] = made
    return sorted(together.values(), key=_order)


class _Seats:
    """The domains that an admission by a topology names, one after the other, less where pods stand already."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._left: dict[tuple[str, str], list[Mapping[str, str]]] = {}

    def next_of(self, gang: str, pod_set: str) -> Mapping[str, str]:
        """The labels of the node that the next pod of the set is for; none where the admission names no places."""
        if (gang, pod_set) not in self._left:
            self._left[gang, pod_set] = self._free(gang, pod_set)
        left = self._left[gang, pod_set]
        return left.pop(0) if left else {}

    def _free(self, gang: str, pod_set: str) -> list[Mapping[str, str]]:
        admission = self._snapshot.state_of(gang).admission
        if admission is None or pod_set not in admission.topology:
            return []
        names = sorted(set(admission.flavors.get(pod_set, {}).values()))
        known = (self._snapshot.flavors[name].topology for name in names if name in self._snapshot.flavors)
        levels = next((self._snapshot.topologies[name].levels for name in known if name), ())
        bound = [self._snapshot.pods[name] for name in self._snapshot.pods_of(gang)]
        stands = [self._snapshot.nodes[each.node].labels for each in bound if each.pod.pod_set == pod_set]
        free: list[Mapping[str, str]] = []
        for domain in admission.topology[pod_set]:
            labels = dict(zip(levels[-len(domain.values) :], domain.values, strict=True))
            there = sum(labels.items() <= dict(each).items() for each in stands)
            free += [labels] * max(0, domain.count - there)
        return free


def _order(group: dict[ObjectRef, CorePod]) -> tuple[float, float, str]:
    first = min(group.values(), key=lambda pod: (pod.created_s, pod.name))
    return (-first.priority, first.created_s, first.name)
