"""Does a training gang hang? Its step counters stand still after steady steps, and its GPUs spin for nothing.

A collective that waits for a rank keeps GPUs at 100% utilisation while they draw little power and their tensor cores do
nothing. Whoever computes, writes a checkpoint, compiles its first step or tells no steps at all does not hang.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from agent.domain.cluster import Pod
from agent.domain.thresholds import Thresholds
from agent.evidence.frozen import in_doubt
from agent.evidence.host_work import TRAFFIC, at_work
from agent.evidence.pod_series import PodKey, Points, fresh, key_of, read_pods
from agent.evidence.witnesses import METRICS
from agent.ports import Metrics, Series

PROGRESS = tuple(sorted(name for name, metric in METRICS.items() if metric.family == "progress"))
UTIL, POWER, TENSOR = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"
WINDOW = timedelta(hours=6)
GAPS = 3  # no evaluation or checkpoint takes three times the longest pause so far
TURN_S = 300  # after the last step: what is averaged over it belongs to neither time
SPINS_PERCENT = 90.0
POWER_FELL = 0.5  # of what it drew while it advanced
COMPUTES = 0.8  # of the same: an evaluation draws about what training does
TENSOR_WORKS, TENSOR_STILL = 0.03, 0.01


@dataclass(frozen=True, slots=True)
class Progress:
    """`flat_s`: since when no counter has moved. `steady_s`: for how long they moved before. `stopped`: it may hang."""

    flat_s: int
    steady_s: int
    longest_pause_s: int
    last_step: datetime | None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """`spins`: every GPU is busy by utilisation. `odd`: pods whose GPUs do not while all the others do."""

    progress: Progress
    witnesses: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    spins: bool = False
    odd: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        return self.progress.stopped and self.spins and len(self.witnesses) > 1 and not self.against


def judge_hang(metrics: Metrics, pods: Sequence[Pod], now: datetime, thresholds: Thresholds) -> Hang:
    """About the pods of one gang. Raises MetricsUnavailable."""
    start = now - WINDOW
    steps = [s for name in PROGRESS for series in read_pods(metrics, name, pods, start, now).values() for s in series]
    progress = progress_of(steps, now, thresholds)
    if not progress.stopped or progress.last_step is None:
        return Hang(progress)
    at = progress.last_step
    power = _ratios(read_pods(metrics, POWER, pods, start, now), pods, at, now)
    tensor = _levels(read_pods(metrics, TENSOR, pods, start, now), pods, at, now)
    busy = _busy(read_pods(metrics, UTIL, pods, start, now), pods, at, now)
    witnesses = ["no step is made"]
    witnesses += ["power fell"] if power and max(power) <= POWER_FELL else []
    still = tensor and all(was >= TENSOR_WORKS and now_ <= TENSOR_STILL for was, now_ in tensor)
    witnesses += ["tensor cores stand still"] if still else []
    against = ["GPUs draw what they drew in training"] if power and max(power) >= COMPUTES else []
    against += ["tensor cores work"] if any(now_ >= TENSOR_WORKS for _, now_ in tensor) else []
    against += [*at_work(metrics, pods, now, TRAFFIC), *in_doubt(metrics, pods, now)]
    idle = tuple(sorted(name for name, value in busy.items() if value < SPINS_PERCENT))
    spins = bool(busy) and len(idle) <= (1 if len(pods) > 2 else 0)
    return Hang(progress, tuple(witnesses), tuple(against), spins, idle if spins else ())


def progress_of(steps: Iterable[Series], now: datetime, thresholds: Thresholds) -> Progress:
    """Of all counters together; none at all is no progress and no hang either."""
    last: datetime | None = None
    first: datetime | None = None
    pause = 0
    for one in steps:
        moves = [at for (_, before), (at, value) in pairwise(one.points) if value != before]
        if not fresh(one.points, now) or not moves:
            return Progress(0, 0, 0, None)
        first = min(first or moves[0], moves[0])
        last = max(last or moves[-1], moves[-1])
        pause = max([pause, *(int((later - at).total_seconds()) for at, later in pairwise(moves))])
    if last is None or first is None:
        return Progress(0, 0, 0, None)
    flat_s, steady_s = int((now - last).total_seconds()), int((last - first).total_seconds())
    stopped = flat_s >= max(thresholds.hang_after_s, GAPS * pause) and steady_s >= thresholds.hang_steady_s
    return Progress(flat_s, steady_s, pause, last, stopped)


_Read = Mapping[PodKey, Sequence[Series]]


def _parts(one: Series, at: datetime, now: datetime) -> tuple[float, float] | None:
    """The mean before the last step and after it; None where either is not told of, or the newest value is stale."""
    before = [v for moment, v in one.points if moment <= at]
    after = [v for moment, v in one.points if moment >= at + timedelta(seconds=TURN_S)]
    if not before or not after or not fresh(one.points, now):
        return None
    return sum(before) / len(before), sum(after) / len(after)


def _levels(read: _Read, pods: Sequence[Pod], at: datetime, now: datetime) -> list[tuple[float, float]]:
    """Before and after, for every GPU of every pod; nothing where one of them is missing."""
    if any(len(read.get(key_of(p), ())) < max(1, p.gpus) for p in pods):
        return []
    levels = [_parts(s, at, now) for series in read.values() for s in series]
    known = [level for level in levels if level is not None]
    return known if len(known) == len(levels) else []


def _ratios(read: _Read, pods: Sequence[Pod], at: datetime, now: datetime) -> list[float]:
    return [after / before for before, after in _levels(read, pods, at, now) if before > 0]


def _busy(read: _Read, pods: Sequence[Pod], at: datetime, now: datetime) -> dict[str, float]:
    """The least utilisation of each pod's GPUs since the last step; nothing where a pod is missing."""
    since = at + timedelta(seconds=TURN_S)
    found = {}
    for pod in pods:
        series = read.get(key_of(pod), ())
        values = [v for s in series for moment, v in _since(s.points, since)]
        if len(series) < max(1, pod.gpus) or not values or not all(fresh(s.points, now) for s in series):
            return {}
        found[pod.ref.name] = min(values)
    return found


def _since(points: Points, start: datetime) -> list[tuple[datetime, float]]:
    return [point for point in points if point[0] >= start]
