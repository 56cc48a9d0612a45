"""How many GPUs each queue may have by itself, and how many its gangs hold: enough to see who borrows.

GPUs alone, over all flavors; the scheduler's forecast knows the rest and has the last word.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef
from agent.evidence.lookup import raw_object
from agent.evidence.queues import KUEUE, OURS, cohort_of, gangs_of, group_of, has_quota, said, whole

Raw = Mapping[str, Any]


def is_gpu(resource: Any) -> bool:
    return isinstance(resource, str) and resource.endswith("/gpu")


def needs(gang: Gang) -> int:
    return gang.minimum * gang.gpus_per_pod


def nominal(view: ClusterView, queue: ObjectRef) -> int:
    return sum(count(amount) for amount in _nominal(raw_object(view, queue).get("spec")))


def used(view: ClusterView, queue: ObjectRef) -> int:
    return sum(held(view, gang) for gang in gangs_of(view, queue))


def held(view: ClusterView, gang: Gang) -> int:
    """By what it was admitted with, where that is written; else by its size."""
    if gang.state in (GangState.FINISHED, GangState.SUSPENDED):
        return 0
    if not has_quota(said(view, gang.ref)):
        return len(gang.running) * gang.gpus_per_pod
    return _admitted_gpus(view, gang) or needs(gang)


def siblings(view: ClusterView, queue: ObjectRef) -> list[ObjectRef]:
    """The other queues of its cohort."""
    cohort = cohort_of(view, queue)
    kinds = ((KUEUE, "ClusterQueue"), (OURS, "Queue"))
    refs = [ref for ref in sorted(view.objects, key=str) if (group_of(ref), ref.kind) in kinds and ref != queue]
    return [ref for ref in refs if cohort and cohort_of(view, ref) == cohort]


def borrowers(view: ClusterView, queue: ObjectRef) -> list[ObjectRef]:
    """Queues of its cohort whose gangs hold more than is theirs."""
    return [ref for ref in siblings(view, queue) if used(view, ref) > nominal(view, ref)]


def waiting_beside(view: ClusterView, queue: ObjectRef | None, but: Gang) -> list[Gang]:
    """Gangs without quota that wait in this queue or in its cohort."""
    if queue is None:
        return []
    near = {queue, *siblings(view, queue)}
    gangs = [gang for ref in sorted(near, key=str) for gang in gangs_of(view, ref)]
    return [
        gang
        for gang in gangs
        if gang.ref != but.ref and gang.state is GangState.QUEUED and not has_quota(said(view, gang.ref))
    ]


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
