"""The loop: the next time something happens, what ends and comes then, and one look by the scheduler.

Ends come before arrivals of the same time, so that what comes finds what has ended. A gang that is sent back starts
anew: what it had done is lost. The snapshot is afterwards as it was.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush

from scheduler_core.errors import Duplicate, Invalid
from scheduler_core.model import Gang, Seconds, gpus
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.simulation.load import Arrival, Life
from scheduler_core.simulation.orders import share_of
from scheduler_core.simulation.result import Moment, Result, jain
from scheduler_core.simulation.step import KeepsBooks, Order, Step
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import Phase

ARRIVALS_LIMIT = 200_000  # what a machine of 4 GB holds with room to spare
EVENTS_PER_ARRIVAL_LIMIT = 64  # ends, arrivals and returns; a gang sent back more often than that is a loop

END, COME, WAKE = 0, 1, 2
Event = tuple[Seconds, int, int, str]  # when, what, of which start, whose
Watch = Callable[[Snapshot, Seconds, Mapping[str, Life]], None]


def nothing(snapshot: Snapshot, now_s: Seconds, lives: Mapping[str, Life]) -> None:
    """Nobody watches."""


def simulate(
    snapshot: Snapshot,
    arrivals: Sequence[Arrival],
    order: Order,
    *,
    settings: Settings = DEFAULTS,
    until_s: Seconds | None = None,
    watch: Watch = nothing,
) -> Result:
    """Until everything has ended, or nothing more can happen, or that time. `watch` sees the state after each event."""
    if len(arrivals) > ARRIVALS_LIMIT:
        raise Invalid("Simulation", "load", "arrivals", f"{len(arrivals)} are more than {ARRIVALS_LIMIT}")
    names = [each.gang.name for each in arrivals]
    if len(set(names)) != len(names):
        raise Duplicate("Simulation", "load", "arrivals", "two gangs share a name")
    with snapshot.fork():
        return _Run(snapshot, arrivals, order, settings, watch).until(until_s)


class _Run:
    def __init__(
        self, snapshot: Snapshot, arrivals: Sequence[Arrival], order: Order, settings: Settings, watch: Watch
    ) -> None:
        self._snapshot, self._order, self._settings, self._watch = snapshot, order, settings, watch
        self._arrivals = {each.gang.name: each for each in arrivals}
        self._events: list[Event] = [(each.at_s, COME, 0, each.gang.name) for each in arrivals]
        heapify(self._events)
        self._starts: dict[str, int] = {}  # gang -> which start of it runs; none: it waits
        self._never_started: dict[str, None] = {}  # in the order of their coming
        self._lives = {
            each.gang.name: Life(
                each.kind, each.at_s, sum(gpus(s.requests) * s.count for s in each.gang.pod_sets), each.held_s
            )
            for each in arrivals
        }
        self._moments: list[Moment] = []
        self._wanting: Counter[str] = Counter()  # queue -> its gangs that run or wait
        self._used = self._preemptions = self._looks = self._started = 0

    def until(self, until_s: Seconds | None) -> Result:
        left = len(self._events) * EVENTS_PER_ARRIVAL_LIMIT
        while self._events and (until_s is None or self._events[0][0] <= until_s):
            now_s = self._events[0][0]
            while self._events and self._events[0][0] == now_s:
                self._happen(*heappop(self._events))
                left -= 1
            if left < 0:
                raise Invalid("Simulation", "load", "arrivals", "gangs are sent back over and over: no end is in sight")
            self._look(now_s)
        return Result(self._lives, self._moments, self._snapshot.gpus_total(), self._preemptions, self._looks)

    def _happen(self, at_s: Seconds, what: int, start: int, name: str) -> None:
        if what == COME:
            self._come(self._arrivals[name].gang, at_s)
            self._never_started[name] = None
            self._wanting[self._arrivals[name].gang.queue or ""] += 1
        elif what == END and self._starts.get(name) == start:
            del self._starts[name]
            self._go(name, at_s)
            self._wanting[self._arrivals[name].gang.queue or ""] -= 1
            self._lives[name].ended_s = at_s
            self._used -= self._lives[name].gpus

    def _come(self, gang: Gang, now_s: Seconds) -> None:
        if isinstance(self._order, KeepsBooks):
            self._order.come(self._snapshot, gang, now_s)
        else:
            self._snapshot.add_gang(gang)

    def _go(self, name: str, now_s: Seconds) -> None:
        if isinstance(self._order, KeepsBooks):
            self._order.go(self._snapshot, name, now_s)
        else:
            self._snapshot.remove_gang(name)

    def _look(self, now_s: Seconds) -> None:
        self._looks += 1
        step = self._order(self._snapshot, now_s, self._settings)
        for name in step.sent_back:
            if name in self._starts:
                self._sent_back(name, now_s)
        for name in step.started:
            if name not in self._starts and self._snapshot.phase(name) is not Phase.PENDING:
                self._begins(name, now_s)
        self._promised(step)
        self._moments.append(self._moment(now_s))
        self._watch(self._snapshot, now_s, self._lives)

    def _begins(self, name: str, now_s: Seconds) -> None:
        life = self._lives[name]
        self._started += 1
        self._starts[name] = self._started
        self._used += life.gpus
        heappush(self._events, (now_s + self._arrivals[name].held_s, END, self._started, name))
        if life.started_s is None:
            life.started_s = now_s
            del self._never_started[name]
            for other in self._never_started:
                if self._lives[other].came_s >= life.came_s:
                    break
                self._lives[other].overtaken += 1

    def _sent_back(self, name: str, now_s: Seconds) -> None:
        del self._starts[name]
        self._preemptions += 1
        self._lives[name].sent_back += 1
        self._used -= self._lives[name].gpus
        again_s = self._snapshot.state_of(name).requeue_at_s
        heappush(self._events, (now_s if again_s is None else max(now_s, again_s), WAKE, 0, name))

    def _promised(self, step: Step) -> None:
        for promise in step.promises:
            life = self._lives[promise.gang]
            if life.promised_s is None or promise.start_s < life.promised_s:
                life.promised_s = promise.start_s

    def _moment(self, now_s: Seconds) -> Moment:
        shares = [share_of(self._snapshot, queue) for queue, gangs in sorted(self._wanting.items()) if gangs]
        waiting = len(self._snapshot.gangs) - len(self._starts)
        return Moment(now_s, self._used, waiting, jain(shares), max(shares, default=0.0))
