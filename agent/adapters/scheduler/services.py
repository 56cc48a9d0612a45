"""Workloads whose pods are no gang, as a what-if leaves them: how many of their pods have a node."""

from agent.domain.cluster import ClusterView
from agent.domain.forecast import ServiceForecast
from agent.evidence.lookup import in_order
from agent.evidence.services import floor_of, ready_pods
from scheduler_core.whatif import Effect


def services(view: ClusterView, without: Effect, effect: Effect) -> tuple[ServiceForecast, ...]:
    """Those that have more or fewer pods on nodes by it. A pod that starts counts as ready: what else could be said?"""
    if without.after.pods_by_owner == effect.after.pods_by_owner:
        return ()
    told = []
    for workload in in_order(view.workloads):
        name = str(workload.ref)
        now = effect.before.pods_by_owner.get(name, 0)
        left, then = without.after.pods_by_owner.get(name, 0), effect.after.pods_by_owner.get(name, 0)
        if left == then:
            continue
        ready = len(ready_pods(view, workload.ref))
        after = max(0, ready + then - now)
        told.append(
            ServiceForecast(
                ref=name,
                wanted=workload.replicas,
                ready_before=ready,
                ready_at_worst=min(ready, after),
                ready_after=after,
                minimum=floor_of(view, workload.ref),
            )
        )
    return tuple(told)
