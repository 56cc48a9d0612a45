"""Exporters that lie or are silent: found by what their neighbours and their own other counters say.

A missing series proves nothing about the GPUs, but something about the exporter: when it reported, its node runs pods
on its GPUs all the same, and other nodes' exporters are heard. Where nobody is heard, Prometheus or its configuration
is at fault, which is not ours to repair.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.domain.cluster import ClusterView, Node, ObjectRef, Pod
from agent.evidence.labels import gpu_of, node_of, pod_of
from agent.evidence.lookup import in_order, raw_object
from agent.evidence.pod_series import all_so_for_s, read_pods
from agent.evidence.witnesses import METRICS, Saying
from agent.ports import Metrics, Series

UTIL, ENGINE, POWER = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_POWER_USAGE"
HEARD = (POWER, UTIL, ENGINE, "DCGM_FI_DEV_FB_USED")  # GPU_UTIL is absent on MIG
ALIVE = ("up", "kube_pod_status_phase", "kube_node_status_allocatable")  # Prometheus scrapes something at least
LOOKS_BACK_S = 300  # Prometheus itself: heard at none of the moments so far apart is silent from the first to the last
SPOKE_AT_MIN = (30, 120, 360)  # and it did speak at one of these
SETTLED = timedelta(minutes=30)  # a pod that has only just started has no series yet
BLIND_NODES = 2  # one exporter that was heard alone may be all there is
BUSY_PERCENT = 50.0
_HINTS = ("dcgm-exporter", "dcgm_exporter")


@dataclass(frozen=True, slots=True)
class Exporter:
    """A DaemonSet that exports GPU metrics, and its pod on each node."""

    ref: ObjectRef
    pods: Mapping[str, Pod]


def exporter_of(view: ClusterView) -> Exporter | None:
    """By name, labels or image. None where there is none in sight, or more than one."""
    found = [w.ref for w in in_order(view.workloads) if w.ref.kind == "DaemonSet" and _exports(view, w.ref)]
    if len(found) != 1:
        return None
    pods = [p for p in view.pods.values() if p.owner == found[0] and p.node and not p.terminating]
    return Exporter(found[0], {p.node or "": p for p in sorted(pods, key=lambda p: p.ref.name)})


def _exports(view: ClusterView, ref: ObjectRef) -> bool:
    manifest: Any = raw_object(view, ref)
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    spec = ((manifest.get("spec") or {}).get("template") or {}).get("spec") or {}
    words = [ref.name, *labels.values(), *(str(c.get("image", "")) for c in spec.get("containers") or ())]
    return any(hint in str(word).lower() for word in words for hint in _HINTS)


def working_nodes(view: ClusterView) -> list[Node]:
    """Healthy nodes on which pods have used GPUs for a while."""
    settled = view.taken_at - SETTLED
    busy = {p.node for p in view.pods.values() if p.holds_gpus and p.ready and (p.created_at or settled) <= settled}
    return [node for name, node in sorted(view.nodes.items()) if node.ready and name in busy]


def heard_at(metrics: Metrics, moment: datetime, wanted: set[str]) -> set[str]:
    """The nodes of which a GPU series tells; no further metric is read once all wanted ones are among them.

    Raises MetricsUnavailable.
    """
    heard: set[str] = set()
    for name in HEARD:
        heard |= {node_of(s.labels) for s in metrics.instant(name, moment) if s.points}
        if wanted <= heard:
            break
    return heard


@dataclass(frozen=True, slots=True)
class Silence:
    """`silent`: working nodes that spoke and do no more. `blind`: nothing is scraped any more, whoever is to blame."""

    silent: tuple[str, ...] = ()
    heard: int = 0
    blind: bool = False


def silence(metrics: Metrics, view: ClusterView, now: datetime, after_s: int) -> Silence:
    """Raises MetricsUnavailable."""
    expected = {node.name for node in working_nodes(view)}
    heard = heard_at(metrics, now, expected)
    for ago_s in range(LOOKS_BACK_S, after_s + 1, LOOKS_BACK_S):
        if expected <= heard:
            return Silence(heard=len(heard))
        heard |= heard_at(metrics, now - timedelta(seconds=ago_s), expected - heard)
    missing, spoke = expected - heard, set[str]()
    for minutes in SPOKE_AT_MIN:
        if not missing <= spoke:
            spoke |= heard_at(metrics, now - timedelta(minutes=minutes), missing - spoke)
    silent = sorted(missing & spoke)
    if heard or _alive(metrics, now):
        return Silence(tuple(silent), len(heard))
    return Silence(blind=len(silent) >= BLIND_NODES)


def _alive(metrics: Metrics, now: datetime) -> bool:
    return any(metrics.instant(name, now) for name in ALIVE)


def suspects_of_lying(metrics: Metrics, view: ClusterView, now: datetime) -> list[str]:
    """Nodes where a busy GPU's engine counter shows nothing at this moment: worth a close look."""
    zero = {(*pod_of(s.labels), gpu_of(s.labels)) for s in metrics.instant(ENGINE, now) if _last(s) == 0}
    busy = [s for s in metrics.instant(UTIL, now) if zero and (_last(s) or 0) >= BUSY_PERCENT]
    hit = {node_of(s.labels) for s in busy if (*pod_of(s.labels), gpu_of(s.labels)) in zero}
    return sorted(hit & {node.name for node in working_nodes(view)})


def stuck_counter(metrics: Metrics, view: ClusterView, node: str, now: datetime, after_s: int) -> tuple[str, ...]:
    """Pods of the node whose GPUs all work, by utilisation and by power, while the engine counter stays at 0."""
    start = now - timedelta(seconds=2 * after_s)
    pods = sorted((p for p in view.pods_on(node) if p.holds_gpus and p.ready), key=lambda p: str(p.ref))
    read = {name: read_pods(metrics, name, pods, start, now) for name in (UTIL, ENGINE, POWER)}
    found = []
    for pod in pods:
        util, engine, power = (read[name].get((pod.ref.namespace or "", pod.ref.name), []) for name in read)
        if min(len(util), len(engine), len(power)) < pod.gpus:
            continue
        works = all_so_for_s(util, now, lambda v: v >= BUSY_PERCENT) >= after_s and _draws(power, now, after_s)
        if works and all_so_for_s(engine, now, lambda v: v == 0) >= after_s:
            found.append(pod.ref.name)
    return tuple(found)


def _draws(power: Sequence[Series], now: datetime, after_s: int) -> bool:
    says = METRICS[POWER].says
    return all(all_so_for_s([s], now, lambda v, s=s: says(v, s.labels) is Saying.BUSY) >= after_s for s in power)  # type: ignore[misc]


def _last(series: Series) -> float | None:
    return series.points[-1][1] if series.points else None
