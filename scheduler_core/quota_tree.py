"""Who may use how much: queues and cohorts as one tree, with lending and borrowing limits.

The arithmetic is Kueue's. Every node of the tree keeps back `local` of its subtree's quota for itself and stores the
rest in its parent; usage reaches the parent only beyond `local`. What a queue may still take can be negative, when
quota was taken away from what already runs.
"""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from scheduler_core.errors import Invalid, Unknown
from scheduler_core.quota import Cohort, FlavorResource, Queue, Quota, by_key

COHORTS_DEEP_AT_MOST = 128  # the walks are recursive, of up to a few frames a level, and Python has 1,000

Place = tuple[str, str]  # ("queue" | "cohort", name)
Usage = Mapping[tuple[Place, FlavorResource], int]
Step = tuple[tuple[Place, FlavorResource], int, int, int | None]  # where, its subtree, local and borrowing limit


class QuotaTree:
    """The fixed side of the arithmetic: quotas and who stands under whom. Usage is the caller's, and an argument."""

    def __init__(self, queues: Iterable[Queue], cohorts: Iterable[Cohort]) -> None:
        self._parents: dict[Place, Place | None] = {}
        self._children: dict[Place, list[Place]] = {}
        self._quotas: dict[Place, dict[FlavorResource, Quota]] = {}
        self._weights: dict[Place, int | Fraction] = {}
        self._lendable: dict[Place, dict[str, int]] = {}
        self._most: dict[tuple[Place, FlavorResource], int] = {}
        self._ways: dict[tuple[Place, FlavorResource], tuple[Step, ...]] = {}
        named = {cohort.name: cohort for cohort in cohorts}
        for cohort in named.values():
            self._add(("cohort", cohort.name), cohort.parent, cohort.quotas, named, "parent")
            self._weights["cohort", cohort.name] = cohort.weight
        for queue in queues:
            self._add(("queue", queue.name), queue.cohort, queue.quotas, named, "cohort")
            self._weights["queue", queue.name] = queue.weight
        self._refuse_circles_and_depths()
        for place, above in self._parents.items():
            if above is not None:
                self._children.setdefault(above, []).append(place)
        self._subtree: dict[Place, dict[FlavorResource, int]] = {}
        self._kept: dict[tuple[Place, FlavorResource], int] = {}  # what places never lend, where there is any
        self._heights: dict[Place, int] = {}
        self._sum_subtrees()

    def _add(
        self, place: Place, parent: str | None, quotas: Iterable[Quota], cohorts: Mapping[str, Cohort], field_name: str
    ) -> None:
        kind, name = place[0].capitalize(), place[1]
        if parent is not None and parent not in cohorts:
            raise Unknown(kind, name, field_name, f"there is no cohort {parent!r}")
        self._parents[place] = None if parent is None else ("cohort", parent)
        self._quotas[place] = by_key(kind, name, quotas)

    def _refuse_circles_and_depths(self) -> None:
        for start in self._parents:
            seen, place = {start}, self._parents[start]
            while place is not None:
                if place in seen:
                    raise Invalid("Cohort", place[1], "parent", "the cohorts form a circle")
                seen.add(place)
                if len(seen) - (start[0] == "queue") > COHORTS_DEEP_AT_MOST:
                    why = f"cohorts stand more than {COHORTS_DEEP_AT_MOST} deep"
                    raise Invalid(start[0].capitalize(), start[1], "cohort" if start[0] == "queue" else "parent", why)
                place = self._parents[place]

    def _depth(self, place: Place) -> int:
        parent = self._parents[place]
        return 0 if parent is None else 1 + self._depth(parent)

    def _sum_subtrees(self) -> None:
        for place in self._parents:
            self._subtree[place] = {key: quota.nominal for key, quota in self._quotas[place].items()}
        for place in sorted(self._parents, key=self._depth, reverse=True):  # children before their parents
            parent = self._parents[place]
            for key, quota in self._quotas[place].items():
                if quota.lending_limit is not None and self._subtree[place][key] > quota.lending_limit:
                    self._kept[place, key] = self._subtree[place][key] - quota.lending_limit
            if parent is None:
                continue
            for key, subtree in self._subtree[place].items():
                lent = subtree - self.local(place, key)
                self._subtree[parent][key] = self._subtree[parent].get(key, 0) + lent

    # -- reading ---------------------------------------------------------------------------------------------------

    def parent(self, place: Place) -> Place | None:
        return self._parents[place]

    def children(self, place: Place) -> tuple[Place, ...]:
        return tuple(self._children.get(place, ()))

    def above(self, place: Place) -> Iterator[Place]:
        """Its cohorts, from its own up to the root."""
        parent = self._parents[place]
        while parent is not None:
            yield parent
            parent = self._parents[parent]

    def height(self, place: Place) -> int:
        """Steps down to the furthest leaf; a cohort with queues alone has height 1, a queue 0."""
        if place not in self._heights:
            self._heights[place] = max((1 + self.height(child) for child in self._children.get(place, ())), default=0)
        return self._heights[place]

    def weight(self, place: Place) -> int | Fraction:
        return self._weights[place]

    def keys(self, place: Place) -> tuple[FlavorResource, ...]:
        """All that the place or anything below it has a quota for."""
        return tuple(self._subtree[place])

    def places(self) -> tuple[Place, ...]:
        return tuple(self._parents)

    def root(self, place: Place) -> Place:
        parent = self._parents[place]
        return place if parent is None else self.root(parent)

    def subtree(self, place: Place, key: FlavorResource) -> int:
        return self._subtree[place].get(key, 0)

    def local(self, place: Place, key: FlavorResource) -> int:
        """What the place never lends."""
        return self._kept.get((place, key), 0)

    def local_available(self, place: Place, key: FlavorResource, usage: Usage) -> int:
        """What is left of what the place never lends."""
        local = self._kept.get((place, key))
        return 0 if local is None else max(0, local - usage.get((place, key), 0))

    def nominal(self, place: Place, key: FlavorResource) -> int:
        quota = self._quotas[place].get(key)
        return 0 if quota is None else quota.nominal

    def available(self, place: Place, key: FlavorResource, usage: Usage) -> int:
        """What the place may still take. Negative where usage is beyond what quota now allows."""
        way = self._ways.get((place, key)) or self.way(place, key)
        at, subtree, _, _ = way[0]
        available = subtree - usage.get(at, 0)
        for at, subtree, local, limit in way[1:]:
            used = usage.get(at, 0)
            if limit is not None:
                reaches = subtree - (used if used > local else local) + limit
                available = min(available, reaches)
            if used < local:
                available += local - used
        return available

    def way(self, place: Place, key: FlavorResource) -> tuple[Step, ...]:
        """From the root down to the place, with what does not change: worked out once for all questions about it."""
        known = self._ways.get((place, key))
        if known is None:
            parent = self._parents[place]
            step = ((place, key), self.subtree(place, key), self.local(place, key), self._borrowing_limit(place, key))
            known = self._ways[place, key] = (*(self.way(parent, key) if parent is not None else ()), step)
        return known

    def potential(self, place: Place, key: FlavorResource) -> int:
        """What the place could take at most, were nothing else running."""
        most = self._most.get((place, key))
        if most is None:
            most = self._most[place, key] = self._potential(place, key)
        return most

    def _potential(self, place: Place, key: FlavorResource) -> int:
        subtree, parent = self.subtree(place, key), self._parents[place]
        if parent is None:
            return subtree
        most = self.local(place, key) + self.potential(parent, key)
        limit = self._borrowing_limit(place, key)
        return most if limit is None else min(most, subtree + limit)

    def lendable(self, place: Place) -> Mapping[str, int]:
        """Resource -> what the place could hand down at most, all flavors of its tree together."""
        if place not in self._lendable:
            total: dict[str, int] = {}
            for key in self._subtree[self.root(place)]:
                total[key.resource] = total.get(key.resource, 0) + self.potential(place, key)
            self._lendable[place] = total
        return self._lendable[place]

    def _borrowing_limit(self, place: Place, key: FlavorResource) -> int | None:
        quota = self._quotas[place].get(key)
        return None if quota is None else quota.borrowing_limit

    # -- counting --------------------------------------------------------------------------------------------------

    def charge(
        self, place: Place, key: FlavorResource, amount: int, usage: Usage
    ) -> list[tuple[Place, FlavorResource, int]]:
        """The new usage of every place on the way up, for `amount` more (or, negative, less) at `place`."""
        changed: list[tuple[Place, FlavorResource, int]] = []
        at: Place | None = place
        while at is not None and amount != 0:
            before, local = usage.get((at, key), 0), self._kept.get((at, key), 0)
            after = before + amount
            changed.append((at, key, after))
            if before < local or after < local:  # else all of it reaches the parent
                amount = max(0, after - local) - max(0, before - local)
            at = self._parents[at]
        return changed
