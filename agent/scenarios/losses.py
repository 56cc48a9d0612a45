"""GPU-hours that a day loses, counted from the world alone: nothing that the agent says of itself goes in.

A GPU is lost while a pod holds it without using it (utilisation 0), while its gang stands still (below its minimum, or
with a pod on a node whose GPU has fallen off the bus), and while its node has such a fault, taken or not. What stands
free on a well node is not lost: somebody can have it. Sampled once a simulated minute.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from agent.adapters.kubernetes.views import ClusterViews
from agent.adapters.simulated.world import World
from agent.domain.cluster import ClusterView, GangState, Pod
from agent.ports import Fault, Series

EVERY = timedelta(minutes=1)
FALLEN_OFF = 79  # what stops a node's GPUs; other codes are the applications' own
HOUR_S = 3600

Place = tuple[str, str]  # namespace, pod


class LossMeter:
    """`look` at every step of a performance; `gpu_hours` is what was lost so far."""

    def __init__(self) -> None:
        self.gpu_hours = 0.0
        self._lost = 0
        self._at: datetime | None = None
        self._views: ClusterViews | None = None  # of the one world that is looked at

    def look(self, world: World) -> None:
        now = world.clock.now()
        if self._at is not None and now - self._at < EVERY:
            return
        if self._at is not None:
            self.gpu_hours += self._lost * (now - self._at).total_seconds() / HOUR_S
        self._at = now
        try:
            if self._views is None:
                self._views = ClusterViews(world.cluster, world.clock)
            view = self._views.take()
            idle = idle_pods(world.metrics.instant("DCGM_FI_DEV_GPU_UTIL", now))
            sick = sick_nodes(world.metrics.instant("DCGM_FI_DEV_XID_ERRORS", now))
        except Fault:
            return  # what cannot be seen now counts as it was
        self._lost = lost_gpus(view, idle, sick)


def idle_pods(utilisation: Iterable[Series]) -> frozenset[Place]:
    """Pods of which every GPU shows 0."""
    most: dict[Place, float] = {}
    for series in utilisation:
        place = (series.labels.get("namespace", ""), series.labels.get("pod", ""))
        if place[1] and series.points:
            most[place] = max(most.get(place, 0.0), series.points[-1][1])
    return frozenset(place for place, percent in most.items() if percent == 0)


def sick_nodes(codes: Iterable[Series]) -> frozenset[str]:
    return frozenset(s.labels.get("Hostname", "") for s in codes if s.points and s.points[-1][1] == FALLEN_OFF)


def lost_gpus(view: ClusterView, idle: frozenset[Place], sick: frozenset[str]) -> int:
    holders = {place: pod for place, pod in view.pods.items() if pod.holds_gpus}
    halted = {pod.gang for pod in holders.values() if pod.gang and pod.node in sick}
    halted |= {ref for ref, gang in view.gangs.items() if gang.state is GangState.STUCK}
    lost = sum(pod.gpus for place, pod in holders.items() if place in idle or pod.gang in halted or pod.node in sick)
    return lost + sum(_free(view, node, holders) for node in sick if node in view.nodes)


def _free(view: ClusterView, node: str, holders: Mapping[Place, Pod]) -> int:
    held = sum(pod.gpus for pod in holders.values() if pod.node == node)
    return max(0, view.nodes[node].gpus - held)
