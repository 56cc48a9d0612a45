"""Owners whose GPUs idle for longer than their class allows. Two queries per look; a close look only when it is due."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from agent.adapters.prometheus.findings import Standing, minute
from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.incident import Symptom
from agent.domain.outcome import PastAction
from agent.domain.signal import Signal
from agent.evidence.condition import Condition
from agent.evidence.holders import Holder, holders, required_idle_s, taken_back
from agent.evidence.idle import IdleFinding
from agent.evidence.labels import pod_of
from agent.evidence.reading import IDLE_MARGIN_S, STEP, read_idle
from agent.evidence.witnesses import METRICS, Saying
from agent.ports import Metrics

QUICK_METRICS = ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE")
LOOK_CLOSELY_EVERY_S = 300  # at an owner that seems idle and is not proven to be

Pod = tuple[str, str]


class IdleWatch:
    def __init__(self, metrics: Metrics, minimum_s: Mapping[str, int]) -> None:
        self._metrics = metrics
        self._minimum_s = minimum_s
        self._next: dict[ObjectRef, datetime] = {}  # when an owner is worth a close look again

    def look(self, standing: Standing, view: ClusterView, history: Sequence[PastAction], now: datetime) -> list[Signal]:
        """Raises MetricsUnavailable."""
        sayings = self._sayings(now)
        wanted = [h for h in holders(view) if h.method is not None and not h.opted_out]
        told = set(standing.subjects(Symptom.IDLE_GPU))
        signals: list[Signal] = []
        for ref in sorted(told - {h.ref for h in wanted}, key=str):
            signals += standing.end(Symptom.IDLE_GPU, ref, now)
        for holder in wanted:
            saying = _saying(holder, sayings)
            if saying is Saying.BUSY:
                self._next.pop(holder.ref, None)
                signals += standing.end(Symptom.IDLE_GPU, holder.ref, now)
            elif saying is Saying.IDLE and holder.ref not in told:
                signals += self._close_look(standing, holder, history, now)
        self._next = {ref: at for ref, at in self._next.items() if ref in {h.ref for h in wanted}}
        return signals

    def _close_look(
        self, standing: Standing, holder: Holder, history: Sequence[PastAction], now: datetime
    ) -> list[Signal]:
        if self._next.get(holder.ref, now) > now:
            return []
        wrong = taken_back(list(history), holder.ref, now)
        needed_s = required_idle_s(holder.workload_class, self._minimum_s, wrong)
        finding = read_idle(self._metrics, holder.pods, now, needed_s)
        if finding.proven and finding.idle_s >= needed_s:
            return standing.begin(_condition(holder, finding, needed_s, now), now)
        left_s = needed_s - finding.idle_s if finding.proven else LOOK_CLOSELY_EVERY_S
        self._next[holder.ref] = now + timedelta(seconds=max(left_s, int(STEP.total_seconds())))
        return []

    def _sayings(self, now: datetime) -> dict[Pod, set[Saying]]:
        found: dict[Pod, set[Saying]] = {}
        for name in QUICK_METRICS:
            for series in self._metrics.instant(name, now):
                if series.points:
                    said = METRICS[name].says(series.points[-1][1], series.labels)
                    found.setdefault(pod_of(series.labels), set()).add(said)
        return found


def _saying(holder: Holder, sayings: Mapping[Pod, set[Saying]]) -> Saying:
    """Busy as soon as anything is; nothing while a pod of it is not heard of."""
    said = [sayings.get((p.ref.namespace or "", p.ref.name), set()) for p in holder.pods]
    if any(Saying.BUSY in one for one in said):
        return Saying.BUSY
    return Saying.IDLE if all(Saying.IDLE in one for one in said) else Saying.NOTHING


def _condition(holder: Holder, finding: IdleFinding, needed_s: int, now: datetime) -> Condition:
    """Idle for longer than we looked back: then the day stands for the beginning."""
    longer = finding.idle_s >= needed_s + IDLE_MARGIN_S - int(STEP.total_seconds())
    since = f"standing on {rfc3339(now)[:10]}" if longer else minute(finding.idle_since(now))
    detail = {"idle_s": str(finding.idle_s), "witnesses": ", ".join(finding.witnesses)}
    return Condition(Symptom.IDLE_GPU, holder.ref, since, detail)
