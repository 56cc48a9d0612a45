"""What Kueue has counted since the world began: admissions and their waits, evictions, preemptions, ends.

It watches the Workloads as they change. What the initial objects tell of the past it does not know, like a manager that
has just been started.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.adapters.simulated import pods
from agent.adapters.simulated.evictions import queued_at
from agent.adapters.simulated.exporters.sample import Sample
from agent.adapters.simulated.exposition import Labels, labels_of
from agent.adapters.simulated.gangs import WORKLOAD
from agent.adapters.simulated.store import Change, Origin
from agent.domain.base import parse_rfc3339
from agent.ports import JsonObject

BUCKETS_S = (1.0, *(2.5 * 2**power for power in range(15)))  # Kueue's


@dataclass
class Histogram:
    counts: dict[float, int] = field(default_factory=lambda: dict.fromkeys(BUCKETS_S, 0))
    count: int = 0
    total: float = 0.0

    def observe(self, value: float) -> None:
        self.count += 1
        self.total += value
        for limit in BUCKETS_S:
            if value <= limit:
                self.counts[limit] += 1


class KueueTally:
    def __init__(self) -> None:
        self._counters: dict[Labels, int] = {}
        self._waits: dict[tuple[str, str], Histogram] = {}  # by ClusterQueue and priority class

    def note(self, change: Change) -> None:
        """A listener of the store."""
        if (change.key.group, change.key.kind) != WORKLOAD or change.after is None or change.origin is Origin.LOADED:
            return
        before, after = change.before, change.after
        who = {"cluster_queue": _queue_of(after) or _queue_of(before), "priority_class": _class_of(after)}
        if _begins(before, after, "QuotaReserved"):
            self._count("kueue_quota_reserved_workloads_total", who)
        if (admitted := _begins(before, after, "Admitted")) is not None:
            self._count("kueue_admitted_workloads_total", who)
            self._wait(after if before is None else before, admitted, who)
        if (evicted := _begins(before, after, "Evicted")) is not None and _queue_of(before):
            self._count("kueue_evicted_workloads_total", {**who, **_causes(before, evicted)})
        if (preempted := _begins(before, after, "Preempted")) is not None:
            told = {"preempting_cluster_queue": _preempting(preempted), "reason": str(preempted.get("reason") or "")}
            self._count("kueue_preempted_workloads_total", told)
        if _begins(before, after, "Finished"):
            self._count("kueue_finished_workloads_total", who)

    def series(self) -> dict[Labels, Sample]:
        found = {labels: Sample(float(count)) for labels, count in self._counters.items()}
        for (queue, priority_class), waits in self._waits.items():
            who = _told({"cluster_queue": queue, "priority_class": priority_class})
            found.update(_histogram("kueue_admission_wait_time_seconds", who, waits))
        return found

    def _count(self, name: str, labels: dict[str, str]) -> None:
        key = labels_of(name, _told(labels))
        self._counters[key] = self._counters.get(key, 0) + 1

    def _wait(self, waited: JsonObject, admitted: JsonObject, who: dict[str, str]) -> None:
        at = parse_rfc3339(str(admitted["lastTransitionTime"]))
        key = (who["cluster_queue"], who["priority_class"])
        self._waits.setdefault(key, Histogram()).observe(max(0.0, (at - queued_at(waited, at)).total_seconds()))


def _begins(before: JsonObject | None, after: JsonObject, kind: str) -> JsonObject | None:
    """The condition, where it holds from this change on."""
    now = pods.condition(after, kind)
    was = pods.condition(before, kind) if before is not None else None
    if now is None or now.get("status") != "True" or not now.get("lastTransitionTime"):
        return None
    same = was is not None and was.get("status") == "True"
    return None if same else now


def _queue_of(workload: JsonObject | None) -> str:
    admission = ((workload or {}).get("status") or {}).get("admission") or {}
    return str(admission.get("clusterQueue") or "")


def _class_of(workload: JsonObject) -> str:
    spec = workload.get("spec") or {}
    return str((spec.get("priorityClassRef") or {}).get("name") or spec.get("priorityClassName") or "")


def _causes(before: JsonObject | None, evicted: JsonObject) -> dict[str, str]:
    """Kueue tells a reason apart from what lies under it."""
    reason, _, cause = str(evicted.get("reason") or "").partition("DueTo")
    if reason == "PodsReadyTimeout":
        cause = str((pods.condition(before or {}, "PodsReady") or {}).get("reason") or "WaitForStart")
    return {"reason": reason, "underlying_cause": cause}


def _preempting(preempted: JsonObject) -> str:
    """The last name of the preemptor's path in Kueue's message."""
    _, _, rest = str(preempted.get("message") or "").partition("preemptor path: ")
    return rest.partition(";")[0].rpartition("/")[2]


def _told(labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if value}


def _histogram(name: str, who: dict[str, str], waits: Histogram) -> Iterator[tuple[Labels, Sample]]:
    for limit in BUCKETS_S:
        yield labels_of(f"{name}_bucket", {**who, "le": f"{limit:g}"}), Sample(float(waits.counts[limit]))
    yield labels_of(f"{name}_bucket", {**who, "le": "+Inf"}), Sample(float(waits.count))
    yield labels_of(f"{name}_sum", who), Sample(waits.total)
    yield labels_of(f"{name}_count", who), Sample(float(waits.count))
