"""Who waits, queue by queue: a heap of those to be looked at, and those parked until something comes free.

Kept from cycle to cycle by whoever runs them in a row, so that a cycle costs what its heads cost and not all that
waits. As in Kueue, a gang that sent others back stays first in its queue until it is let in; one that found nobody to
send back is parked, with all that are like it; what comes free in a cohort tree wakes the parked ones of that tree.
"""

from collections.abc import Callable, Iterable, Set as AbstractSet
from heapq import heappop, heappush

from scheduler_core.holders import queued_since_s
from scheduler_core.model import Gang, PodSet, Seconds
from scheduler_core.quota import StopPolicy, Strategy
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import GangState

_RUNS, _STRICT = StopPolicy.NONE, Strategy.STRICT_FIFO
NO_QUEUE = ""  # the line of gangs to which no quota applies
Turn = tuple[float, int, Seconds, str, str]  # usage of its local queue, priority, age, uid, name
Entry = tuple[Turn, str]
UsageOf = Callable[[Gang], float]


def nothing_used(gang: Gang) -> float:
    return 0.0


def turn(gang: Gang, state: GangState, usage_of: UsageOf = nothing_used) -> Turn:
    """Whose turn it is first: least used, then the higher priority, then the longer wait."""
    return (usage_of(gang), -gang.priority, queued_since_s(gang, state), gang.uid or gang.name, gang.name)


def may_ever_start(gang: Gang) -> bool:
    """Not switched off, and nothing keeps it out of its queue."""
    return gang.active and not gang.held and not gang.gates


class _Alike:
    """Gangs of one queue that fit alike, so that they are parked and woken together, whatever their number."""

    def __init__(self) -> None:
        self.ready: list[Entry] = []  # heaps; entries of gangs that wait no longer, or anew, are void
        self.parked: list[Entry] = []

    def park(self) -> None:
        self.ready, self.parked = [], _merged(self.ready, self.parked)

    def wake(self) -> None:
        self.ready, self.parked = _merged(self.ready, self.parked), []


def _merged(one: list[Entry], other: list[Entry]) -> list[Entry]:
    few, many = sorted((one, other), key=len)
    for entry in few:
        heappush(many, entry)
    return many


class Lines:
    def __init__(
        self,
        snapshot: Snapshot,
        now_s: Seconds,
        usage_of: UsageOf = nothing_used,
        left_out: AbstractSet[str] = frozenset(),
    ) -> None:
        """`left_out` are queues that somebody else lets in."""
        self._snapshot, self._usage_of, self._left_out = snapshot, usage_of, left_out
        self._kinds: dict[str, dict[object, _Alike]] = {}  # queue -> what is asked for -> those that ask for it
        self._kind_of: dict[str, _Alike] = {}
        self._entries: dict[str, Entry] = {}  # of those that wait; another one of the same name is void
        self._with_parked: set[str] = set()
        self._awake: set[str] = set()  # queues that may have somebody to be looked at
        self._asleep: list[tuple[Seconds, str]] = []
        self._sleeping: dict[str, Seconds] = {}
        self._first: dict[str, str] = {}  # queue -> who sent others back for itself
        for name in snapshot.pending_gangs():
            self.arrive(name, now_s)

    # -- coming and going ------------------------------------------------------------------------------------------

    def arrive(self, name: str, now_s: Seconds) -> None:
        """It waits from now on; one that backs off is parked until its time."""
        gang, state = self._snapshot.gang(name), self._snapshot.state_of(name)
        if not may_ever_start(gang) or gang.queue in self._left_out:
            return
        if state.requeue_at_s is not None and state.requeue_at_s > now_s:
            self._sleeping[name] = state.requeue_at_s
            heappush(self._asleep, (state.requeue_at_s, name))
        else:
            self._push(gang, state)

    def leave(self, name: str) -> None:
        """It waits no longer: let in, held, switched off or gone."""
        self._entries.pop(name, None)
        self._sleeping.pop(name, None)
        self._kind_of.pop(name, None)
        if name in self._first.values():
            self._first = {queue: first for queue, first in self._first.items() if first != name}

    def _push(self, gang: Gang, state: GangState) -> None:
        queue = gang.queue or NO_QUEUE
        kind = self._kinds.setdefault(queue, {}).setdefault(_asks(gang), _Alike())
        entry = self._entries[gang.name] = (turn(gang, state, self._usage_of), gang.name)
        self._kind_of[gang.name] = kind
        self._awake.add(queue)
        heappush(kind.ready, entry)

    # -- whose turn it is ------------------------------------------------------------------------------------------

    def heads(self, most: int | None) -> list[str]:
        """Of every queue that admits, so many that are next."""
        found: list[str] = []
        for queue in sorted(self._awake):
            if queue == NO_QUEUE or self._snapshot.queues[queue].stop_policy is _RUNS:
                next_ones = self._next_of(queue, 1 if self._is_strict(queue) else most)
                found += next_ones
                if not next_ones:
                    self._awake.discard(queue)
        return found

    def _is_strict(self, queue: str) -> bool:
        """Nobody is looked at before the head is in."""
        return queue != NO_QUEUE and self._snapshot.queues[queue].strategy is _STRICT

    def _next_of(self, queue: str, most: int | None) -> list[str]:
        heaps = [kind.ready for kind in self._kinds[queue].values() if kind.ready and self._top(kind.ready)]
        first = self._first.get(queue)
        if first is None or first not in self._entries or self._is_parked(first):
            first = None
        if most == 1:
            return [first] if first else [min(heap[0] for heap in heaps)[1]] if heaps else []
        waiting = sorted(entry for heap in heaps for entry in heap if self._is_valid(entry))
        found = [name for _, name in waiting if name != first]
        return ([first, *found] if first else found)[:most]

    def _top(self, heap: list[Entry]) -> bool:
        while heap and not self._is_valid(heap[0]):
            heappop(heap)
        return bool(heap)

    def _is_valid(self, entry: Entry) -> bool:
        return self._entries.get(entry[1]) is entry

    def _is_parked(self, name: str) -> bool:
        return any(self._entries.get(name) is entry for entry in self._kind_of[name].parked)

    def waiting(self) -> tuple[str, ...]:
        """To be looked at in a coming cycle."""
        return self._names(kind.ready for kinds in self._kinds.values() for kind in kinds.values())

    def parked(self) -> tuple[str, ...]:
        heaps = (kind.parked for kinds in self._kinds.values() for kind in kinds.values())
        return tuple(sorted((*self._names(heaps), *self._sleeping)))

    def _names(self, heaps: Iterable[list[Entry]]) -> tuple[str, ...]:
        return tuple(sorted(entry[1] for heap in heaps for entry in heap if self._is_valid(entry)))

    def stays_first(self, name: str) -> None:
        """It waits for those that it sent back; nobody of its queue gets what they leave."""
        queue = self._snapshot.gang(name).queue or NO_QUEUE
        if queue != NO_QUEUE and self._snapshot.queues[queue].strategy is not _STRICT:
            self._first[queue] = name

    # -- parking -----------------------------------------------------------------------------------------------------

    def park_alike(self, name: str) -> bool:
        """Nothing to be done for it until something comes free, nor for those of its queue that ask for the same with
        the same priority; unless its queue insists on its order."""
        queue = self._snapshot.gang(name).queue or NO_QUEUE
        if self._first.get(queue) == name:
            del self._first[queue]
        if self._is_strict(queue):
            return False
        self._kind_of[name].park()
        self._with_parked.add(queue)
        return True

    def wake(self, queues: AbstractSet[str]) -> None:
        """Something came free for these queues."""
        for queue in sorted(self._with_parked.intersection(queues)):
            for kind in self._kinds.get(queue, {}).values():
                kind.wake()
            self._awake.add(queue)
        self._with_parked.difference_update(queues)

    def turn_anew(self) -> None:
        """What local queues have used has changed, and with it whose turn it is."""
        if self._usage_of is nothing_used:
            return
        for kind in [kind for kinds in self._kinds.values() for kind in kinds.values()]:
            names = [entry[1] for entry in kind.ready if self._is_valid(entry)]
            kind.ready = []
            for name in names:
                when = turn(self._snapshot.gang(name), self._snapshot.state_of(name), self._usage_of)
                self._entries[name] = (when, name)
                heappush(kind.ready, self._entries[name])

    def wake_on_time(self, now_s: Seconds) -> None:
        """Those whose back-off is over."""
        while self._asleep and self._asleep[0][0] <= now_s:
            at_s, name = heappop(self._asleep)
            if self._sleeping.get(name) == at_s:
                del self._sleeping[name]
                self._push(self._snapshot.gang(name), self._snapshot.state_of(name))

    def next_wake_s(self) -> Seconds | None:
        return self._asleep[0][0] if self._asleep else None


def _asks(gang: Gang) -> object:
    """Equal for gangs of one queue that fit alike."""
    pod_sets = tuple(_asks_in(each) for each in gang.pod_sets)
    return gang.queue, gang.priority, pod_sets, gang.excluded_nodes, bool(gang.preemption_gates)


def _asks_in(each: PodSet) -> object:
    requests, selector = tuple(sorted(each.requests.items())), tuple(sorted(each.node_selector.items()))
    return (
        each.name, each.count, each.min_count, requests, selector, each.tolerations, each.required_node_affinity,
        each.excluded_nodes, each.topology,
    )  # fmt: skip
