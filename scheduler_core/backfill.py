"""Small work goes ahead of large work that must wait, but never at its cost: EASY backfilling with aging.

The gangs are taken in one line. The first that does not fit holds a start (`reservation.py`); those behind it may
start only if that start is kept with them running: because they end before by their walltime, or because they use only
what the reservation leaves. Sources: Lifka, "The ANL/IBM SP Scheduling System" (JSSPP 1995); Mu'alem and Feitelson,
"Utilization, Predictability, Workloads, and User Runtime Estimates in Scheduling the IBM SP2 with Backfilling"
(IEEE TPDS 12(6), 2001). With a `depth` above one more gangs of the line hold a start, each behind the ones before it.

A gang without a walltime counts as endless: it goes ahead only on what the reservation leaves. A gang that no known end
would let in holds nothing, until it has waited for `patience_s`: then it holds its place without a time. A promise is
not held against a gang before it in the line: one that came anew with a higher priority, or one to which nothing
could be promised before. Nor is one that borrows held against a gang within its queue's own quota: what is lent is
the owner's. In a queue of strict order nobody goes ahead of the head at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scheduler_core.aging import line
from scheduler_core.backfill_rules import EASY, Rules
from scheduler_core.elastic import Resized
from scheduler_core.holders import queued_since_s
from scheduler_core.letting_in import asked_of, let_in
from scheduler_core.model import Gang, Seconds
from scheduler_core.quota import Strategy
from scheduler_core.reservation import NEVER, Promise, Reservation, keeps, reserve
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import Assignment, commit, try_start


@dataclass(frozen=True)
class Backfilled:
    started: tuple[Assignment, ...]
    reservations: tuple[Reservation, ...]
    held_back: Mapping[str, str]  # gangs that fit and do not start -> the gang whose start they would delay
    resized: tuple[Resized, ...] = ()


def backfill(
    snapshot: Snapshot,
    now_s: Seconds,
    settings: Settings = DEFAULTS,
    rules: Rules | None = None,
    never: set[object] | None = None,
) -> Backfilled:
    """Starts what may start now. Until something ends or comes, asking again starts nothing more.

    `never`: what not even an empty cluster holds, kept from look to look by whoever knows that nodes and quota stay.
    """
    how = settings if rules is None else replace(settings, backfill=rules)
    return _Look(snapshot, now_s, how, how.backfill or EASY, never=never).run()


@dataclass
class _Look:
    """One look at the line, from its first gang to its last."""

    snapshot: Snapshot
    now_s: Seconds
    settings: Settings
    rules: Rules
    started: list[Assignment] = field(default_factory=list)
    held: list[Reservation] = field(default_factory=list)
    held_back: dict[str, str] = field(default_factory=dict)
    resized: list[Resized] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)  # queues of strict order whose head waits
    in_vain: dict[object, Seconds] = field(default_factory=dict)  # what did not start -> the soonest end of such a one
    never: set[object] | None = None
    unpromised: set[tuple[object, bool]] = field(
        default_factory=set
    )  # what could be promised nothing, in patience or not

    def run(self) -> Backfilled:
        for gang in line(self.snapshot, self.now_s, self.rules.aging_s):
            if self.rules.govern(gang.queue) and gang.queue not in self.closed:
                self._look_at(gang)
        return Backfilled(tuple(self.started), tuple(self.held), self.held_back, tuple(self.resized))

    def _look_at(self, gang: Gang) -> None:
        delayed: list[str] = []
        assignment = None if self._is_in_vain(gang) else self._let_in(gang, delayed)
        if delayed:
            assignment = self._beside_what_is_held(gang)
        if assignment is not None:
            self.started.append(assignment)
            return
        if delayed:
            self.held_back[gang.name] = delayed[0]
        kind, end_s = asks(self.snapshot, gang), _end_s(gang, self.now_s) if delayed else self.now_s
        self.in_vain[kind] = min(end_s, self.in_vain.get(kind, NEVER))
        if len(self.held) < self.rules.depth:
            self._reserve(gang, kind)
        if gang.queue is not None and self.snapshot.queues[gang.queue].strategy is Strategy.STRICT_FIFO:
            self.closed.add(gang.queue)

    def _is_in_vain(self, gang: Gang) -> bool:
        """One like it did not fit, or ended too late and no later than this one would: there is less room by now."""
        soonest_s = self.in_vain.get(asks(self.snapshot, gang))
        return soonest_s is not None and _end_s(gang, self.now_s) >= soonest_s

    def _let_in(self, gang: Gang, delayed: list[str]) -> Assignment | None:
        def may_take(assignment: Assignment) -> bool:
            delayed[:] = _would_delay(self.snapshot, assignment, self.held, self.now_s, self.settings)
            return not delayed

        return let_in(self.snapshot, gang, self.now_s, self.settings, self.resized, may_take)

    def _beside_what_is_held(self, gang: Gang) -> Assignment | None:
        """Where it fits best it would delay somebody: and on the nodes that nobody holds?"""
        nodes = {node for each in self.held for node in each.nodes}
        asked, state = asked_of(self.snapshot, gang, self.settings), self.snapshot.state_of(gang.name)
        if not nodes or not asked.place:
            return None
        with self.snapshot.fork():
            self.snapshot.restore(gang.name, replace(state, excluded_nodes=state.excluded_nodes | nodes))
            assignment = try_start(self.snapshot, gang.name, self.now_s, asked)
        if assignment is None or _would_delay(self.snapshot, assignment, self.held, self.now_s, self.settings):
            return None
        commit(self.snapshot, assignment)
        return assignment

    def _reserve(self, gang: Gang, kind: object) -> None:
        waited_s = self.now_s - queued_since_s(gang, self.snapshot.state_of(gang.name))
        patient = self.rules.patience_s is not None and waited_s >= self.rules.patience_s
        if (kind, patient) in self.unpromised or (self.never is not None and kind in self.never):
            return
        kept = [each.promise for each in self.held]
        asked = (self.snapshot, gang.name, self.now_s, self.settings)
        found = reserve(*asked, kept, patient=patient)
        if found is None:
            self.unpromised.add((kind, patient))
            if self.never is not None and not kept and reserve(*asked, patient=True) is None:
                self.never.add(kind)
        else:
            self.held.append(found)


def _end_s(gang: Gang, now_s: Seconds) -> Seconds:
    return NEVER if gang.walltime_s is None else now_s + gang.walltime_s


def _would_delay(
    snapshot: Snapshot, assignment: Assignment, held: Sequence[Reservation], now_s: Seconds, settings: Settings
) -> tuple[str, ...]:
    """The first reserved gang that would start later for it, if there is one."""
    held = [each for each in held if assignment.borrows or not each.borrows]
    end_s = _end_s(snapshot.gang(assignment.gang), now_s)
    if not held or (end_s < NEVER and end_s <= min(each.start_s for each in held)):
        return ()
    with snapshot.fork():
        commit(snapshot, assignment)
        promises: list[Promise] = []
        for each in sorted(held, key=lambda each: each.start_s):
            promises.append(each.promise)
            if not keeps(snapshot, promises, now_s, settings):
                return (each.gang,)
    return ()


def asks(snapshot: Snapshot, gang: Gang) -> object:
    """Equal for gangs that fit alike: of one queue, for the same pods."""
    sets = tuple(
        (each.name, each.count, each.min_count, tuple(sorted(each.requests.items())),
         tuple(sorted(each.node_selector.items())), each.tolerations, each.required_node_affinity,
         each.excluded_nodes, each.topology)
        for each in gang.pod_sets
    )  # fmt: skip
    return gang.queue, sets, gang.excluded_nodes | snapshot.state_of(gang.name).excluded_nodes
