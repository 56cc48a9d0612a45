"""Usage in pencil: a working copy of what every place uses, written over and rubbed out while decisions are weighed.

A snapshot's journal takes back everything, pods and nodes too; weighing victims needs quota alone, many thousand times
a cycle. The arithmetic is `QuotaTree`'s: adding what was taken off gives back exactly what was there before.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from scheduler_core.quota import FlavorResource
from scheduler_core.quota_levels import exceeds_with, within_quota
from scheduler_core.quota_tree import Place, QuotaTree, Usage
from scheduler_core.shares import Share, share
from scheduler_core.state import Charge


class Pencil:
    def __init__(self, tree: QuotaTree, usage: Usage) -> None:
        self.tree = tree
        self.usage: dict[tuple[Place, FlavorResource], int] = dict(usage)

    def add(self, queue: Place, charge: Charge, sign: int = 1) -> None:
        for key, amount in charge.items():
            for at, changed, value in self.tree.charge(queue, key, sign * amount, self.usage):
                self.usage[at, changed] = value

    def take(self, queue: Place, charge: Charge) -> None:
        self.add(queue, charge, -1)

    @contextmanager
    def without(self, charges: Iterable[tuple[Place, Charge]]) -> Iterator[None]:
        gone = list(charges)
        for queue, charge in gone:
            self.take(queue, charge)
        try:
            yield
        finally:
            for queue, charge in reversed(gone):
                self.add(queue, charge)

    @contextmanager
    def with_more(self, queue: Place, charge: Charge) -> Iterator[None]:
        self.add(queue, charge)
        try:
            yield
        finally:
            self.take(queue, charge)

    # -- reading ---------------------------------------------------------------------------------------------------

    def fits(self, queue: Place, wants: Charge) -> bool:
        return all(amount <= self.tree.available(queue, key, self.usage) for key, amount in wants.items())

    def borrows_with(self, place: Place, wants: Charge) -> bool:
        """Beyond what its subtree has of its own, once it has these too."""
        return any(exceeds_with(self.tree, place, key, amount, self.usage) for key, amount in wants.items())

    def within_nominal(self, place: Place, keys: Collection[FlavorResource]) -> bool:
        """It holds no more of any of these than its subtree has of its own."""
        return within_quota(self.tree, place, keys, self.usage)

    def share(self, place: Place) -> Share:
        return share(self.tree, place, self.usage)
