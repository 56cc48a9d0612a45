"""Who waits, queue by queue: a heap of those to be looked at, and those parked until something comes free.

Kept from cycle to cycle by whoever runs them in a row, so that a cycle costs what its heads cost and not all that
waits. As in Kueue, a gang that sent others back stays first in its queue until it is let in; one that found nobody to
send back is parked, with all that are like it; what comes free in a cohort tree wakes the parked ones of that tree.
"""

from collections.abc import Callable, Iterable
from heapq import heappop, heappush

from scheduler_core.holders import queued_since_s
from scheduler_core.model import Gang, PodSet, Seconds
from scheduler_core.quota import StopPolicy, Strategy
from scheduler_core.quota_tree import Place
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import GangState

NO_QUEUE = ""  # the line of gangs to which no quota applies
Turn = tuple[float, int, Seconds, str, str]  # usage of its local queue, priority, age, uid, name
UsageOf = Callable[[Gang], float]


def nothing_used(gang: Gang) -> float:
    return 0.0


def turn(gang: Gang, state: GangState, usage_of: UsageOf = nothing_used) -> Turn:
    """Whose turn it is first: least used, then the higher priority, then the longer wait."""
    return (usage_of(gang), -gang.priority, queued_since_s(gang, state), gang.uid or gang.name, gang.name)


def may_ever_start(gang: Gang) -> bool:
    """Not switched off, and nothing keeps it out of its queue."""
    return gang.active and not gang.held and not gang.gates


class Lines:
    def __init__(self, snapshot: Snapshot, now_s: Seconds, usage_of: UsageOf = nothing_used) -> None:
        self._snapshot, self._usage_of = snapshot, usage_of
        self._heaps: dict[str, list[tuple[Turn, str]]] = {}
        self._turns: dict[str, Turn] = {}  # those in a heap; an entry of the heap that says otherwise is void
        self._parked: dict[str, dict[str, None]] = {}  # queue -> gangs
        self._asleep: list[tuple[Seconds, str]] = []
        self._first: dict[str, str] = {}  # queue -> who sent others back for itself
        self._alike: dict[object, dict[str, None]] = {}  # queue and what is asked for -> who is in a heap with it
        for name in snapshot.pending_gangs():
            self.arrive(name, now_s)

    # -- coming and going ------------------------------------------------------------------------------------------

    def arrive(self, name: str, now_s: Seconds) -> None:
        """It waits from now on; one that backs off is parked until its time."""
        gang, state = self._snapshot.gang(name), self._snapshot.state_of(name)
        if not may_ever_start(gang):
            return
        queue = gang.queue or NO_QUEUE
        if state.requeue_at_s is not None and state.requeue_at_s > now_s:
            self._parked.setdefault(queue, {})[name] = None
            heappush(self._asleep, (state.requeue_at_s, name))
        else:
            self._push(queue, gang, state)

    def leave(self, name: str) -> None:
        """It waits no longer: let in, held, switched off or gone."""
        self._turns.pop(name, None)
        for parked in self._parked.values():
            parked.pop(name, None)
        for queue, first in list(self._first.items()):
            if first == name:
                del self._first[queue]

    def _push(self, queue: str, gang: Gang, state: GangState) -> None:
        self._turns[gang.name] = turn(gang, state, self._usage_of)
        self._alike.setdefault(_asks(gang), {})[gang.name] = None
        heappush(self._heaps.setdefault(queue, []), (self._turns[gang.name], gang.name))

    # -- whose turn it is ------------------------------------------------------------------------------------------

    def heads(self, most: int | None) -> list[str]:
        """Of every queue that admits, so many that are next."""
        found: list[str] = []
        for queue in sorted(self._heaps):
            if queue == NO_QUEUE or self._snapshot.queues[queue].stop_policy is StopPolicy.NONE:
                found += self._next_of(queue, most)
        return found

    def _next_of(self, queue: str, most: int | None) -> list[str]:
        heap, found = self._heaps[queue], list[str]()
        taken: list[tuple[Turn, str]] = []
        first = self._first.get(queue)
        if first in self._turns:
            found.append(str(first))
        while heap and (most is None or len(found) < most):
            entry = heappop(heap)
            when, name = entry
            if self._turns.get(name) != when or (taken and taken[-1] == entry):
                continue
            taken.append(entry)
            if name != first:
                found.append(name)
        for entry in taken:
            heappush(heap, entry)
        return found

    def waiting(self) -> tuple[str, ...]:
        """To be looked at in a coming cycle."""
        return tuple(sorted(self._turns))

    def parked(self) -> tuple[str, ...]:
        return tuple(sorted(name for parked in self._parked.values() for name in parked))

    def stays_first(self, name: str) -> None:
        """It waits for those that it sent back; nobody of its queue gets what they leave."""
        queue = self._snapshot.gang(name).queue or NO_QUEUE
        if queue != NO_QUEUE and self._snapshot.queues[queue].strategy is Strategy.BEST_EFFORT_FIFO:
            self._first[queue] = name

    # -- parking -----------------------------------------------------------------------------------------------------

    def park(self, name: str) -> None:
        """Nothing to be done for it until something comes free, unless its queue insists on its order."""
        gang = self._snapshot.gang(name)
        queue = gang.queue or NO_QUEUE
        if self._first.get(queue) == name:
            del self._first[queue]
        if queue != NO_QUEUE and self._snapshot.queues[queue].strategy is Strategy.STRICT_FIFO:
            return
        self._turns.pop(name, None)
        self._parked.setdefault(queue, {})[name] = None

    def park_alike(self, name: str) -> tuple[str, ...]:
        """What holds for it holds for all of its queue that ask for the same with the same priority. Says who parks."""
        gang = self._snapshot.gang(name)
        self.park(name)
        if name in self._turns:
            return ()  # its queue insists on its order
        others = (other for other in self._alike.pop(_asks(gang), {}) if other in self._turns)
        alike = [other for other in others if other in self._snapshot.gangs]
        for other in alike:
            self.park(other)
        return (name, *alike)

    def wake(self, queues: Iterable[Place], now_s: Seconds) -> None:
        """Something came free for these queues."""
        for _, queue in queues:
            for name in list(self._parked.get(queue, ())):
                self._wake_one(name, now_s)

    def wake_on_time(self, now_s: Seconds) -> None:
        """Those whose back-off is over."""
        while self._asleep and self._asleep[0][0] <= now_s:
            _, name = heappop(self._asleep)
            if name in self._snapshot.gangs:
                self._wake_one(name, now_s)

    def next_wake_s(self) -> Seconds | None:
        return self._asleep[0][0] if self._asleep else None

    def _wake_one(self, name: str, now_s: Seconds) -> None:
        gang, state = self._snapshot.gang(name), self._snapshot.state_of(name)
        queue = gang.queue or NO_QUEUE
        if name in self._parked.get(queue, ()) and (state.requeue_at_s is None or state.requeue_at_s <= now_s):
            del self._parked[queue][name]
            self._push(queue, gang, state)


def _asks(gang: Gang) -> object:
    """Equal for gangs of one queue that fit alike."""
    return gang.queue, gang.priority, tuple(_asks_in(each) for each in gang.pod_sets), gang.excluded_nodes


def _asks_in(each: PodSet) -> object:
    requests, selector = tuple(sorted(each.requests.items())), tuple(sorted(each.node_selector.items()))
    return (
        each.name, each.count, each.min_count, requests, selector, each.tolerations, each.required_node_affinity,
        each.excluded_nodes, each.topology,
    )  # fmt: skip
