"""Kueue: who waits, and how much of each quota is taken, as the scheduler core counts it."""

from agent.adapters.scheduler.mapping import snapshot_of
from agent.adapters.simulated.exporters.sample import Sample
from agent.adapters.simulated.exposition import Labels, labels_of
from agent.domain.cluster import ClusterView

PREFIX = "ClusterQueue/"


def series(view: ClusterView) -> dict[Labels, Sample]:
    snapshot = snapshot_of(view)
    found: dict[Labels, Sample] = {}
    for name, queue in sorted(snapshot.queues.items()):
        if not name.startswith(PREFIX):
            continue
        labels = {"cluster_queue": name.removeprefix(PREFIX)}
        waiting = sum(1 for gang in snapshot.pending_gangs() if snapshot.gang(gang).queue == name)
        found[labels_of("kueue_pending_workloads", {**labels, "status": "active"})] = Sample(float(waiting))
        for quota in queue.quotas:
            where = {**labels, "flavor": quota.flavor, "resource": quota.resource}
            used = Sample(float(snapshot.usage.get((("queue", name), quota.key), 0)))
            found[labels_of("kueue_cluster_queue_nominal_quota", where)] = Sample(float(quota.nominal))
            found[labels_of("kueue_cluster_queue_resource_reservation", where)] = used
            found[labels_of("kueue_cluster_queue_resource_usage", where)] = used
    return found
