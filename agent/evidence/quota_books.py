"""How many GPUs each queue may have by itself, and how many its gangs hold: enough to see who borrows.

GPUs alone, over all flavors; the scheduler's forecast knows the rest and has the last word.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef
from agent.evidence.lookup import in_order, raw_object
from agent.evidence.queues import KUEUE, OURS, cohort_of, group_of, has_quota, queue_of, said, whole

Raw = Mapping[str, Any]
_QUEUES = frozenset({(KUEUE, "ClusterQueue"), (OURS, "Queue")})


def is_gpu(resource: Any) -> bool:
    return isinstance(resource, str) and resource.endswith("/gpu")


def needs(gang: Gang) -> int:
    return gang.minimum * gang.gpus_per_pod


class Books:
    """The accounts of one view: who waits in which queue, and what each queue has and holds. Reckoned once a look."""

    def __init__(self, view: ClusterView) -> None:
        self.view = view
        self._used: dict[ObjectRef, int] = {}
        self._gangs: dict[ObjectRef, list[Gang]] = {}
        for gang in in_order(view.gangs):
            queue = queue_of(view, gang)
            if queue is not None:
                self._gangs.setdefault(queue, []).append(gang)
        self._cohorts = {ref: cohort_of(view, ref) for ref in view.objects if (group_of(ref), ref.kind) in _QUEUES}

    @cached_property
    def free(self) -> dict[str, int]:
        return free_gpus(self.view)

    def gangs(self, queue: ObjectRef) -> list[Gang]:
        return self._gangs.get(queue, [])

    def nominal(self, queue: ObjectRef) -> int:
        return sum(count(amount) for amount in _nominal(raw_object(self.view, queue).get("spec")))

    def used(self, queue: ObjectRef) -> int:
        if queue not in self._used:
            self._used[queue] = sum(held(self.view, gang) for gang in self.gangs(queue))
        return self._used[queue]

    def siblings(self, queue: ObjectRef) -> list[ObjectRef]:
        """The other queues of its cohort."""
        cohort = self._cohorts.get(queue, "")
        return sorted(
            (ref for ref, name in self._cohorts.items() if cohort and name == cohort and ref != queue), key=str
        )

    def borrowers(self, queue: ObjectRef) -> list[ObjectRef]:
        """Queues of its cohort whose gangs hold more than is theirs."""
        return [ref for ref in self.siblings(queue) if self.used(ref) > self.nominal(ref)]

    def waiting_beside(self, queue: ObjectRef | None, but: Gang) -> list[Gang]:
        """Gangs without quota that wait in this queue or in its cohort."""
        near = sorted({queue, *self.siblings(queue)}, key=str) if queue is not None else []
        gangs = (gang for ref in near for gang in self.gangs(ref) if gang.state is GangState.QUEUED)
        return [gang for gang in gangs if gang.ref != but.ref and not has_quota(said(self.view, gang.ref))]


def held(view: ClusterView, gang: Gang) -> int:
    """By what it was admitted with, where that is written; else by its size."""
    if gang.state in (GangState.FINISHED, GangState.SUSPENDED):
        return 0
    if not has_quota(said(view, gang.ref)):
        return len(gang.running) * gang.gpus_per_pod
    return _admitted_gpus(view, gang) or needs(gang)


def free_gpus(view: ClusterView) -> dict[str, int]:
    """By node: those that take new pods."""
    free = {node.name: node.gpus for node in view.nodes.values() if node.eligible}
    for pod in view.pods.values():
        if pod.holds_gpus and pod.node in free:
            free[pod.node] -= pod.gpus
    return {name: max(0, gpus) for name, gpus in sorted(free.items())}


def count(amount: Any) -> int:
    """A quantity of GPUs; what is no whole number counts as none."""
    if isinstance(amount, str) and amount.isdecimal():
        return int(amount)
    return whole(amount)


def _nominal(spec: Any) -> Iterator[Any]:
    for each in _maps(spec, "quotas"):
        if is_gpu(each.get("resource")):
            yield each.get("nominal")
    for group in _maps(spec, "resourceGroups"):
        for flavor in _maps(group, "flavors"):
            for resource in _maps(flavor, "resources"):
                if is_gpu(resource.get("name")):
                    yield resource.get("nominalQuota")


def _admitted_gpus(view: ClusterView, gang: Gang) -> int:
    status = raw_object(view, gang.ref).get("status")
    admission = status.get("admission") if isinstance(status, Mapping) else None
    usage = [each.get("resourceUsage") or {} for each in _maps(admission, "podSetAssignments")]
    return sum(count(amount) for each in usage for resource, amount in each.items() if is_gpu(resource))


def _maps(of: Any, key: str) -> Iterator[Raw]:
    listed = of.get(key) if isinstance(of, Mapping) else None
    return (each for each in listed or () if isinstance(each, Mapping))
