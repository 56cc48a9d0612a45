"""The admission cycle as Kueue runs it: quota and topology, preemption, fair sharing. Read `cycle` from top to bottom.

Every queue sends its first gang (or, asked for, all that wait). They are weighed on the state before the cycle and
decided one after the other. Who must send others back does so and waits: the victims keep their quota until they have
left (`Desk.release`), and what the gang will take is kept for it for the rest of the cycle. Who comes later and finds
its victims or its quota gone is weighed again or skipped, and comes again in the next cycle.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from scheduler_core.assigning import left_to_try
from scheduler_core.bid import Ground
from scheduler_core.desk import Desk
from scheduler_core.elastic import Resized
from scheduler_core.explanation import Reason
from scheduler_core.fairness import classical_order, fair_order
from scheduler_core.fungibility import Mode
from scheduler_core.lines import turn
from scheduler_core.model import Seconds
from scheduler_core.nomination import Nominating, Nomination
from scheduler_core.pencil import Pencil
from scheduler_core.quota import Policy, by_key
from scheduler_core.resizing import grow, shrink
from scheduler_core.settings import CYCLES_LIMIT
from scheduler_core.sites import Seats
from scheduler_core.start import Assignment
from scheduler_core.state import Charge
from scheduler_core.victims import Cause

_FIT, _PREEMPT, _NO_FIT = Mode
SENT_BACK_AT_MOST = 16  # times one gang in one run; rules that contradict each other end here, not in a hung scheduler


@dataclass
class Round:
    """What one cycle did, or several told as one."""

    admitted: list[Assignment] = field(default_factory=list)
    preempted: dict[str, tuple[Cause, str]] = field(default_factory=dict)  # victim -> why, and for whom
    why: dict[str, Reason] = field(default_factory=dict)  # heads that were not let in
    parked: list[str] = field(default_factory=list)  # heads; all that are like them are parked with them
    evaluations: int = 0
    resized: list[Resized] = field(default_factory=list)  # elastic gangs that follow the size they wish for
    searching: bool = False  # somebody has flavors left to look at, and comes again at once

    @property
    def changed(self) -> bool:
        return bool(self.admitted or self.preempted or self.parked or self.searching or self.resized)

    def add(self, other: "Round") -> None:
        self.admitted += other.admitted
        self.preempted.update(other.preempted)
        self.why.update(other.why)
        self.parked += other.parked
        self.resized += other.resized
        self.evaluations += other.evaluations


def run(desk: Desk, now_s: Seconds, cycles: int | None = None) -> Round:
    """So many cycles, or until nothing changes. Who was sent back has left before the next cycle begins."""
    total, returns, spared = Round(), Counter[str](), desk.spared
    try:
        return _run(desk, now_s, cycles, total, returns)
    finally:
        desk.spared = spared


def _run(desk: Desk, now_s: Seconds, cycles: int | None, total: Round, returns: Counter[str]) -> Round:
    for number in range(CYCLES_LIMIT if cycles is None else cycles):
        gone = desk.release(now_s) if number else ()
        result = cycle(desk, now_s)
        total.add(result)
        returns.update(result.preempted.keys())
        desk.spared |= {name for name in result.preempted if returns[name] >= SENT_BACK_AT_MOST}
        if not (result.changed or gone or desk.leaving):
            return total
    if cycles is None:
        raise RuntimeError(f"the schedule did not settle within {CYCLES_LIMIT} cycles")
    return total


def cycle(desk: Desk, now_s: Seconds) -> Round:
    resized = shrink(desk)  # before anything is weighed: what they give up is there for all
    result = _Cycle(desk, now_s).run()
    result.resized[:0] = resized
    return result


def decide(desk: Desk, name: str, now_s: Seconds) -> Nomination:
    """What a cycle would do for this gang alone, as things stand."""
    return _Cycle(desk, now_s).nominate(name)


class _Cycle:
    def __init__(self, desk: Desk, now_s: Seconds) -> None:
        self._desk, self._now_s = desk, now_s
        snapshot = desk.snapshot
        self._now = Pencil(snapshot.quota_tree, snapshot.usage)  # victims of this cycle still hold what they have
        self._after = self._now  # once they have left; the same sheet until somebody is sent back
        self._ground = Ground(self._now, desk.holders, snapshot.queues, now_s, desk.settings, desk.spared)
        self._nominating = Nominating(snapshot, self._ground, desk.sites)
        self._gone: set[str] = set()
        self._one_by_one = desk.settings.heads != 1  # then nobody is told to come again for what one look can settle
        self._kept: list[str] = []
        self.result = Round()

    def run(self) -> Round:
        # 1. Back-offs that are over; who holds quota that its queue takes back is sent off; lost seats are replaced.
        self._desk.lines.wake_on_time(self._now_s)
        self._desk.lines.turn_anew()
        self._desk.drain(self._now_s)
        self._desk.check(self._now_s)
        self._desk.mend(self._now_s)

        # 2. The heads of the queues, each weighed on the state as it is.
        names = self._desk.lines.heads(self._desk.settings.heads)
        heads = [self.nominate(name, seats_later=self._one_by_one) for name in names]

        # 3. One after the other: let in, or others sent back for it, or neither.
        for index in self._order(heads):
            self._decide(heads[index])

        # 4. Seats that were kept for those that wait are free again; their quota was only pencilled in.
        for name in self._kept:
            self._desk.sites.leave(name)
        self._desk.sites.cycle_ends()
        self.result.evaluations = self._nominating.evaluations

        # 5. What nobody else could use, elastic gangs grow into.
        if not (self.result.admitted or self.result.preempted or self.result.searching or self._desk.leaving):
            self.result.resized += grow(self._desk)
        return self.result

    def nominate(self, name: str, *, seats_later: bool = False) -> Nomination:
        snapshot = self._desk.snapshot
        gang = snapshot.gang(name)
        when = turn(gang, snapshot.state_of(name))  # what its local queue used counts within its queue alone
        at_most, tried = self._desk.preemptors.get(name), self._desk.tried.get(name)
        return self._nominating.nominate(gang, when, at_most=at_most, tried=tried, seats_later=seats_later)

    def _order(self, heads: list[Nomination]) -> Iterator[int]:
        first = self._desk.preemptors
        return (
            fair_order(self._now, heads, first) if self._desk.settings.fair_sharing else classical_order(heads, first)
        )

    # -- one head ------------------------------------------------------------------------------------------------------

    def _decide(self, head: Nomination) -> None:
        self._desk.tried.pop(head.name, None)
        if head.unseated and self._has_quota(head):
            head = self._nominating.seat(head, replace(self._ground, spared=self._desk.spared | self._gone))
            if head.mode is _FIT:  # nothing has changed since
                self._admit(head)
                return
        head, overlapped = self._weighed_again(head)
        if head.mode is _NO_FIT:
            self._park(head)
        elif head.gang.preemption_gates and head.victims:
            self._park(head, Reason.HELD)
        elif head.mode is _PREEMPT and not head.victims:
            self._reserve(head)
            self._park(head)
        elif head.names_of_victims & self._gone or not self._fits(head):
            self.result.why[head.name] = Reason.WAITING_FOR_QUOTA  # and it stays where it is in its line
            self._desk.tried[head.name] = head.tried
        elif head.mode is _FIT and not overlapped:
            self._admit(head)
        else:
            self._send_back_for(head)

    def _weighed_again(self, head: Nomination) -> tuple[Nomination, bool]:
        """Its victims were taken by somebody else, or its seats: what about it now? On the same flavors as before."""
        if head.names_of_victims & self._gone:
            ground = replace(self._ground, pencil=self._after, spared=self._desk.spared | self._gone)
            with self._desk.sites.without((), leaving=True):
                again = self._again(head, ground)
            return again, True
        lost_seats = head.seats and self._has_quota(head) and not self._seats_fit(head)
        if lost_seats or (self._one_by_one and head.does and not self._fits(head)):
            ground = replace(self._ground, spared=self._desk.spared | self._gone)
            return self._again(head, ground), False
        return head, False

    def _again(self, head: Nomination, ground: Ground) -> Nomination:
        at_most = self._desk.preemptors.get(head.name)
        return self._nominating.nominate(head.gang, head.turn, only=head.flavors, at_most=at_most, ground=ground)

    def _fits(self, head: Nomination) -> bool:
        """Quota and seats, once all victims have left, its own and those of the heads before it."""
        return self._has_quota(head) and self._seats_fit(head)

    def _has_quota(self, head: Nomination) -> bool:
        if head.place is None:
            return True
        if not head.victims:
            return self._after.fits(head.place, head.usage)
        holders = (self._desk.holders.named(name) for name in sorted(head.names_of_victims - self._gone))
        leaving = [(each.queue, each.charge) for each in holders]
        with self._after.without(leaving):
            return self._after.fits(head.place, head.usage)

    def _seats_fit(self, head: Nomination) -> bool:
        if not head.seats:
            return True
        with self._desk.sites.without(sorted(head.names_of_victims - self._gone), leaving=True):
            return self._desk.sites.has_room(head.seats)

    # -- what becomes of it --------------------------------------------------------------------------------------------

    def _admit(self, head: Nomination) -> None:
        queue = None if head.place is None else head.place[1]
        flavors = {name: dict(chosen) for name, chosen in head.flavors.items()}
        assignment = Assignment(head.name, queue, dict(head.counts), flavors, {}, {}, head.borrowing > 0, self._now_s)
        self._pencil_in(head, head.usage)
        self._desk.admit(assignment, head.seats)
        self.result.admitted.append(assignment)

    def _send_back_for(self, head: Nomination) -> None:
        """It waits for its victims, or for those of another that leave enough for it, too."""
        if head.victims and self._after is self._now:
            self._after = self._now.copy()
        for victim in head.victims:
            holder = self._desk.holders.named(victim.gang)
            self._after.take(holder.queue, holder.charge)
            self._gone.add(victim.gang)
            self._desk.sites.send_off(victim.gang)
            self.result.preempted[victim.gang] = (victim.cause, head.name)
            self._desk.send_back(victim.gang, self._now_s)
        self._pencil_in(head, head.usage)
        self._keep(head.name, head.seats)
        self._desk.lines.stays_first(head.name)
        self._desk.preemptors[head.name] = head.counts
        self.result.why[head.name] = Reason.WAITING_FOR_PREEMPTED

    def _park(self, head: Nomination, why: Reason | None = None) -> None:
        self.result.why[head.name] = why or head.reason or Reason.WAITING_FOR_QUOTA
        self._desk.preemptors.pop(head.name, None)
        if left_to_try(head.tried):
            self._desk.tried[head.name] = head.tried
            self.result.searching = True
        elif self._desk.lines.park_alike(head.name):
            self.result.parked.append(head.name)

    def _reserve(self, head: Nomination) -> None:
        """Nobody may be sent back for it. What is left of its quota is not lent to others past it, unless its queue
        could take everything back from anybody."""
        queue = self._desk.snapshot.queues[str(head.gang.queue)]
        if queue.preemption.reclaim is Policy.ANY:
            return
        quotas, kept = by_key("Queue", queue.name, queue.quotas), dict(head.usage)
        for key, amount in head.usage.items():
            quota, used = quotas[key], self._now.usage.get((("queue", queue.name), key), 0)
            if head.borrowing == 0:
                kept[key] = max(0, min(amount, quota.nominal - used))
            elif quota.borrowing_limit is not None:
                kept[key] = min(amount, quota.nominal + quota.borrowing_limit - used)
        self._pencil_in(head, kept)

    def _pencil_in(self, head: Nomination, charge: Charge) -> None:
        if head.place is not None:
            self._now.add(head.place, charge)
            if self._after is not self._now:
                self._after.add(head.place, charge)

    def _keep(self, name: str, seats: Seats) -> None:
        if seats:
            self._desk.sites.hold(name, seats)
            self._kept.append(name)
