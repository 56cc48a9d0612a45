"""A case as the core sees it: a snapshot with everything in it, made anew for every case."""

from scheduler_core.cases.form import Case
from scheduler_core.snapshot import Snapshot


def world_of(case: Case) -> Snapshot:
    snapshot = Snapshot(
        nodes=case.nodes,
        topologies=case.topologies,
        flavors=case.flavors,
        cohorts=case.cohorts,
        queues=case.queues,
        gangs=(each.gang for each in case.workloads),
    )
    for pod, node in case.pods:
        snapshot.put_pod(pod, node)
    for each in case.workloads:
        if each.state is not None:
            snapshot.restore(each.gang.name, each.state)
    return snapshot
