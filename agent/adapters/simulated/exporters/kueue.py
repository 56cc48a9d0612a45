"""Kueue: who waits, who is in, and how much of each quota is taken, as the scheduler core counts it.

What has happened so far is `kueue_tally.py`'s business.
"""

from collections.abc import Iterator

from agent.adapters.scheduler.mapping import snapshot_of
from agent.adapters.simulated import pods
from agent.adapters.simulated.exporters.kueue_tally import KueueTally
from agent.adapters.simulated.exporters.sample import Sample
from agent.adapters.simulated.exposition import Labels, labels_of
from agent.adapters.simulated.gangs import WORKLOAD, holds_quota, is_active, is_admitted
from agent.adapters.simulated.store import ObjectStore
from agent.domain.cluster import ClusterView
from agent.ports import JsonObject
from scheduler_core.quota import Queue, StopPolicy, Strategy
from scheduler_core.snapshot import Snapshot

PREFIX = "ClusterQueue/"
_KINDS = (WORKLOAD, *(("kueue.x-k8s.io", kind) for kind in ("ClusterQueue", "LocalQueue", "Cohort", "ResourceFlavor")))


def mark(store: ObjectStore) -> tuple[int, int]:
    """What it shows changes with these objects alone."""
    versions = [int(each["metadata"]["resourceVersion"]) for kind in _KINDS for each in store.of_kind(*kind)]
    return max(versions, default=0), len(versions)


def series(view: ClusterView, store: ObjectStore, tally: KueueTally) -> dict[Labels, Sample]:
    snapshot = snapshot_of(view)
    found = tally.series()
    unfinished = [each for each in store.of_kind(*WORKLOAD) if not pods.holds(each, "Finished")]
    refs = {(ref.namespace or "", ref.name): str(ref) for ref in view.gangs if ref.kind == "Workload"}
    by_queue: dict[str | None, list[JsonObject]] = {}
    for workload in unfinished:
        metadata = workload["metadata"]
        name = refs.get((metadata.get("namespace") or "", metadata["name"]), "")
        stands_in = snapshot.gangs[name].queue if name in snapshot.gangs else None
        by_queue.setdefault(stands_in, []).append(workload)
    for name, queue in sorted(snapshot.queues.items()):
        if name.startswith(PREFIX):
            found.update(_of_queue(snapshot, queue))
            found.update(_of_workloads(queue, by_queue.get(name, [])))
    return found


def _of_workloads(queue: Queue, mine: list[JsonObject]) -> Iterator[tuple[Labels, Sample]]:
    labels = {"cluster_queue": queue.name.removeprefix(PREFIX)}
    waiting = [each for each in mine if is_active(each) and not holds_quota(each)]
    parked = sum(1 for each in waiting if _is_inadmissible(queue, each))
    yield labels_of("kueue_pending_workloads", {**labels, "status": "active"}), Sample(float(len(waiting) - parked))
    yield labels_of("kueue_pending_workloads", {**labels, "status": "inadmissible"}), Sample(float(parked))
    inside = {"reserving": sum(map(holds_quota, mine)), "admitted": sum(map(is_admitted, mine))}
    for which, count in inside.items():
        yield labels_of(f"kueue_{which}_active_workloads", labels), Sample(float(count))


def _is_inadmissible(queue: Queue, workload: JsonObject) -> bool:
    """It was tried in vain and is not tried again until something changes. A strict queue goes on trying its head."""
    if queue.stop_policy is not StopPolicy.NONE or pods.holds(workload, "Requeued", "False"):
        return True
    return queue.strategy is not Strategy.STRICT_FIFO and pods.holds(workload, "QuotaReserved", "False")


def _of_queue(snapshot: Snapshot, queue: Queue) -> Iterator[tuple[Labels, Sample]]:
    labels = {"cluster_queue": queue.name.removeprefix(PREFIX), **({"cohort": queue.cohort} if queue.cohort else {})}
    for quota in queue.quotas:
        where = {**labels, "flavor": quota.flavor, "resource": quota.resource}
        used = Sample(float(snapshot.usage.get((("queue", queue.name), quota.key), 0)))
        yield labels_of("kueue_cluster_queue_nominal_quota", where), Sample(float(quota.nominal))
        yield labels_of("kueue_cluster_queue_resource_reservation", where), used
        yield labels_of("kueue_cluster_queue_resource_usage", where), used
        for name, limit in (("borrowing", quota.borrowing_limit), ("lending", quota.lending_limit)):
            if limit is not None:
                yield labels_of(f"kueue_cluster_queue_{name}_limit", where), Sample(float(limit))
