"""What a gang's quota hangs on, at any depth of the tree, and by how much each limit or usage would have to move.

A request climbs from its queue to the root; on the way each borrowing limit may stop it, and at the top what the root
has and what its members use. Lending limits of others are felt as a root that has too little. Two answers are worked
out, each enough and none of it too much: which limits to raise (`raised`), and how much usage must end where
(`freed`). The balances are kept here on a copy of one flavor and resource, so that limits can be moved on trial; the
formulas are `quota_tree.py`'s. Cost: a pass over the tree for every limit or queue that is moved.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from scheduler_core.quota import FlavorResource, Quota
from scheduler_core.quota_tree import Place, QuotaTree, Usage

QuotaOf = Callable[[Place, FlavorResource], Quota | None]


class Means(StrEnum):
    BORROWING = "borrowing limit"
    LENDING = "lending limit"
    NOMINAL = "nominal quota"
    USAGE = "usage"


@dataclass(frozen=True)
class Lever:
    """A limit that is raised, or usage that ends, by so much."""

    means: Means
    place: Place
    key: FlavorResource
    amount: int


class Ledger:
    """One flavor and resource of the tree around a queue."""

    def __init__(self, tree: QuotaTree, quota_of: QuotaOf, usage: Usage, queue: Place, key: FlavorResource) -> None:
        self.key, self.queue = key, queue
        self.way = [queue, *tree.above(queue)]  # from the queue to the root
        self.parent = {place: tree.parent(place) for place in self._below(tree, self.way[-1])}
        self.children = {place: sorted(tree.children(place)) for place in self.parent}
        self.nominal: dict[Place, int] = {}
        self.borrowing: dict[Place, int | None] = {}
        self.lending: dict[Place, int | None] = {}
        for place in self.parent:
            quota = quota_of(place, key)
            self.nominal[place] = 0 if quota is None else quota.nominal
            self.borrowing[place] = None if quota is None else quota.borrowing_limit
            self.lending[place] = None if quota is None else quota.lending_limit
        self.held = {place: usage.get((place, key), 0) for place in self.parent if place[0] == "queue"}
        self.subtree: dict[Place, int] = {}
        self.local: dict[Place, int] = {}
        self.used: dict[Place, int] = {}
        self.settle()

    @staticmethod
    def _below(tree: QuotaTree, root: Place) -> list[Place]:
        """Children before their parents."""
        found = [root]
        for place in found:
            found.extend(tree.children(place))
        return found[::-1]

    def settle(self) -> None:
        """Every balance anew."""
        for place in self.parent:
            below, limit = self.children[place], self.lending[place]
            self.subtree[place] = self.nominal[place] + sum(self.subtree[c] - self.local[c] for c in below)
            self.local[place] = 0 if limit is None else max(0, self.subtree[place] - limit)
            passed = sum(max(0, self.used[c] - self.local[c]) for c in below)
            self.used[place] = self.held[place] if place[0] == "queue" else passed

    def kept(self, place: Place) -> int:
        """Idle, and not lent."""
        return max(0, self.local[place] - self.used[place])

    def short(self, wanted: int) -> Iterator[tuple[Place, int]]:
        """By how much each borrowing limit on the way, and last the root, falls short; negative where there is room."""
        for place in self.way[:-1]:
            wanted -= self.kept(place)
            limit = self.borrowing[place]
            if limit is not None:
                stored = self.subtree[place] - self.local[place]
                yield place, wanted - (stored - max(0, self.used[place] - self.local[place]) + limit)
        yield self.way[-1], wanted - (self.subtree[self.way[-1]] - self.used[self.way[-1]])

    def root_short(self, wanted: int) -> int:
        *_, (_, short) = self.short(wanted)
        return short


def raised(ledger: Ledger, wanted: int) -> tuple[Lever, ...]:
    """The limits to raise. The ledger is afterwards as though they were."""
    levers = _lent(ledger, wanted)
    short = ledger.root_short(wanted)
    if short > 0:
        root = ledger.way[-1]
        ledger.nominal[root] += short
        ledger.settle()
        levers = [*levers, Lever(Means.NOMINAL, root, ledger.key, short)]
    for place, lacks in list(ledger.short(wanted)):
        limit = ledger.borrowing[place]
        if lacks > 0 and limit is not None:
            ledger.borrowing[place] = limit + lacks
            levers.append(Lever(Means.BORROWING, place, ledger.key, lacks))
    return tuple(levers)


def own_nominal(ledger: Ledger, wanted: int) -> Lever:
    """The one limit that always helps: what the queue has of its own."""
    most = max(short for _, short in ledger.short(wanted))
    return Lever(Means.NOMINAL, ledger.queue, ledger.key, most)


def freed(ledger: Ledger, wanted: int) -> tuple[Lever, ...]:
    """How much usage must end in which queues, those that borrow most first. The ledger is then as though it had."""
    ended: dict[Place, int] = {}
    for index in range(len(ledger.way)):
        inside = ledger.way[index]
        while (lacks := dict(ledger.short(wanted)).get(inside, 0)) > 0:
            reach = {queue: _reach(ledger, queue) for queue in ledger.held if _is_below(ledger, queue, inside)}
            able = [queue for queue, amount in reach.items() if amount > 0]
            if not able:
                break
            queue = min(able, key=lambda each: (ledger.subtree[each] - ledger.used[each], each))
            amount = min(lacks, reach[queue])
            ended[queue] = ended.get(queue, 0) + amount
            ledger.held[queue] -= amount
            ledger.settle()
    return tuple(Lever(Means.USAGE, queue, ledger.key, amount) for queue, amount in sorted(ended.items()))


def _reach(ledger: Ledger, queue: Place) -> int:
    """How much of its usage is felt on the way of the request: what places off the way never lend shields the rest."""
    amount, place = ledger.used[queue], queue
    while place not in ledger.way:
        amount = min(amount, max(0, ledger.used[place] - ledger.local[place]))
        above = ledger.parent[place]
        if above is None:
            return 0
        place = above
    return amount


def _is_below(ledger: Ledger, queue: Place, place: Place) -> bool:
    at: Place | None = queue
    while at is not None and at != place:
        at = ledger.parent[at]
    return at == place


# -- what others keep back ---------------------------------------------------------------------------------------------


def _lent(ledger: Ledger, wanted: int) -> list[Lever]:
    """Lending limits of others, raised, where that alone gives the root enough; else none of them."""
    short = ledger.root_short(wanted)
    if short <= 0:
        return []
    before = dict(ledger.lending)
    for place in ledger.way[1:]:
        for child in ledger.children[place]:
            if child not in ledger.way and short > 0:
                _draw(ledger, child, short)
                short = ledger.root_short(wanted)
    if short > 0:
        ledger.lending = before
        ledger.settle()
        return []
    moved = [
        (place, (now or 0) - (before[place] or 0)) for place, now in ledger.lending.items() if now != before[place]
    ]
    return [Lever(Means.LENDING, place, ledger.key, amount) for place, amount in sorted(moved)]


def _draw(ledger: Ledger, place: Place, wanted: int) -> int:
    """More out of a place into the one above it, at most so much; says how much."""
    got = _let_go(ledger, place, wanted)
    for child in sorted(ledger.children[place], key=lambda each: (-ledger.kept(each), each)):
        if got < wanted:
            got += _draw(ledger, child, wanted - got)
            _let_go(ledger, place, ledger.kept(place))
    return got


def _let_go(ledger: Ledger, place: Place, wanted: int) -> int:
    amount, limit = min(wanted, ledger.kept(place)), ledger.lending[place]
    if amount and limit is not None:
        ledger.lending[place] = limit + amount
        ledger.settle()
    return amount
