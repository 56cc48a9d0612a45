"""What is kept from cycle to cycle: who waits, who holds quota, where gangs stand. All changes in a row of cycles go
through here, so that the heaps and lists are in step with the snapshot and a cycle never walks over all gangs.
"""

from collections.abc import Collection, Iterator, Set as AbstractSet
from dataclasses import replace

from scheduler_core.assigning import Tried
from scheduler_core.checks import verdict
from scheduler_core.elastic import Resized
from scheduler_core.holders import Holders, holder_of
from scheduler_core.lines import Lines, UsageOf, nothing_used
from scheduler_core.model import Gang, Seconds
from scheduler_core.quota import StopPolicy
from scheduler_core.quota_tree import Place, QuotaTree
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.sites import Seats, Sites, domains
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import Assignment, Counts
from scheduler_core.state import Admission, CheckState, Eviction, changed
from scheduler_core.topology import Failure

PREEMPTED = "Preempted"
NODE_FAILURES = "NodeFailures"
ADMISSION_CHECK = "AdmissionCheck"
LOSES_ITS_PLACE = ("PodsReadyTimeout", ADMISSION_CHECK)  # sent back for this, a gang waits anew; others keep their age


class Desk:
    def __init__(
        self,
        snapshot: Snapshot,
        now_s: Seconds,
        settings: Settings = DEFAULTS,
        *,
        spared: Collection[str] = (),
        usage_of: UsageOf = nothing_used,
        left_out: AbstractSet[str] = frozenset(),
    ) -> None:
        self.snapshot, self.settings = snapshot, settings
        self.spared = frozenset(spared)  # nobody may send them back
        self.lines = Lines(snapshot, now_s, usage_of, left_out)
        self.holders = Holders.of(snapshot)
        self.sites = Sites(snapshot, balanced=settings.balanced)
        self.tried: dict[str, Tried] = {}  # those whose search for flavors goes on in the next cycle, and from where
        self.preemptors: dict[str, Counts] = {}  # those that wait for others that they sent back, and at which size
        self._leaving = {each.name for each in self.holders if each.evicted}
        stops = ((name, queue.stop_policy) for name, queue in sorted(snapshot.queues.items()))
        self._stopped = [("queue", name) for name, policy in stops if policy is StopPolicy.HOLD_AND_DRAIN]
        self._damaged = [name for name in sorted(snapshot.gangs) if snapshot.state_of(name).unhealthy_nodes]
        off = (name for name, gang in sorted(snapshot.gangs.items()) if not gang.active)
        self._switched_off = tuple(name for name in off if snapshot.state_of(name).admission is not None)
        self._under: dict[Place, frozenset[str]] = {}  # root of a cohort tree -> its queues
        self.elastic = {name for name, gang in snapshot.gangs.items() if gang.elastic}
        self._checked = {name for name, queue in snapshot.queues.items() if queue.checks}

    @property
    def leaving(self) -> bool:
        """Somebody was sent back and still holds what it has."""
        return bool(self._leaving)

    # -- from outside ------------------------------------------------------------------------------------------------

    def arrive(self, gang: Gang, now_s: Seconds) -> None:
        self.snapshot.add_gang(gang)
        self.lines.arrive(gang.name, now_s)
        if gang.elastic:
            self.elastic.add(gang.name)

    def leave(self, name: str, now_s: Seconds) -> None:
        """It finished or was deleted; what it held is free for others."""
        queue = self.snapshot.gang(name).queue
        self.snapshot.remove_gang(name)
        self.elastic.discard(name)
        self._forget(name)
        self._freed(queue)

    # -- decisions -----------------------------------------------------------------------------------------------------

    def admit(self, assignment: Assignment, seats: Seats) -> None:
        admission = Admission(assignment.at_s, assignment.counts, assignment.flavors, topology=domains(seats))
        self.snapshot.admit(assignment.gang, admission)
        self.lines.leave(assignment.gang)
        self.preemptors.pop(assignment.gang, None)
        self.sites.hold(assignment.gang, seats)
        self._hold(assignment.gang)

    def send_back(self, name: str, now_s: Seconds, reason: str = PREEMPTED) -> None:
        """It is to leave. Until it has, it holds what it has."""
        state = self.snapshot.state_of(name)
        if state.evicted is None:
            self.snapshot.restore(name, changed(state, evicted=Eviction(reason, now_s)))
            self._hold(name)
            self._leaving.add(name)

    def release(self, now_s: Seconds) -> tuple[str, ...]:
        """Those that were sent back have left; they wait again, and what they held is free."""
        gone = tuple(sorted(self._leaving))
        for name in gone:
            state = self.snapshot.state_of(name)
            self.snapshot.evict(name, now_s)
            late = state.evicted is not None and state.evicted.reason in LOSES_ITS_PLACE
            queued_s = state.evicted.at_s if late and state.evicted is not None else state.queued_s
            after = changed(self.snapshot.state_of(name), queued_s=queued_s, requeue_at_s=state.requeue_at_s)
            self.snapshot.restore(name, after)
            self._forget(name)
        for name in gone:
            self.lines.arrive(name, now_s)
            self._freed(self.snapshot.gang(name).queue)
        return gone

    def drain(self, now_s: Seconds) -> tuple[str, ...]:
        """What stopped queues and switched-off gangs hold, they are to give up."""
        held = [each.name for queue in self._stopped for each in self.holders.in_queue(queue) if not each.evicted]
        for name in held:
            self.send_back(name, now_s, "ClusterQueueStopped")
        for name in self._switched_off:
            self.send_back(name, now_s, "Deactivated")
        gone, self._switched_off = (*held, *self._switched_off), ()
        return tuple(sorted(gone))

    def resize(self, name: str, admission: Admission, seats: Seats) -> Resized:
        """It holds so much from now on; what it gives up is free at once."""
        gang, state = self.snapshot.gang(name), self.snapshot.state_of(name)
        before = {} if state.admission is None else dict(state.admission.counts)
        admission = replace(admission, usage={}, topology=domains(seats))
        self.snapshot.restore(name, replace(state, admission=admission))
        self.sites.hold(name, seats)
        self._hold(name)
        if any(admission.counts[each] < count for each, count in before.items()):
            self._freed(gang.queue)
        return Resized(name, before, dict(admission.counts))

    def check(self, now_s: Seconds) -> tuple[str, ...]:
        """What admission checks say of those that hold quota: who is to try again, and who never. They are sent off."""
        gone = []
        for holder in [each for queue in sorted(self._checked) for each in self.holders.in_queue(("queue", queue))]:
            gang, state = self.snapshot.gang(holder.name), self.snapshot.state_of(holder.name)
            said = CheckState.READY if holder.evicted or state.admission is None else verdict(self.snapshot, gang)
            if said is CheckState.RETRY:
                returns = state.returns + 1
                at_s = now_s + self.settings.backoff.delay_s(returns)
                self.snapshot.restore(holder.name, replace(state, returns=returns, requeue_at_s=at_s))
                said = CheckState.REJECTED if self.settings.backoff.exhausted(returns) else said
            if said in (CheckState.RETRY, CheckState.REJECTED):
                self.send_back(holder.name, now_s, ADMISSION_CHECK)
                gone.append(holder.name)
            if said is CheckState.REJECTED:
                self.snapshot.replace_gang(gang.with_active(False))
        return tuple(gone)

    def mend(self, now_s: Seconds) -> tuple[str, ...]:
        """Gangs that lost nodes get other seats for those pods, or are sent back. Says who got some."""
        mended = []
        for name in self._damaged:
            state = self.snapshot.state_of(name)
            if state.admission is None or state.evicted is not None:
                continue
            seats = self.sites.replace_lost(self.snapshot.gang(name), state.admission, state.unhealthy_nodes)
            if isinstance(seats, Failure):
                self.send_back(name, now_s, NODE_FAILURES)
                continue
            self.sites.stays_behind(name, state.unhealthy_nodes)
            admission = replace(state.admission, topology=domains(seats))
            self.snapshot.restore(name, replace(state, admission=admission, unhealthy_nodes=frozenset()))
            self.sites.hold(name, seats)
            mended.append(name)
        self._damaged = []
        return tuple(mended)

    # -- keeping in step -----------------------------------------------------------------------------------------------

    def _hold(self, name: str) -> None:
        holder = holder_of(self.snapshot, name)
        if holder is None:
            self.holders.drop(name)
        else:
            self.holders.add(holder)

    def _forget(self, name: str) -> None:
        self.lines.leave(name)
        self.preemptors.pop(name, None)
        self.tried.pop(name, None)
        self.holders.drop(name)
        self.sites.leave(name)
        self._leaving.discard(name)

    def _freed(self, queue: str | None) -> None:
        """Who shares a cohort tree with the queue may fit now."""
        if queue is not None:
            tree = self.snapshot.quota_tree
            root = tree.root(("queue", queue))
            if root not in self._under:
                self._under[root] = frozenset(name for _, name in queues_under(tree, root))
            self.lines.wake(self._under[root])


def queues_under(tree: QuotaTree, place: Place) -> Iterator[Place]:
    """Every queue of the subtree, the place itself if it is one."""
    if place[0] == "queue":
        yield place
    for child in tree.children(place):
        yield from queues_under(tree, child)
