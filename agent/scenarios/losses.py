"""GPU-hours that a day loses, counted from the world alone: nothing that the agent says of itself goes in.

Looked at once a simulated minute, by the same rules with the agent and without it, so that what it costs
counts against it: nodes that it keeps closed, gangs that it sends to wait, work that its requeues throw away.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.adapters.simulated.world import World
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef
from agent.ports import Fault, Series
from agent.scenarios.losing import Cause, Place, Sight, lost_gpus

EVERY = timedelta(minutes=1)
IDLE_AFTER = timedelta(minutes=15)  # a shorter pause belongs to work: a build, a thought, the next batch
SAVED_EVERY = timedelta(minutes=30)  # between two checkpoints of a training; half of it is lost when a gang is stopped
STOPS_A_GPU = frozenset({46, 62, 74, 79, 95, 119, 120})  # XIDs after which nothing runs there; others are the jobs' own
STOPPED_WORDS = frozenset({"hangs", "crashes"})  # behaviours of the world's pods that never end by themselves
HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Tally:
    """What a day lost, in GPU-hours by cause, and how long its gangs waited for their GPUs."""

    hours: Mapping[Cause, float] = field(default_factory=dict)
    waits_s: tuple[float, ...] = ()

    @property
    def total(self) -> float:
        return sum(self.hours.values())

    @property
    def mean_wait_s(self) -> float:
        return sum(self.waits_s) / len(self.waits_s) if self.waits_s else 0.0

    @property
    def p95_wait_s(self) -> float:
        """The shortest wait that 95 of 100 did not exceed."""
        return sorted(self.waits_s)[math.ceil(len(self.waits_s) * 95 / 100) - 1] if self.waits_s else 0.0


@dataclass
class _Training:
    """A gang as it was seen last, while it worked."""

    pods: frozenset[str]  # uids
    gpus: int
    since: datetime


class LossMeter:
    """`look` at every step of a performance; `tally` is what was lost so far."""

    def __init__(self) -> None:
        self._hours: dict[Cause, float] = dict.fromkeys(Cause, 0.0)
        self._lost: Mapping[Cause, int] = {}
        self._at: datetime | None = None
        self._begun: datetime | None = None
        self._still: dict[Place, datetime] = {}  # pods that do nothing, since when
        self._training: dict[ObjectRef, _Training] = {}
        self._waits: dict[ObjectRef, float] = {}

    @property
    def tally(self) -> Tally:
        return Tally(dict(self._hours), tuple(self._waits[ref] for ref in sorted(self._waits, key=str)))

    def look(self, world: World) -> None:
        now = world.clock.now()
        if self._at is not None and now - self._at < EVERY:
            return
        passed_s = (now - self._at).total_seconds() if self._at is not None else 0.0
        self._begun = self._begun or now
        for cause, gpus in self._lost.items():
            self._hours[cause] += gpus * passed_s / HOUR_S
        self._at = now
        try:
            sight = self._sight(world, now)
        except Fault:
            return  # what cannot be seen now counts as it was
        self._lost = lost_gpus(sight)
        self._follow_gangs(sight.view, now, passed_s)

    def _sight(self, world: World, now: datetime) -> Sight:
        view = world.view()
        idle = idle_pods(
            world.metrics.instant("DCGM_FI_DEV_GPU_UTIL", now),
            world.metrics.instant("DCGM_FI_PROF_GR_ENGINE_ACTIVE", now),
        )
        self._still = {place: self._still.get(place, now) for place in idle}
        long = frozenset(place for place, since in self._still.items() if now - since >= IDLE_AFTER)
        sick = sick_nodes(world.metrics.instant("DCGM_FI_DEV_XID_ERRORS", now))
        return Sight(view, long, sick, world.behaving(STOPPED_WORDS))

    def _follow_gangs(self, view: ClusterView, now: datetime, passed_s: float) -> None:
        for ref, gang in view.gangs.items():
            arrived = gang.created_at is not None and self._begun is not None and gang.created_at >= self._begun
            if gang.state in (GangState.QUEUED, GangState.STUCK):
                self._waits[ref] = self._waits.get(ref, 0.0) + passed_s
            elif arrived and gang.state is GangState.RUNNING:
                self._waits.setdefault(ref, 0.0)
            self._note_stop(view, gang, now)

    def _note_stop(self, view: ClusterView, gang: Gang, now: datetime) -> None:
        """A gang whose pods are others than before has been stopped, whether or not it runs again."""
        known = self._training.get(gang.ref)
        pods = frozenset(view.pods[ref.namespace or "", ref.name].uid for ref in gang.running)
        if known is not None and not known.pods & pods:
            unsaved = min(now - known.since, SAVED_EVERY / 2)
            if not _has_finished(view, gang, known.pods):
                self._hours[Cause.THROWN_AWAY] += known.gpus * unsaved.total_seconds() / HOUR_S
            known = None
            del self._training[gang.ref]
        if gang.state is GangState.RUNNING and pods:
            since = known.since if known is not None else now
            self._training[gang.ref] = _Training(pods, len(pods) * gang.gpus_per_pod, since)


def _has_finished(view: ClusterView, gang: Gang, pods: frozenset[str]) -> bool:
    """A gang's pods leave one by one when it is done, before anybody says that it is."""
    done = any(pod.uid in pods and pod.phase == "Succeeded" for pod in view.pods.values())
    return done or gang.state is GangState.FINISHED


def idle_pods(*gauges: Iterable[Series]) -> frozenset[Place]:
    """Pods of which every GPU shows 0 in every gauge that there is of it."""
    most: dict[Place, float] = {}
    for series in (each for gauge in gauges for each in gauge):
        place = (series.labels.get("namespace", ""), series.labels.get("pod", ""))
        if place[1] and series.points:
            most[place] = max(most.get(place, 0.0), series.points[-1][1])
    return frozenset(place for place, percent in most.items() if percent == 0)


def sick_nodes(codes: Iterable[Series]) -> frozenset[str]:
    return frozenset(s.labels.get("Hostname", "") for s in codes if s.points and s.points[-1][1] in STOPS_A_GPU)
