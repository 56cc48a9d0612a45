"""Gangs that are stuck below their minimum: which one to requeue whole so that another can start.

A stuck gang makes no progress, so requeueing it costs nothing; a healthy one pays with its work, so it comes last, and
only for one of higher priority, or a larger one of the same (policies ask a person then). Nobody gives way to one that
matters less: where only that would help, a person decides. The forecaster has the last word: where nobody would start,
nobody is moved.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.domain.cluster import ClusterView, Gang, GangState
from agent.domain.proposal import Prediction
from agent.domain.thresholds import Thresholds
from agent.evidence.holders import OPT_OUT
from agent.evidence.lookup import active_pods, in_order, pods_of
from agent.ports import Forecaster

CANDIDATES_MAX = 32  # each costs one what-if
SEEN_SINCE = "seen_since"
"""Where the agent's own look says since when it has seen a gang stuck, of which no object says so."""


@dataclass(frozen=True, slots=True)
class GangPlan:
    """Which gang to requeue, or why none. `starts`: who then starts, by the forecast."""

    requeue: Gang | None
    reason: str
    starts: tuple[str, ...] = ()
    prediction: Prediction | None = None


def stuck_s(gang: Gang, now: datetime) -> int:
    """For how long it has been below its minimum; 0 when it is not, or when nobody knows since when."""
    if gang.state is not GangState.STUCK or gang.stuck_since is None:
        return 0
    return max(0, int((now - gang.stuck_since).total_seconds()))


def stuck_gangs(view: ClusterView, now: datetime, after_s: int) -> list[Gang]:
    return [g for g in in_order(view.gangs) if g.state is GangState.STUCK and stuck_s(g, now) >= after_s]


def competing(view: ClusterView, gangs: Iterable[Gang]) -> list[list[Gang]]:
    """The gangs in groups that hold the same kind of node; within a group, who should start first comes first."""
    groups: dict[str, list[Gang]] = {}
    for gang in gangs:
        groups.setdefault(_pool(view, gang), []).append(gang)
    return [sorted(groups[pool], key=_first_to_start) for pool in sorted(groups)]


def plan(subject: Gang, view: ClusterView, forecaster: Forecaster, now: datetime, thresholds: Thresholds) -> GangPlan:
    """What to do about `subject`, a stuck gang."""
    late = [*stuck_gangs(view, now, thresholds.gang_stuck_after_s), subject]
    stuck = {str(gang.ref): gang.priority for gang in late}
    before = forecaster.what_if(view, [])
    if str(subject.ref) in before.gangs_started:
        return GangPlan(None, f"{subject.ref} has room to start as things are: something else holds it up")
    outranking: list[str] = []
    for candidate in candidates(subject, view, now, thresholds)[:CANDIDATES_MAX]:
        forecast = forecaster.what_if(view, [{"requeue": candidate.ref, "exclude_nodes": []}])
        starts = sorted((stuck.keys() & set(forecast.gangs_started)) - {str(candidate.ref)} - set(before.gangs_started))
        if any(stuck[name] >= candidate.priority for name in starts):
            return GangPlan(candidate, _why(candidate, starts), tuple(starts), forecast)
        outranking += [_above(candidate, starts)] if starts else []
    return GangPlan(None, outranking[0] if outranking else "no gang whose requeueing would let a stuck one start")


def candidates(subject: Gang, view: ClusterView, now: datetime, thresholds: Thresholds) -> list[Gang]:
    """Who may be requeued, by what it costs: stuck before healthy, then low priority, small, young, by name."""
    pool = _pool(view, subject)
    rivals = [g for g in in_order(view.gangs) if _holds_nodes(view, g) and _pool(view, g) == pool]
    return sorted((g for g in rivals if _may_move(g, subject, view, now, thresholds)), key=_cost)


def _may_move(gang: Gang, subject: Gang, view: ClusterView, now: datetime, thresholds: Thresholds) -> bool:
    if gang.annotations.get(OPT_OUT, "false").lower() != "false":
        return False
    if gang.state is GangState.STUCK:
        # No image is being pulled for a pod without a node: its gang is as stuck as it will ever be.
        placed_s, unplaced_s = thresholds.gang_stuck_after_s, thresholds.gang_unplaced_after_s
        return gang.ref == subject.ref or stuck_s(gang, now) >= (unplaced_s if _lacks_nodes(gang, view) else placed_s)
    return gang.state is GangState.RUNNING and _yields(gang, subject)


def _yields(gang: Gang, subject: Gang) -> bool:
    """A gang that runs pays with its work: only for one that matters more, or is larger and matters as much."""
    return gang.priority < subject.priority or (gang.priority == subject.priority and _gpus(gang) < _gpus(subject))


def _lacks_nodes(gang: Gang, view: ClusterView) -> bool:
    """Every pod that it waits for has no node to start on."""
    waiting = [view.pods.get((ref.namespace or "", ref.name)) for ref in gang.pending]
    return bool(waiting) and all(pod is not None and pod.node is None for pod in waiting)


def _cost(gang: Gang) -> tuple[bool, int, int, float, str]:
    born = gang.created_at.timestamp() if gang.created_at else 0.0
    return gang.state is GangState.RUNNING, gang.priority, _gpus(gang), -born, str(gang.ref)


def _first_to_start(gang: Gang) -> tuple[int, int, float, str]:
    born = gang.created_at.timestamp() if gang.created_at else 0.0
    return -gang.priority, -_gpus(gang), born, str(gang.ref)


def _gpus(gang: Gang) -> int:
    return gang.minimum * max(1, gang.gpus_per_pod)


def _holds_nodes(view: ClusterView, gang: Gang) -> bool:
    return bool(active_pods(pods_of(view, gang.ref)))


def _pool(view: ClusterView, gang: Gang) -> str:
    """The kind of node that its pods hold; gangs on different kinds do not stand in each other's way."""
    nodes = sorted({p.node for p in active_pods(pods_of(view, gang.ref)) if p.node})
    kinds = [view.nodes[n].labels.get("nvidia.com/gpu.product", "") for n in nodes if n in view.nodes]
    return kinds[0] if kinds else ""


def _why(candidate: Gang, starts: Sequence[str]) -> str:
    running = f"runs at priority {candidate.priority} and would lose its work since its last checkpoint"
    cost = "makes no progress itself" if candidate.state is GangState.STUCK else running
    return f"{candidate.ref} {cost}; without it {', '.join(starts)} can start"


def _above(candidate: Gang, starts: Sequence[str]) -> str:
    started = ", ".join(starts)
    return f"only {candidate.ref} could give way, and at priority {candidate.priority} it outranks {started}"
