"""Does a service get more requests than it can serve? By witnesses that measure different things, over minutes.

Requests that wait, caches that are full, GPUs that are busy, an autoscaler at its limit: two of them, for long enough,
and none that says the opposite. A service whose pods are not all well is failing, not saturated: more replicas of what
does not work help nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.domain.base import parse_rfc3339
from agent.domain.cluster import ClusterView, ObjectRef, Pod
from agent.evidence.holders import OPT_OUT
from agent.evidence.lookup import active_pods, in_order, pods_of, raw_object
from agent.evidence.pod_series import PodKey, all_so_for_s, key_of, read_pods, so_for_s, summed
from agent.ports import Metrics, Series

WAITING, RUNNING = "vllm:num_requests_waiting", "vllm:num_requests_running"
CACHES = ("vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc")  # the newer name second
BUSY = (("DCGM_FI_DEV_GPU_UTIL", 80.0), ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", 0.8))  # the first that is there
IDLE = 0.01  # of either; below it a replica does nothing while others queue
CACHE_FULL = 0.9  # vLLM preempts requests from about here
WINDOW_S = 3600
WITNESSES_NEEDED = 2


@dataclass(frozen=True, slots=True)
class Load:
    """`saturated_s`: for how long the second of the witnesses has said so; `after_s`: how long it must. `against`: who
    says the opposite."""

    witnesses: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    saturated_s: int = 0
    after_s: int = 0

    @property
    def proven(self) -> bool:
        return len(self.witnesses) >= WITNESSES_NEEDED and not self.against and self.saturated_s >= self.after_s


@dataclass(frozen=True, slots=True)
class Scaler:
    """The HorizontalPodAutoscaler over a service, as far as its load is concerned."""

    ref: ObjectRef
    least: int
    most: int
    wants: int  # as its status says
    limited_since: datetime | None  # it wants more than it may have

    @property
    def maxed_out(self) -> bool:
        return self.limited_since is not None and self.wants >= self.most


def scaler_of(view: ClusterView, target: ObjectRef) -> Scaler | None:
    for ref in sorted((r for r in view.objects if r.kind == "HorizontalPodAutoscaler"), key=str):
        spec: Any = view.objects[ref].get("spec") or {}
        scaled = spec.get("scaleTargetRef") or {}
        if (scaled.get("kind"), ref.namespace, scaled.get("name")) == (target.kind, target.namespace, target.name):
            return _scaler(ref, spec, view, target)
    return None


def _scaler(ref: ObjectRef, spec: Mapping[str, Any], view: ClusterView, target: ObjectRef) -> Scaler:
    """What it wants is in its status; one that has none yet wants what it has set."""
    status: Any = view.objects[ref].get("status") or {}
    most = int(spec.get("maxReplicas") or 1)
    set_now = (raw_object(view, target).get("spec") or {}).get("replicas") or 0
    wants = int(status.get("desiredReplicas") or set_now)
    limits = [c for c in status.get("conditions") or () if c.get("type") == "ScalingLimited"]
    if limits:
        limited = next((c for c in limits if c.get("status") == "True" and c.get("reason") == "TooManyReplicas"), None)
        since = _moment(limited.get("lastTransitionTime")) or view.taken_at if limited else None
    else:
        since = view.taken_at if wants >= most and int(status.get("currentReplicas") or set_now) >= most else None
    return Scaler(ref, int(spec.get("minReplicas") or 1), most, wants, since)


def _moment(text: Any) -> datetime | None:
    try:
        return parse_rfc3339(str(text))
    except ValueError:
        return None


def unwell(view: ClusterView, target: ObjectRef, wanted: int) -> tuple[str, ...]:
    """Pods that do not serve, and why: each by name, and one line for those that are missing."""
    pods = [p for p in pods_of(view, target) if p.phase not in ("Succeeded", "Failed")]
    sick = [f"{p.ref.name} {p.waiting_reason or ('waits for a node' if p.node is None else 'is not ready')}"
            for p in pods if not p.ready and not p.terminating]  # fmt: skip
    missing = wanted - sum(not p.terminating for p in pods)
    return (*sick, *([f"{missing} of {wanted} pods are missing"] if missing > 0 else []))


def opted_out(view: ClusterView, target: ObjectRef) -> bool:
    marks: Any = raw_object(view, target).get("metadata", {}).get("annotations") or {}
    said = (marks, view.namespaces.get(target.namespace or "", {}))
    return any(str(m.get(OPT_OUT, "false")).lower() != "false" for m in said)


def judge_load(metrics: Metrics, pods: Sequence[Pod], scaler: Scaler | None, now: datetime, after_s: int) -> Load:
    """What the load of `pods` (all of one service) has been. Raises MetricsUnavailable."""
    start = now - timedelta(seconds=WINDOW_S)
    keys = {key_of(p) for p in pods}
    waiting = read_pods(metrics, WAITING, pods, start, now)
    said = {
        "requests wait": _queue_s(waiting, keys, now),
        "caches are full": _cache_s(metrics, pods, keys, start, now),
        "GPUs are busy": _gpus_s(metrics, pods, start, now),
        "the autoscaler is at its limit": _limit_s(scaler, now, after_s),
    }
    agreed = sorted((seconds for seconds in said.values() if seconds > 0), reverse=True)
    return Load(
        witnesses=tuple(name for name, seconds in said.items() if seconds >= after_s),
        against=_against(metrics, pods, waiting, keys, start, now),
        saturated_s=agreed[WITNESSES_NEEDED - 1] if len(agreed) >= WITNESSES_NEEDED else 0,
        after_s=after_s,
    )


def _queue_s(waiting: Mapping[PodKey, Sequence[Series]], keys: set[PodKey], now: datetime) -> int:
    """At least one request waits for each replica."""
    if set(waiting) != keys:
        return 0
    total = summed(one for series in waiting.values() for one in series)
    return so_for_s(total, now, lambda value: value >= len(keys))


def _cache_s(metrics: Metrics, pods: Sequence[Pod], keys: set[PodKey], start: datetime, now: datetime) -> int:
    for name in CACHES:
        found = read_pods(metrics, name, pods, start, now)
        if set(found) == keys:
            return all_so_for_s((s for each in found.values() for s in each), now, lambda value: value >= CACHE_FULL)
    return 0


def _gpus_s(metrics: Metrics, pods: Sequence[Pod], start: datetime, now: datetime) -> int:
    """Every GPU of every pod: one that is not told of could be doing nothing."""
    for name, busy in BUSY:
        found = read_pods(metrics, name, pods, start, now)
        if found:
            whole = all(p.gpus and len(found.get(key_of(p), ())) >= p.gpus for p in pods)
            series = (s for each in found.values() for s in each)
            return all_so_for_s(series, now, lambda value, busy=busy: value >= busy) if whole else 0  # type: ignore[misc]
    return 0


def _limit_s(scaler: Scaler | None, now: datetime, after_s: int) -> int:
    """Its alert comes after a quarter of an hour; where its status names no time, it has been at its limit so long."""
    if scaler is None or scaler.limited_since is None or not scaler.maxed_out:
        return 0
    since_s = int((now - scaler.limited_since).total_seconds())
    return since_s if since_s > 0 else after_s


def _against(
    metrics: Metrics,
    pods: Sequence[Pod],
    waiting: Mapping[PodKey, Sequence[Series]],
    keys: set[PodKey],
    start: datetime,
    now: datetime,
) -> tuple[str, ...]:
    """A replica that idles beside the others' queue, or no queue at all where queues are told of."""
    said = []
    for name, _ in BUSY:
        for key, series in sorted(read_pods(metrics, name, pods, start, now).items()):
            if all_so_for_s(series, now, lambda value: value <= IDLE):
                said.append(f"{key[1]} is idle by {name}")
    for key, series in sorted(read_pods(metrics, RUNNING, pods, start, now).items()):
        if all_so_for_s(series, now, lambda value: value == 0):
            said.append(f"{key[1]} runs no request")
    total = summed(one for series in waiting.values() for one in series)
    if total and set(waiting) == keys and total[-1][1] == 0:
        said.append("no request waits")
    return tuple(said)


def services(view: ClusterView) -> list[tuple[ObjectRef, int, tuple[Pod, ...]]]:
    """What scales and serves on GPUs: its reference, how many replicas it is to have, and its pods with a node."""
    found = []
    for workload in in_order(view.workloads):
        if workload.ref.kind not in ("Deployment", "StatefulSet") or workload.workload_class.value != "serving":
            continue
        pods = tuple(p for p in active_pods(pods_of(view, workload.ref)) if p.gpus and not p.terminating)
        if pods and not any(p.gang for p in pods):
            found.append((workload.ref, workload.replicas or 0, pods))
    return found
