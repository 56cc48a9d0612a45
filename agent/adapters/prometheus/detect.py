"""The agent's own look, once a scrape: new XIDs, idle holders of GPUs, stuck gangs, stopped work that is needed, and
whatever else the finders of `agent/evidence` know.

It finds; whether anything is done about it is decided where every other signal is. Cheap by design: one query for each
metric and look, whatever the number of pods.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from agent.adapters.prometheus import finder_watch
from agent.adapters.prometheus.findings import Standing
from agent.adapters.prometheus.idle_watch import IdleWatch
from agent.adapters.prometheus.stuck_watch import StuckWatch
from agent.adapters.prometheus.xids import Refused, XidWatch, unheeded
from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, Gang, GangState
from agent.domain.incident import Symptom
from agent.domain.outcome import PastAction
from agent.domain.signal import Signal
from agent.domain.thresholds import Thresholds
from agent.evidence.admission_loops import find_loops
from agent.evidence.cascades import find_cascades
from agent.evidence.condition import Condition, Finder, Sight
from agent.evidence.gangs import SEEN_SINCE, competing, stuck_gangs
from agent.evidence.hanging_facts import find_hanging
from agent.evidence.holders import WRONG_WITHIN_S, idle_minimum_s
from agent.evidence.holding import find_over
from agent.evidence.lookup import find_gang, in_order, raw_object
from agent.evidence.node_names import ClusterNames
from agent.evidence.remaps import find_remaps
from agent.evidence.restore import WAITING_METRIC, Reclaimed, reclaimed, wanted_by
from agent.evidence.serving_facts import find_saturated
from agent.evidence.spare_facts import find_oversized
from agent.evidence.starved import find_starved
from agent.evidence.straggling_facts import find_stragglers
from agent.evidence.telemetry_facts import find_exporters
from agent.evidence.unused_quota import find_unused
from agent.evidence.waiting import find_waiting
from agent.ports import Ledger, LedgerUnavailable, Metrics, MetricsUnavailable, Series

FINDERS: Mapping[Symptom, Finder] = {
    Symptom.SERVICE_SATURATED: find_saturated,
    Symptom.SERVICE_OVERSIZED: find_oversized,
    Symptom.TELEMETRY_FAULT: find_exporters,
    Symptom.WORKLOAD_HANGS: find_hanging,
    Symptom.STRAGGLER: find_stragglers,
    Symptom.QUOTA_UNUSED: find_unused,
    Symptom.ADMISSION_LOOP: find_loops,
    Symptom.QUEUE_STARVED: find_starved,
    Symptom.GANG_WAITING: find_waiting,
    Symptom.PREEMPTION_CASCADE: find_cascades,
    Symptom.HOLD_OVER: find_over,
    Symptom.REMAP_PENDING: find_remaps,
}

REASON_AT_MOST = 300  # characters
ODD = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""What a finder raises on an object of a shape that nobody thought of: it costs that finder, and no other."""

SELDOM_S: Mapping[Symptom, int] = {Symptom.TELEMETRY_FAULT: 120, Symptom.SERVICE_OVERSIZED: 300, Symptom.STRAGGLER: 300}
"""What takes ten minutes or a day to become so need not be looked for at every scrape."""


class Surveyor:
    """Keeps in memory what it has told; all of it can be found again after a restart."""

    def __init__(
        self,
        metrics: Metrics,
        limits: Mapping[str, Any],
        ledger: Ledger,
        thresholds: Thresholds,
        refused: Refused = unheeded,
    ) -> None:
        self._metrics = metrics
        self._thresholds = thresholds
        self._ledger = ledger
        self._standing = Standing()
        self._past: list[PastAction] | None = None
        self._next: dict[Symptom, datetime] = {}
        self._refused, self._odd = refused, dict[str, str]()
        self._xids = XidWatch(metrics, refused)
        self._idle = IdleWatch(metrics, idle_minimum_s(limits))
        self._stuck = StuckWatch()

    def survey(self, view: ClusterView, now: datetime) -> list[Signal]:
        """What began and what ended since the last look. Raises MetricsUnavailable when that is all there is to say."""
        self._past, fault = None, None
        signals: list[Signal] = []
        for what, look in self._looks(view, now).items():
            try:
                signals += look()
            except (MetricsUnavailable, LedgerUnavailable) as away:
                fault = away
            except ODD as wrong:
                self._tell_odd(what, wrong)
        if fault is not None and not signals:
            raise fault
        return signals

    def _looks(self, view: ClusterView, now: datetime) -> dict[str, Callable[[], list[Signal]]]:
        """Each by itself: what one cannot know, or an object that it cannot read, does not keep the others from
        telling."""
        standing = self._standing
        return {
            "gangs": lambda: self._gangs(view, now),
            "wishes": lambda: self._restores(view, None, now),
            "xids": lambda: self._xids.look(standing, now, view.nodes),
            "restores": lambda: self._restores(view, self._metrics.instant(WAITING_METRIC, now), now),
            "idle": lambda: self._idle.look(standing, view, self._reclaims(now), now),
            **{symptom.value: partial(self._find, symptom, find, view, now) for symptom, find in FINDERS.items()},
        }

    def _tell_odd(self, what: str, wrong: Exception) -> None:
        """Once for each reason: the next look finds the same."""
        why = f"nothing can be found while an object reads so: {type(wrong).__name__}: {wrong}"[:REASON_AT_MOST]
        if self._odd.get(what) != why:
            self._odd[what] = why
            self._refused("survey", what, why)

    def _find(self, symptom: Symptom, find: Finder, view: ClusterView, now: datetime) -> list[Signal]:
        if now < self._next.get(symptom, now):
            return []
        sight = Sight(view, ClusterNames(self._metrics, view.nodes), now, self._reclaims(now), self._thresholds)
        signals = finder_watch.look(symptom, find, self._standing, sight)
        self._next[symptom] = now + timedelta(seconds=SELDOM_S.get(symptom, 0))
        return signals

    def _reclaims(self, now: datetime) -> list[PastAction]:
        """Read once a look, since every finder asks."""
        if self._past is None:
            self._past = self._ledger.past_actions(now - timedelta(seconds=WRONG_WITHIN_S))
        return self._past

    def _gangs(self, view: ClusterView, now: datetime) -> list[Signal]:
        """One finding for gangs that stand in each other's way: about the one that should start first."""
        over = [ref for ref in self._standing.subjects(Symptom.GANG_STUCK) if not _stuck(find_gang(view, ref))]
        signals = [s for ref in over for s in self._standing.end(Symptom.GANG_STUCK, ref, now)]
        after_s = self._thresholds.gang_stuck_after_s
        watched = self._stuck.look(view, now, after_s)
        for group in competing(view, [*stuck_gangs(view, now, after_s), *watched]):
            if not any(self._standing.told(Symptom.GANG_STUCK, gang.ref) for gang in group):
                signals += self._standing.begin(_stuck_condition(group[0], len(group), watched), now)
        return signals

    def _restores(self, view: ClusterView, waiting: Sequence[Series] | None, now: datetime) -> list[Signal]:
        """By the owners' word, which needs no metrics, and by waiting requests; None while those are not known."""
        signals: list[Signal] = []
        for workload in in_order(view.workloads):
            manifest = raw_object(view, workload.ref)
            taken = reclaimed(workload.ref, manifest)
            if taken is None or not taken.stopped:
                signals += self._standing.end(Symptom.RESTORE_NEEDED, workload.ref, now)
                continue
            by = wanted_by(taken, manifest, waiting or ())
            if by:
                signals += self._standing.begin(_wanted_condition(taken, by), now)
            elif waiting is not None:
                signals += self._standing.end(Symptom.RESTORE_NEEDED, workload.ref, now)
        return signals


def _stuck(gang: Gang | None) -> bool:
    return gang is not None and gang.state is GangState.STUCK


def _stuck_condition(gang: Gang, rivals: int, watched: Sequence[Gang]) -> Condition:
    since = rfc3339(gang.stuck_since) if gang.stuck_since else "unknown"
    detail = {"running": str(len(gang.running)), "minimum": str(gang.minimum), "stuck_gangs": str(rivals)}
    if gang in watched:  # who decides about it has no other word for how long
        detail[SEEN_SINCE] = since
    return Condition(Symptom.GANG_STUCK, gang.ref, since, detail)


def _wanted_condition(taken: Reclaimed, by: str) -> Condition:
    return Condition(Symptom.RESTORE_NEEDED, taken.ref, taken.proposal, {"wanted_by": by})
