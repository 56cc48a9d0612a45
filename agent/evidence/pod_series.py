"""Series of an owner's pods, whatever the labels are called, and for how long something has been so in them.

Shared by the judges of services and of training. Reads; what the values mean is theirs.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from agent.domain.cluster import Pod
from agent.evidence.labels import NAMESPACE, first, pod_of
from agent.ports import Metrics, Series

STEP = timedelta(seconds=60)
STALE_S = 300  # the newest sample must be younger: Prometheus' own look-back
GAP_MAX_S = 600  # what happened in a longer gap is not known
_POD_LABELS = ("pod", "exported_pod", "pod_name")

PodKey = tuple[str, str]
Points = Sequence[tuple[datetime, float]]


def key_of(pod: Pod) -> PodKey:
    return pod.ref.namespace or "", pod.ref.name


def read_pods(
    metrics: Metrics, metric: str, pods: Sequence[Pod], start: datetime, end: datetime, step: timedelta = STEP
) -> dict[PodKey, list[Series]]:
    """The series of each pod that has any. Raises MetricsUnavailable."""
    wanted = {name: key for key in sorted(key_of(p) for p in pods) for name in (key[1],)}
    if not wanted:
        return {}
    pattern = "|".join(name.replace(".", r"\\.") for name in sorted(wanted))  # a dot is all that has to be escaped
    found: dict[PodKey, list[Series]] = {}
    for label in _POD_LABELS:
        for one in metrics.range(f'{metric}{{{label}=~"{pattern}"}}', start, end, step):
            key = wanted.get(pod_of(one.labels)[1])
            if key is not None and first(one.labels, NAMESPACE) in ("", key[0]) and one not in found.get(key, []):
                found.setdefault(key, []).append(one)
    return found


def fresh(points: Points, now: datetime) -> bool:
    return bool(points) and 0 <= (now - points[-1][0]).total_seconds() <= STALE_S


def so_for_s(points: Points, now: datetime, holds: Callable[[float], bool]) -> int:
    """For how long every sample has been so, up to now; 0 when the newest is stale, or is not so."""
    if not fresh(points, now):
        return 0
    since = later = now
    for at, value in reversed(points):
        if not holds(value) or (later - at).total_seconds() > GAP_MAX_S:
            break
        since = later = at
    return int((now - since).total_seconds())


def all_so_for_s(series: Iterable[Series], now: datetime, holds: Callable[[float], bool]) -> int:
    """For how long all of them have been so; 0 where there is none."""
    return min((so_for_s(one.points, now, holds) for one in series), default=0)


def summed(series: Iterable[Series]) -> list[tuple[datetime, float]]:
    """The sum at each moment at which every one of the series has a value."""
    listed = [dict(one.points) for one in series]
    if not listed:
        return []
    common = set(listed[0]).intersection(*listed[1:])
    return [(at, sum(values[at] for values in listed)) for at in sorted(common)]
