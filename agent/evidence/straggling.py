"""Does one member hold up its gang? It is slow, or works as ever, while all the others wait for it.

A collective goes at the pace of its slowest member: the others spin at 100% utilisation and compute less than before.
So the pace must have fallen by the gang's own measure, or the slow one's hardware be slower than the same hardware of
the others; a stage that always had more to do than its neighbours shows neither. Members are told apart by node, since
a slow node is the usual reason; a gang on one node by pod.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import mean, median

from agent.domain.cluster import Pod
from agent.domain.thresholds import Thresholds
from agent.evidence.frozen import in_doubt
from agent.evidence.hanging import PROGRESS
from agent.evidence.pace import Pace, pace_of
from agent.evidence.pod_series import PodKey, fresh, key_of, read_pods
from agent.ports import Metrics, Series

UTIL, TENSOR, POWER = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_DEV_POWER_USAGE"
CLOCK = "DCGM_FI_DEV_SM_CLOCK"
REASONS = ("DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS")  # the latter until DCGM 3
SLOWDOWN = 0x8 | 0x20 | 0x40 | 0x80  # NVML: hardware slowdown, software and hardware thermal, power brake
WINDOW = timedelta(hours=6)
WAITS, WORKS = 0.7, 0.85  # of what it computed before, or of what the slow one computes
SLOW_CLOCK, FAR_SLOWER, CLOCK_FELL = (
    0.8,
    0.65,
    0.85,
)  # of the others' median; the same where nothing says why; of its own
AT_WORK_PERCENT = 50.0  # an idle GPU's clock is low, too
SPINS_PERCENT = 90.0


@dataclass(frozen=True, slots=True)
class Member:
    """The gang's pods on one node: what they do of late on average, and did at the better pace (None: not known)."""

    name: str
    model: str
    util: float | None
    tensor: tuple[float, float | None] | None
    power: tuple[float, float | None] | None
    clock: tuple[float, float | None] | None
    says_why: bool


@dataclass(frozen=True, slots=True)
class Straggling:
    """`slow`: the one member that the others wait for; `several`: those, where they are more than one. `clocks`: their
    clocks are slow, so it is the hardware."""

    pace: Pace
    slow: str | None = None
    clocks: bool = False
    witnesses: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    several: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        return self.slow is not None and len(self.witnesses) > 1 and not self.against

    @property
    def several_proven(self) -> bool:
        return bool(self.several) and len(self.witnesses) > 1 and not self.against


def judge_straggling(
    metrics: Metrics, pods: Sequence[Pod], models: Mapping[str, str], now: datetime, thresholds: Thresholds
) -> Straggling:
    """About the pods of one gang that runs whole; `models`: the GPU model of each node. Raises MetricsUnavailable."""
    steps = [
        s for name in PROGRESS for series in read_pods(metrics, name, pods, now - WINDOW, now).values() for s in series
    ]
    pace = pace_of(steps, now, thresholds)
    late = now - timedelta(seconds=thresholds.straggler_slow_s)
    members = _members(metrics, pods, models, pace, now, late)
    if len(members) < 2:
        return Straggling(pace)
    found = [one for one in (_suspect(each, members, pace) for each in members) if one is not None]
    if len(found) != 1:
        several = _several(members, pace)
        return replace(several, against=in_doubt(metrics, pods, now)) if several.several else several
    name, clocks, witnesses = found[0]
    return Straggling(pace, name, clocks, witnesses, in_doubt(metrics, pods, now))


def _suspect(one: Member, members: Sequence[Member], pace: Pace) -> tuple[str, bool, tuple[str, ...]] | None:
    """Its name, whether its clocks are slow, and what speaks for it; None: nothing does, or the others do not wait."""
    others = [each for each in members if each is not one]
    if not all(_waits(each, one) for each in others):
        return None
    slow, works = _slow_clock(one, others), _works_as_ever(one) and pace.fell
    if not slow and not works:
        return None
    said = [f"steps are made at {round(100 * pace.share)}% of the pace before"] if pace.fell else []
    said += ["all others wait: they compute far less"]
    said += [slow] if slow else []
    said += ["its GPUs say that something slows them down"] if one.says_why else []
    said += ["it computes as it did"] if works else []
    return one.name, bool(slow), tuple(said)


def _several(members: Sequence[Member], pace: Pace) -> Straggling:
    """More than one that the others wait for: only where the pace fell, and at least as many wait."""
    slow = {one.name: _slow_clock(one, [each for each in members if each is not one]) for one in members}
    slow = {one.name: slow[one.name] for one in members if slow[one.name] or _works_as_ever(one)}
    waiting = [one for one in members if one.name not in slow]
    first = next((one for one in members if one.name in slow), None)
    if not pace.fell or first is None or not 2 <= len(slow) <= len(waiting):
        return Straggling(pace)
    if not all(_waits(one, first) for one in waiting):
        return Straggling(pace)
    said = [
        f"steps are made at {round(100 * pace.share)}% of the pace before",
        "all others wait: they compute far less",
    ]
    said += [f"{name}: {clock or 'it computes as it did'}" for name, clock in slow.items()]
    return Straggling(pace, clocks=all(slow.values()), witnesses=tuple(said), several=tuple(slow))


def _waits(one: Member, slow: Member) -> bool:
    """It computes far less than it did; where that is not known, far less than the slow one on the same model."""
    for now, before in (each for each in (one.tensor, one.power) if each is not None):
        if before is not None:
            return now <= WAITS * before and (one.util is None or one.util >= SPINS_PERCENT)
    if one.model != slow.model or slow.util is None or slow.util < AT_WORK_PERCENT:
        return False
    if one.tensor is not None and slow.tensor is not None and slow.tensor[0] > 0:
        return one.tensor[0] <= WAITS * slow.tensor[0]
    return one.util is not None and one.util <= WAITS * slow.util


def _works_as_ever(one: Member) -> bool:
    return one.tensor is not None and one.tensor[1] is not None and one.tensor[0] >= WORKS * one.tensor[1] > 0


def _slow_clock(one: Member, others: Sequence[Member]) -> str:
    """Of the same model only. A GPU under full load may run a little slower than those that wait, so it must have
    fallen by its own measure, too, or say why; or be so far behind that no load explains it."""
    alike = [each.clock[0] for each in others if each.model == one.model and each.clock is not None]
    if one.clock is None or not alike or (one.util or 0) < AT_WORK_PERCENT:
        return ""
    now, before = one.clock
    usual = median(alike)
    fell = before is not None and now <= CLOCK_FELL * before
    if now > SLOW_CLOCK * usual or not (fell or one.says_why or now <= FAR_SLOWER * usual):
        return ""
    return f"its SMs run at {now:.0f} MHz, the others' at {usual:.0f}"


# -- reading -----------------------------------------------------------------------------------------------------------

_Read = Mapping[PodKey, Sequence[Series]]


def _members(
    metrics: Metrics, pods: Sequence[Pod], models: Mapping[str, str], pace: Pace, now: datetime, late: datetime
) -> list[Member]:
    """A member of which a pod is not told has nothing to say. `late`: what came after it is of late."""
    nodes = {p.node or "" for p in pods}
    by_pod = len(nodes) == 1
    groups: dict[str, list[Pod]] = {}
    for pod in sorted(pods, key=lambda p: p.ref.name):
        groups.setdefault(pod.ref.name if by_pod else pod.node or "", []).append(pod)
    start = now - WINDOW if pace.fell else late
    read = {name: read_pods(metrics, name, pods, start, now) for name in (UTIL, TENSOR, POWER, CLOCK, *REASONS)}
    found = []
    for name, mine in groups.items():
        util = _level(read[UTIL], mine, pace, now, late)
        tensor, power, clock = (_level(read[metric], mine, pace, now, late) for metric in (TENSOR, POWER, CLOCK))
        says_why = any(_slowed(read[metric], mine, late) for metric in REASONS)
        found.append(
            Member(name, models.get(mine[0].node or "", ""), util[0] if util else None, tensor, power, clock, says_why)
        )
    return found


def _level(
    read: _Read, pods: Sequence[Pod], pace: Pace, now: datetime, late: datetime
) -> tuple[float, float | None] | None:
    """The mean of late and at the better pace, over all GPUs; None where a GPU is not told of, or not of now."""
    series = [s for p in pods for s in read.get(key_of(p), ())]
    if any(len(read.get(key_of(p), ())) < max(1, p.gpus) for p in pods) or not all(
        fresh(s.points, now) for s in series
    ):
        return None
    lately = [v for s in series for at, v in s.points if at >= late]
    best = [v for s in series for at, v in s.points if pace.was_best(at)]
    return mean(lately), mean(best) if best else None


def _slowed(read: _Read, pods: Sequence[Pod], late: datetime) -> bool:
    """A GPU that has named such a reason in every sample of late."""
    of_late = [[v for at, v in s.points if at >= late] for p in pods for s in read.get(key_of(p), ())]
    return any(values and all(int(v) & SLOWDOWN for v in values) for values in of_late)
