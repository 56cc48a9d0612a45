"""Whom a gang may send back where shares are to be fair: Kueue's preemptive fair sharing (KEP-1714), at any depth.

From the root down, the child with the largest share is entered, until a queue is reached; its first candidate is
weighed. Two shares are compared: the gang's side with the gang, and the victim's side, each at the child of the lowest
cohort that both stand under. The first strategy decides; what it turned down, the second may still allow. A gang whose
queue stays within its nominal quota with it takes that back whatever the shares are.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from scheduler_core.bid import Bid, Ground
from scheduler_core.holders import Holder, Order
from scheduler_core.quota import Policy
from scheduler_core.quota_tree import Place, QuotaTree
from scheduler_core.removal import Removal
from scheduler_core.settings import FairStrategy
from scheduler_core.shares import Share
from scheduler_core.victims import Cause, Victim

Lines = Mapping[Place, list[Holder]]
Allows = Callable[[Share, Share, Share], bool]  # the gang's side with it, the victim's side with and without the victim

STRATEGIES: Mapping[FairStrategy, Allows] = {
    FairStrategy.FINAL_SHARE: lambda ours, _, left: ours.order <= left.order,
    FairStrategy.INITIAL_SHARE: lambda ours, held, _: ours.order < held.order,
}


def fair(ground: Ground, bid: Bid) -> tuple[Victim, ...]:
    """As few as make room, or nobody. Only for a gang that does not fit as it is."""
    candidates = _candidates(ground, bid)
    if not candidates:
        return ()
    search = _Search(ground, bid)
    found = search.enough(candidates)
    return tuple(Victim(each.name, search.causes[each.name]) for each in found)


def _candidates(ground: Ground, bid: Bid) -> list[Holder]:
    """Of its own queue, and of every queue of the tree that borrows what is short."""
    rules, found = bid.queue.preemption, []
    if rules.within_queue is not Policy.NEVER:
        own = ground.holders.in_queue(bid.place)
        found += [each for each in own if ground.may_go(bid, each, rules.within_queue)]
    tree = ground.pencil.tree
    root = tree.root(bid.place)
    if rules.reclaim is not Policy.NEVER and root != bid.place:
        for queue in queues_under(tree, root):
            if queue != bid.place and not ground.pencil.within_nominal(queue, bid.short):
                theirs = ground.holders.in_queue(queue)
                found += [each for each in theirs if ground.may_go(bid, each, rules.reclaim)]
    return found


class _Search:
    def __init__(self, ground: Ground, bid: Bid) -> None:
        self._ground, self._bid = ground, bid
        self._tree, self._share = ground.pencil.tree, ground.pencil.share
        self._removal = Removal(ground, bid)
        self._ours = frozenset(self._tree.above(bid.place))
        self.causes: dict[str, Cause] = {}

    def enough(self, candidates: list[Holder]) -> list[Holder]:
        """Shares count the gang in; whether it fits is asked without it."""
        pencil, place, wants = self._ground.pencil, self._bid.place, self._bid.wants
        strategies = [STRATEGIES[each] for each in self._ground.settings.fair_strategies]
        with pencil.with_more(place, wants):
            turned_down: list[Holder] = []
            fits = self._first(candidates, strategies[0], turned_down)
            if not fits and len(strategies) > 1:
                fits = self._second(turned_down, strategies[1])
        needed = self._removal.needed() if fits else []
        self._removal.rub_out()
        return needed

    def _first(self, candidates: list[Holder], allows: Allows, turned_down: list[Holder]) -> bool:
        entitled = self._ground.pencil.within_nominal(self._bid.place, self._bid.short)
        lines = _by_queue(candidates)
        for queue in self._targets(lines):
            if queue == self._bid.place or entitled:
                if self._take(lines[queue].pop(0)):
                    return True
                continue
            while lines[queue]:
                holder = lines[queue].pop(0)
                if self._allowed(holder, allows):
                    if self._take(holder, Cause.FAIR_SHARING):
                        return True
                    break  # the shares are others now, and so may be the queue to look at
                turned_down.append(holder)
        return False

    def _second(self, turned_down: list[Holder], allows: Allows) -> bool:
        """Of each queue the first that was turned down, and no more."""
        lines = _by_queue(turned_down)
        for queue in self._targets(lines):
            holder = lines[queue][0]
            lines[queue] = []
            if self._allowed(holder, allows) and self._take(holder, Cause.FAIR_SHARING):
                return True
        return False

    def _allowed(self, holder: Holder, allows: Allows) -> bool:
        ours, theirs = self._sides(holder.queue)
        held = self._share(theirs)
        with self._ground.pencil.without([(holder.queue, holder.charge)]):
            left = self._share(theirs)
        return allows(self._share(ours), held, left)

    def _take(self, holder: Holder, cause: Cause | None = None) -> bool:
        own = holder.queue == self._bid.place
        self.causes[holder.name] = cause or (Cause.IN_QUEUE if own else Cause.RECLAIM)
        self._removal.take(holder)
        with self._ground.pencil.without([(self._bid.place, self._bid.wants)]):
            return self._removal.fits()

    def _sides(self, queue: Place) -> tuple[Place, Place]:
        """The children, towards the gang and towards the victim, of the lowest cohort that both are under."""
        shared = next(cohort for cohort in self._tree.above(queue) if cohort in self._ours)
        return _below(shared, self._bid.place, self._tree), _below(shared, queue, self._tree)

    # -- which queue next ----------------------------------------------------------------------------------------------

    def _targets(self, lines: Lines) -> Iterator[Place]:
        """As long as a queue has candidates and something lent to it, the one with the largest share at every level.

        The caller takes at least one candidate out of a queue before it asks for the next.
        """
        root = self._tree.root(self._bid.place)
        if root == self._bid.place:
            while lines.get(root):
                yield root
            return
        while (queue := self._largest(root, lines)) is not None:
            yield queue

    def _largest(self, cohort: Place, lines: Lines) -> Place | None:
        """A cohort goes before a queue of the same share, since what is most unfair in it can be picked out."""
        best = self._largest_queue(cohort, lines)
        at_least = None if best is None else self._share(best).order
        for child in self._tree.children(cohort):
            if child[0] == "queue":
                continue
            share = self._share(child)
            if (share.borrowed or child in self._ours) and (at_least is None or at_least <= share.order):
                inside = self._largest(child, lines)
                if inside is not None:
                    best, at_least = inside, share.order
        return best

    def _largest_queue(self, cohort: Place, lines: Lines) -> Place | None:
        """Of equal shares the one whose first candidate would go first."""
        found = []
        for queue in self._tree.children(cohort):
            if lines.get(queue):
                share = self._share(queue)
                if share.borrowed or queue == self._bid.place:
                    found.append((share.order, queue))
        if not found:
            return None
        most = max(order for order, _ in found)
        return min((queue for order, queue in found if order == most), key=lambda queue: self._turn(lines[queue][0]))

    def _turn(self, holder: Holder) -> tuple[bool, bool, Order]:
        return (holder.order[0], holder.queue == self._bid.place, holder.order)


def queues_under(tree: QuotaTree, cohort: Place) -> Iterator[Place]:
    """Every queue of the subtree."""
    for child in tree.children(cohort):
        if child[0] == "queue":
            yield child
        else:
            yield from queues_under(tree, child)


def _by_queue(candidates: Iterable[Holder]) -> dict[Place, list[Holder]]:
    lines: dict[Place, list[Holder]] = {}
    for each in candidates:
        lines.setdefault(each.queue, []).append(each)
    return lines


def _below(cohort: Place, queue: Place, tree: QuotaTree) -> Place:
    at = queue
    for above in tree.above(queue):
        if above == cohort:
            return at
        at = above
    raise AssertionError(f"{queue} does not stand under {cohort}")
