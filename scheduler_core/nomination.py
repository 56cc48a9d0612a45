"""One waiting gang weighed: may it be let in, by sending whom back, and if not, why not. Nothing is changed.

Flavors are chosen first (`flavors.py`), asking this module whether somebody could be sent back for a flavor; then seats
where a flavor has a topology; then the victims for the choice as a whole. A gang that may be smaller is tried at its
full size and then, by halves, at the largest that does.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from scheduler_core.assigning import Oracle, Search, Tried, assign
from scheduler_core.bid import Bid, Ground, PlacedWithout
from scheduler_core.explanation import Reason
from scheduler_core.flavors import Books, Chosen, Want
from scheduler_core.fungibility import Mode, Possibility
from scheduler_core.holders import queued_since_s
from scheduler_core.lines import Turn
from scheduler_core.model import Gang
from scheduler_core.preemption_classical import classical
from scheduler_core.preemption_fair import fair
from scheduler_core.quota import FlavorResource, PreemptionRules, Queue
from scheduler_core.quota_levels import lowest_level
from scheduler_core.quota_tree import Place
from scheduler_core.sites import Seats, Sites
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import Counts, Sizes, least_counts, most_counts
from scheduler_core.state import Charge
from scheduler_core.topology import Failure
from scheduler_core.victims import Cause, Victim

_FIT, _PREEMPT, _NO_FIT = Mode
_WAITING, _NO_SEATS = Reason.WAITING_FOR_QUOTA, Reason.TOPOLOGY_PLACEMENT_FAILED
_NO_RULES = PreemptionRules()
_NOBODY: frozenset[str] = frozenset()
_AS_IT_IS = nullcontext()


class Nomination(NamedTuple):
    """What a cycle may do for a gang, as things stood when it was weighed."""

    gang: Gang
    turn: Turn
    mode: Mode
    counts: Counts
    flavors: Chosen = {}
    usage: Charge = {}
    borrowing: int = 0
    victims: tuple[Victim, ...] = ()
    seats: Seats = ()
    reason: Reason | None = None  # why it cannot be let in at once
    detail: str = ""
    tried: Tried = {}  # where the search for flavors ended
    unseated: bool = False  # it has quota; whether it has seats is asked when its turn comes

    @property
    def name(self) -> str:
        return self.gang.name

    @property
    def place(self) -> Place | None:
        return None if self.gang.queue is None else ("queue", self.gang.queue)

    @property
    def does(self) -> bool:
        """It can be let in, now or once its victims have left."""
        return self.mode is _FIT or bool(self.victims)

    @property
    def names_of_victims(self) -> frozenset[str]:
        return frozenset(each.gang for each in self.victims) if self.victims else _NOBODY


def victims_of(ground: Ground, bid: Bid) -> tuple[Victim, ...]:
    if bid.queue.preemption == _NO_RULES:
        return ()
    return fair(ground, bid) if ground.settings.fair_sharing else classical(ground, bid)


class Nominating:
    """Weighs gangs on one ground. `evaluations` counts how often a gang was weighed whole at one size: its flavors and
    quota, and its seats or whom it would send back."""

    def __init__(self, snapshot: Snapshot, ground: Ground, sites: Sites) -> None:
        self._snapshot, self._ground, self._sites = snapshot, ground, sites
        self.evaluations = 0

    def nominate(
        self,
        gang: Gang,
        when: Turn,
        *,
        only: Chosen | None = None,
        at_most: Counts | None = None,
        ground: Ground | None = None,
        tried: Tried | None = None,
        seats_later: bool = False,
    ) -> Nomination:
        """On no other flavors than `only`, at no larger size than `at_most`, going on after `tried`, where given.

        A size that others were sent back for is not exceeded afterwards: what a gang may take back from others at a
        small size it may have to give back at a large one, and so on for ever. With `seats_later`, who has quota for
        all of it is not seated yet (`seat`): of many that are weighed on one state, most would find their seats taken.
        """
        least, most = least_counts(self._snapshot, gang), at_most or most_counts(self._snapshot, gang)
        weigh = _Weighing(self._snapshot, ground or self._ground, self._sites, gang, when, only, tried or {})
        weigh.seats_later = seats_later
        best = weigh.at(most)
        if best.unseated:
            return best
        weigh.seats_later = False
        if not best.does and least != most:
            smaller = Sizes(least, most)
            low, high = 1, len(smaller) - 1
            while low <= high:
                middle = (low + high) // 2
                found = weigh.at(smaller[middle])
                if found.does:
                    best, high = found, middle - 1
                else:
                    low = middle + 1
        self.evaluations += weigh.times
        return best

    def seat(self, head: Nomination, ground: Ground) -> Nomination:
        """The other half of it, now that its turn has come: seats, or whom it would send back for them."""
        if least_counts(self._snapshot, head.gang) != head.counts:
            again = self.nominate(head.gang, head.turn, only=head.flavors, at_most=head.counts, ground=ground)
            return again._replace(tried=head.tried)
        weigh = _Weighing(self._snapshot, ground, self._sites, head.gang, head.turn, head.flavors, head.tried)
        found = weigh.seat(head)
        self.evaluations += weigh.times
        return found


class _Weighing:
    """One gang, at one size after another."""

    def __init__(
        self,
        snapshot: Snapshot,
        ground: Ground,
        sites: Sites,
        gang: Gang,
        when: Turn,
        only: Chosen | None,
        tried: Tried,
    ) -> None:
        self._snapshot, self._ground, self._sites = snapshot, ground, sites
        self._gang, self._turn, self._only, self._tried = gang, when, only, tried
        self._queued_s = queued_since_s(gang, snapshot.state_of(gang.name))
        self._by_quota: dict[object, tuple[Victim, ...]] = {}  # what is wanted -> whom quota alone would send back
        self.times = 0
        self.seats_later = False

    def at(self, counts: Counts) -> Nomination:
        self.times += 1
        if self._gang.queue is None:
            return self.seated(Nomination(self._gang, self._turn, _FIT, counts))
        queue = self._ground.queues[self._gang.queue]
        if not self._snapshot.charge_of(self._gang.name):
            return self._with_flavors(queue, counts)
        with self._without_its_own(queue):
            return self._with_flavors(queue, counts)

    def seat(self, found: Nomination) -> Nomination:
        """It has quota, at the size that was found."""
        self.times += 1
        with self._without_its_own(None if found.gang.queue is None else self._ground.queues[found.gang.queue]):
            return self.seated(found._replace(unseated=False))

    def _without_its_own(self, queue: Queue | None) -> AbstractContextManager[None]:
        """It is weighed with all that it has, as though it had nothing yet."""
        held = None if queue is None else self._snapshot.charge_of(self._gang.name)
        return _AS_IT_IS if not held or queue is None else self._ground.pencil.without([(("queue", queue.name), held)])

    def _with_flavors(self, queue: Queue, counts: Counts) -> Nomination:
        pencil = self._ground.pencil
        wants = [Want(each, counts[each.name]) for each in self._gang.pod_sets]
        books = Books(pencil.tree, pencil.usage, self._snapshot.flavors, self._snapshot.topologies)
        fair_sharing = self._ground.settings.fair_sharing
        assigned = assign(Search(books, queue, self._possibility(queue), fair_sharing, self._only, self._tried), wants)
        found = Nomination(
            self._gang, self._turn, assigned.mode, counts, assigned.flavors, assigned.usage, assigned.borrowing,
            reason=_WAITING if assigned.mode is _PREEMPT else assigned.reason,
            detail=assigned.detail, tried=assigned.tried,
        )  # fmt: skip
        if found.mode is _FIT:
            return found._replace(unseated=True) if self.seats_later and self._sites else self.seated(found)
        return self._with_victims(found, queue, assigned.short) if found.mode is _PREEMPT else found

    def seated(self, found: Nomination) -> Nomination:
        """Who has quota, with seats, or with those who would have to leave them."""
        if not self._sites:
            return found
        queue = None if found.gang.queue is None else self._ground.queues[found.gang.queue]
        found = self._seated(found, queue)
        return self._with_victims(found, queue, frozenset()) if queue and found.mode is _PREEMPT else found

    def _on_sites(self, usage: Charge) -> frozenset[FlavorResource]:
        """With a topology all of it is short: whoever holds any may stand where the gang would."""
        return frozenset(key for key in usage if self._sites.has(key.flavor))

    def _seated(self, found: Nomination, queue: Queue | None) -> Nomination:
        """Quota is there. Where no seats are, sending others back may help, unless an empty cluster had none either."""
        seats = self._sites.find(self._gang, found.counts, found.flavors)
        if not isinstance(seats, Failure):
            return found._replace(seats=seats)
        ever = queue is not None and not isinstance(
            self._sites.find(self._gang, found.counts, found.flavors, empty=True), Failure
        )
        mode = _PREEMPT if ever else _NO_FIT
        return found._replace(mode=mode, reason=_NO_SEATS, detail=seats.message)

    def _with_victims(self, found: Nomination, queue: Queue, short: frozenset[FlavorResource]) -> Nomination:
        short |= self._on_sites(found.usage)
        if found.reason is not _NO_SEATS and self._sites:
            seats = self._sites.find(self._gang, found.counts, found.flavors, empty=True)
            if isinstance(seats, Failure):
                return found._replace(mode=_NO_FIT, reason=_NO_SEATS, detail=seats.message)
        bid = Bid(self._gang, queue, self._queued_s, found.usage, short, self._placed_without(found))
        victims = self._victims(bid)
        if not victims:
            return found
        seats = self._seats_without(found, [each.gang for each in victims])
        seated = None if found.reason is _WAITING else found.reason
        return found._replace(victims=victims, seats=seats, reason=seated)

    def _victims(self, bid: Bid) -> tuple[Victim, ...]:
        """A gang of one resource is asked the same twice: for the flavor, and for the choice as a whole."""
        if bid.placed_without is not None:
            return victims_of(self._ground, bid)
        asked = (tuple(sorted(bid.wants.items())), bid.short)
        if asked not in self._by_quota:
            self._by_quota[asked] = victims_of(self._ground, bid)
        return self._by_quota[asked]

    def _placed_without(self, found: Nomination) -> PlacedWithout | None:
        if not self._sites:
            return None
        return lambda names: not isinstance(self._find_without(found, names), Failure)

    def _seats_without(self, found: Nomination, names: Sequence[str]) -> Seats:
        seats = self._find_without(found, names) if self._sites else ()
        return () if isinstance(seats, Failure) else seats

    def _find_without(self, found: Nomination, names: Sequence[str]) -> Seats | Failure:
        with self._sites.without(names):
            return self._sites.find(self._gang, found.counts, found.flavors)

    def _possibility(self, queue: Queue) -> Oracle:
        """Could somebody be sent back for so much of one flavor, and how far up would it reach for quota then?"""
        ground, place = self._ground, ("queue", queue.name)
        tree, usage = ground.pencil.tree, ground.pencil.usage

        def ask(key: FlavorResource, quantity: int) -> tuple[Possibility, int]:
            bid = Bid(self._gang, queue, self._queued_s, {key: quantity}, frozenset((key,)))
            victims = self._victims(bid)
            if not victims:
                return Possibility.NO_CANDIDATES, lowest_level(tree, place, key, quantity, usage)[0]
            holders = [ground.holders.named(each.gang) for each in victims]
            with ground.pencil.without((each.queue, each.charge) for each in holders):
                level = lowest_level(tree, place, key, quantity, usage)[0]
            own = any(each.cause is Cause.IN_QUEUE for each in victims)
            return (Possibility.PREEMPT if own else Possibility.RECLAIM), level

        return ask
