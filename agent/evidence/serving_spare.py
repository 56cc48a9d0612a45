"""Has a service had far too many replicas through a whole day? By its busiest moment, on two counters of its GPUs.

The load of a moment is the sum over its replicas, each as the share of itself that was busy. What the peak of a day
needs, at the share that leaves room for bursts, is what the service needs; half of the replicas beyond that is far too
many. Replicas that are younger than a day have not seen a day, so nobody can say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil

from agent.domain.cluster import Pod
from agent.domain.duration import in_words
from agent.domain.thresholds import Thresholds
from agent.evidence.pod_series import GAP_MAX_S, fresh, key_of, read_pods, summed
from agent.evidence.serving import CACHES, WAITING
from agent.ports import Metrics, Series

STEP, COARSE_STEP = timedelta(minutes=5), timedelta(minutes=30)
COUNTERS = (("DCGM_FI_DEV_GPU_UTIL", 100.0), ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", 1.0))  # and what full is
TARGET_SHARE = 0.6  # of a replica at the day's peak
FAR_TOO_MANY = 2  # times what the peak needs


@dataclass(frozen=True, slots=True)
class Spare:
    """`needed`: replicas at the day's peak by the counter that asks for most; None where a day is not known of."""

    needed: int | None
    why: str
    peak: float = 0.0

    def far_too_many(self, replicas: int, thresholds: Thresholds) -> bool:
        least = thresholds.service_oversized_replicas_min
        return self.needed is not None and replicas >= max(least, FAR_TOO_MANY * self.needed)


def judge_spare(metrics: Metrics, pods: Sequence[Pod], now: datetime, thresholds: Thresholds) -> Spare:
    """About all pods of one service. Raises MetricsUnavailable."""
    span_s = thresholds.service_oversized_after_s
    start, span = now - timedelta(seconds=span_s), in_words(span_s)
    if not pods or any(p.created_at is None or p.created_at > start for p in pods):
        return Spare(None, f"some of its replicas are younger than {span}")
    peaks = []
    for name, full in COUNTERS:
        load = _load(metrics, name, pods, start, now)
        if load is None:
            return Spare(None, f"{name} does not tell of the whole time ({span}) of every replica")
        peaks.append(max(load) / full)
    for key_metric in (WAITING, *CACHES):
        why = _against(metrics, key_metric, pods, start, now, span)
        if why:
            return Spare(None, why)
    peak = max(peaks)
    if peak == 0:
        return Spare(None, "it did nothing all day: that is idleness, which is judged elsewhere")
    return Spare(max(1, ceil(peak / TARGET_SHARE)), f"at its peak it took {peak:.1f} replicas' worth of GPU", peak)


def clearly_needed(metrics: Metrics, pods: Sequence[Pod], now: datetime, thresholds: Thresholds) -> bool:
    """Does one look every half hour show already that the day needed them? Cheap, for those who look often."""
    name, full = COUNTERS[0]
    start = now - timedelta(seconds=thresholds.service_oversized_after_s)
    read = read_pods(metrics, name, pods, start, now, COARSE_STEP)
    load = [v for _, v in summed(Series({}, _mean(series)) for series in read.values())]
    return FAR_TOO_MANY * ceil(max(load, default=0.0) / full / TARGET_SHARE) > len(pods)


def _mean(series: Sequence[Series]) -> tuple[tuple[datetime, float], ...]:
    return tuple((at, value / len(series)) for at, value in summed(series))


def _load(metrics: Metrics, name: str, pods: Sequence[Pod], start: datetime, now: datetime) -> list[float] | None:
    """Replicas' worth of load at each moment; None where a GPU, or a part of the day, is missing."""
    read = read_pods(metrics, name, pods, start, now, STEP)
    means: list[Series] = []
    for pod in pods:
        series = read.get(key_of(pod), [])
        if len(series) < max(1, pod.gpus) or not all(_whole(s, start, now) for s in series):
            return None
        means.append(Series({}, _mean(series)))
    return [value for _, value in summed(means)] or None


def _whole(one: Series, start: datetime, now: datetime) -> bool:
    """From the beginning of the day to now without a hole that could hide a peak."""
    moments = [start, *(at for at, _ in one.points)]
    gaps = (later - at for at, later in pairwise(moments))
    return fresh(one.points, now) and all(gap.total_seconds() <= GAP_MAX_S for gap in gaps)


def _against(metrics: Metrics, name: str, pods: Sequence[Pod], start: datetime, now: datetime, span: str) -> str:
    """Where requests are told of, none may have waited; where caches are, they must fit into fewer replicas."""
    read = [s for series in read_pods(metrics, name, pods, start, now, STEP).values() for s in series]
    highest = max((value for one in read for _, value in one.points), default=0.0)
    if name == WAITING:
        return f"requests waited within {span}" if highest >= 1 else ""
    return f"a cache was more than half full within {span}" if highest > 1 / FAR_TOO_MANY else ""
