"""Are the GPUs of some pods idle? Judged from range reads, by witnesses that do not share a source.

Two independent witnesses make idleness; a witness that contradicts them makes a telemetry fault; a series that is
missing or stale makes nothing. How long idleness must last, and what to do about it, is for policies and playbooks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from agent.domain.cluster import Pod
from agent.evidence.labels import gpu_of, pod_of
from agent.evidence.witnesses import METRICS, Metric, Saying
from agent.ports import Series

GAP_MAX_S = 600  # what happened in a longer gap is not known; twice Prometheus' own look-back
STALE_S = 300  # the newest sample must be younger: the same look-back
STANDING_S = 600  # a witness that has been idle this long and is contradicted now is no mere lag between scrapes
WITNESSES_NEEDED = 2


@dataclass(frozen=True, slots=True)
class IdleFinding:
    """`idle_s`: for how long the best two witnesses (or the only one) agree. `coverage`: share of GPUs witnessed."""

    witnesses: tuple[str, ...]
    contradictions: tuple[str, ...]
    idle_s: int
    coverage: float
    gpus: int
    observed_at: datetime | None

    @property
    def proven(self) -> bool:
        return len(self.witnesses) >= WITNESSES_NEEDED and not self.contradictions and self.idle_s > 0

    def idle_since(self, now: datetime) -> datetime:
        return now - timedelta(seconds=self.idle_s)


@dataclass(frozen=True, slots=True)
class _Told:
    """What one series tells: since when it has been idle without a break; None when its newest sample is not idle."""

    idle_since: datetime | None
    busy_now: bool
    newest: datetime


def judge_idle(series: Iterable[Series], pods: Sequence[Pod], now: datetime) -> IdleFinding:
    """The finding about `pods` (those of one owner that hold GPUs)."""
    wanted = {(p.ref.namespace or "", p.ref.name): p.gpus for p in pods}
    told = _by_family(series, wanted, now)
    since = {family: _idle_since(family, by_pod, wanted) for family, by_pod in told.items()}
    idle_s = {family: int((now - at).total_seconds()) for family, at in since.items() if at is not None}
    busy = sorted(f for f, by_pod in told.items() if any(t.busy_now for pod in by_pod.values() for t in pod.values()))
    standing = sorted(f for f, seconds in idle_s.items() if seconds >= STANDING_S)
    ranked = sorted(idle_s.values(), reverse=True)
    agreed = ranked[min(len(ranked), WITNESSES_NEEDED) - 1] if ranked else 0
    newest = [t.newest for by_pod in told.values() for pod in by_pod.values() for t in pod.values()]
    return IdleFinding(
        witnesses=tuple(sorted(f for f, seconds in idle_s.items() if seconds >= agreed)),
        contradictions=tuple(f"{b} is active while {s} is idle" for b in busy for s in standing),
        idle_s=agreed,
        coverage=_coverage(told, wanted),
        gpus=sum(wanted.values()),
        observed_at=min(max(newest), now) if newest else None,
    )


_Pods = Mapping[tuple[str, str], int]
_ByPod = dict[tuple[str, str], dict[str, _Told]]


def _by_family(series: Iterable[Series], wanted: _Pods, now: datetime) -> dict[str, _ByPod]:
    """Family -> pod -> series key -> what it tells. Two metrics of one family about one GPU stay two series."""
    told: dict[str, _ByPod] = {}
    for one in series:
        name = one.labels.get("__name__", "")
        metric, pod = METRICS.get(name), pod_of(one.labels)
        said = _told(one, metric, now) if metric is not None and pod in wanted else None
        if metric is not None and said is not None:
            told.setdefault(metric.family, {}).setdefault(pod, {})[_series_key(one, name)] = said
    return told


def _series_key(one: Series, name: str) -> str:
    rest = ",".join(f"{k}={v}" for k, v in sorted(one.labels.items()) if k != "__name__")
    return f"{gpu_of(one.labels)}|{name}|{rest}"


def _told(one: Series, metric: Metric, now: datetime) -> _Told | None:
    """None for a series whose newest sample is stale: it tells of another time."""
    points = [point for point in one.points if point[0] <= now]
    if not points or (now - points[-1][0]).total_seconds() > STALE_S:
        return None
    sayings = _sayings(points, one.labels, metric)
    since: datetime | None = None
    later = now
    for at, saying in reversed(sayings):
        if saying is not Saying.IDLE or (later - at).total_seconds() > GAP_MAX_S:
            break
        since = later = at
    return _Told(since, bool(sayings) and sayings[-1][1] is Saying.BUSY, points[-1][0])


def _sayings(
    points: Sequence[tuple[datetime, float]], labels: Mapping[str, str], metric: Metric
) -> list[tuple[datetime, Saying]]:
    if not metric.counts:
        return [(at, metric.says(value, labels)) for at, value in points]
    return [(at, metric.says(value - before, labels)) for (_, before), (at, value) in pairwise(points)]


def _idle_since(family: str, by_pod: _ByPod, wanted: _Pods) -> datetime | None:
    """Since when all of it has been idle; None when a part is not, or is not witnessed at all."""
    latest: datetime | None = None
    for pod, gpus in wanted.items():
        told = by_pod.get(pod, {})
        if not _witnessed(family, told, gpus):
            return None
        for one in told.values():
            if one.idle_since is None:
                return None
            latest = one.idle_since if latest is None else max(latest, one.idle_since)
    return latest


def _witnessed(family: str, told: Mapping[str, _Told], gpus: int) -> bool:
    """Every GPU of the pod has a series of its own; for what is told by pod, one is enough."""
    per_gpu = any(m.per_gpu for m in METRICS.values() if m.family == family)
    return len({key.split("|", 1)[0] for key in told}) >= gpus if per_gpu else bool(told)


def _coverage(told: Mapping[str, _ByPod], wanted: _Pods) -> float:
    """The share of GPUs of which at least two families tell."""
    total = sum(wanted.values())
    seen = 0
    for pod, gpus in wanted.items():
        families = sum(_witnessed(family, by_pod.get(pod, {}), gpus) for family, by_pod in told.items())
        seen += gpus if families >= WITNESSES_NEEDED else 0
    return seen / total if total else 0.0
