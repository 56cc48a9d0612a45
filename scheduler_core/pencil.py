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
        self._over: dict[tuple[Place, FlavorResource], set[Place]] | None = None

    def copy(self) -> "Pencil":
        return Pencil(self.tree, self.usage)

    def add(self, queue: Place, charge: Charge, sign: int = 1) -> None:
        """As `QuotaTree.charge` counts it, written in place."""
        usage, over = self.usage, self._over
        for key, wanted in charge.items():
            amount = sign * wanted
            for at, subtree, local, _ in reversed(self.tree.way(queue, key)):
                if not amount:
                    break
                before = usage.get(at, 0)
                after = usage[at] = before + amount
                if over is not None and (before > subtree) is not (after > subtree):
                    self._note(*at, after)
                if before < local or after < local:  # else all of it reaches the parent
                    amount = max(0, after - local) - max(0, before - local)

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

    def _note(self, place: Place, key: FlavorResource, used: int) -> None:
        parent = self.tree.parent(place)
        if parent is not None and self._over is not None:
            over = self._over.setdefault((parent, key), set())
            if used > self.tree.subtree(place, key):
                over.add(place)
            else:
                over.discard(place)

    def over_nominal(self, cohort: Place, keys: Collection[FlavorResource]) -> list[Place]:
        """What stands right under a cohort and holds more of any of these than is its own, by name.

        Kept in step once it was asked for: few borrow, and a cohort may have a thousand queues.
        """
        if self._over is None:
            self._over = {}
            for (place, key), used in self.usage.items():
                self._note(place, key, used)
        found = [places for key in keys if (places := self._over.get((cohort, key)))]
        return sorted(set().union(*found)) if found else []

    # -- reading ---------------------------------------------------------------------------------------------------

    def fits(self, queue: Place, wants: Charge) -> bool:
        available, usage = self.tree.available, self.usage
        for key, amount in wants.items():  # noqa: SIM110 -- asked many thousand times a second
            if amount > available(queue, key, usage):
                return False
        return True

    def borrows_with(self, place: Place, wants: Charge) -> bool:
        """Beyond what its subtree has of its own, once it has these too."""
        return any(exceeds_with(self.tree, place, key, amount, self.usage) for key, amount in wants.items())

    def within_nominal(self, place: Place, keys: Collection[FlavorResource]) -> bool:
        """It holds no more of any of these than its subtree has of its own."""
        return within_quota(self.tree, place, keys, self.usage)

    def share(self, place: Place) -> Share:
        return share(self.tree, place, self.usage)
