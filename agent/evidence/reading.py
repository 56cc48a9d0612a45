"""Reads telemetry for a judgement, a few queries at a time. What cannot be read is said, never guessed.

The only place of this room that asks the metrics port; the judging itself stays pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from agent.domain.cluster import Pod
from agent.evidence.gpus import Gpus, gpus_of
from agent.evidence.idle import IdleFinding, judge_idle
from agent.evidence.labels import node_of
from agent.evidence.node_names import about
from agent.evidence.witnesses import METRICS
from agent.evidence.xid import Sighting, code_in
from agent.ports import Metrics, Series

STEP = timedelta(seconds=60)
XID_STEP = timedelta(seconds=300)  # a day of last codes, coarsely: what came and went between is in the signals
IDLE_MARGIN_S = 1800  # read further back than needed, so that "long enough" is not decided at the edge of the window
WINDOW_MAX_S = 24 * 3600
POD_LABELS = ("pod", "exported_pod")
XID_METRIC = "DCGM_FI_DEV_XID_ERRORS"
GPU_METRICS = (XID_METRIC, "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE")  # each may be off; any names GPUs


def read_idle(metrics: Metrics, pods: Sequence[Pod], now: datetime, needed_s: int) -> IdleFinding:
    """How idle the GPUs of `pods` are. Raises MetricsUnavailable."""
    start = now - timedelta(seconds=min(needed_s + IDLE_MARGIN_S, WINDOW_MAX_S))
    names = sorted({p.ref.name for p in pods})
    found = [s for metric in sorted(METRICS) for s in _of_pods(metrics, metric, names, start, now)]
    return judge_idle(found, pods, now)


def read_xids(metrics: Metrics, node: str, now: datetime) -> list[Sighting]:
    """When the last-code gauges of the node's GPUs changed, within a day. Raises MetricsUnavailable.

    A code that repeats itself is invisible in such a gauge, and 0 is no code.
    """
    series = about(metrics, node).range(XID_METRIC, now - timedelta(seconds=WINDOW_MAX_S), now, XID_STEP)
    return [s for one in series if node_of(one.labels) == node for s in changes(one)]


def read_current_xids(metrics: Metrics, node: str, now: datetime) -> dict[str, int]:
    """The last code of each of the node's GPUs as of now. Raises MetricsUnavailable.

    A GPU whose pod has just left has two series for a while, with the pod's name and without: a 0 in one is no clearing
    of the code in the other.
    """
    read: dict[str, int] = {}
    for one in about(metrics, node).instant(XID_METRIC, now):
        code = code_in(one.points[-1][1]) if one.points and node_of(one.labels) == node else None
        if code is not None:
            read[gpu_name(one.labels)] = code or read.get(gpu_name(one.labels), 0)
    return read


def read_gpus(metrics: Metrics, node: str, now: datetime) -> Gpus:
    """Which GPUs the node has and whose pods are on them. Raises MetricsUnavailable."""
    series = [one for metric in GPU_METRICS for one in about(metrics, node).instant(metric, now)]
    return gpus_of(node, series)


def gpu_name(labels: Mapping[str, str]) -> str:
    return labels.get("UUID") or labels.get("gpu", "")


def changes(series: Series) -> list[Sighting]:
    """Each change of the gauge to another value, 0 included: a sighting of 0 is its clearing."""
    gpu = gpu_name(series.labels)
    seen: list[Sighting] = []
    for at, value in series.points:
        code = code_in(value)
        if code is not None and (not seen or seen[-1].xid != code):
            seen.append(Sighting(code, gpu, at))
    return seen


def _of_pods(metrics: Metrics, metric: str, names: Iterable[str], start: datetime, end: datetime) -> Iterable[Series]:
    """In whichever spelling the pod's name is there; the renamed one is only asked for where the plain one is not."""
    pattern = "|".join(name.replace(".", r"\\.") for name in names)  # a dot is all that a name has to be escaped for
    for label in POD_LABELS:
        found = metrics.range(f'{metric}{{{label}=~"{pattern}"}}', start, end, STEP)
        if found:
            return found
    return []
