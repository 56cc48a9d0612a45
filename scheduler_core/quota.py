"""Who may use how much: queues and cohorts as one tree, with lending and borrowing limits.

The arithmetic is Kueue's. Every node of the tree keeps back `local` of its subtree's quota for itself and stores the
rest in its parent; usage reaches the parent only beyond `local`. What a queue may still take can be negative, when
quota was taken away from what already runs. Which flavor a pod set uses is decided in `flavors.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scheduler_core.errors import Duplicate, Invalid, Unknown, require_name, require_whole
from scheduler_core.model import Taint, Toleration

DEFAULT_FLAVOR = "default"


class Strategy(StrEnum):
    STRICT_FIFO = "StrictFIFO"  # a head that does not fit blocks its queue
    BEST_EFFORT_FIFO = "BestEffortFIFO"  # a head that does not fit is parked until capacity changes


class StopPolicy(StrEnum):
    NONE = "None"
    HOLD = "Hold"  # nothing new is admitted
    HOLD_AND_DRAIN = "HoldAndDrain"  # and what was admitted is evicted


class Undeclared(StrEnum):
    """What a queue makes of a requested resource that none of its quotas names."""

    BLOCK = "Block"
    IGNORE = "Ignore"


@dataclass(frozen=True, order=True)
class FlavorResource:
    flavor: str
    resource: str

    def __str__(self) -> str:
        return f"{self.flavor}/{self.resource}"


@dataclass(frozen=True)
class Flavor:
    name: str
    node_labels: Mapping[str, str] = field(default_factory=dict)
    node_taints: tuple[Taint, ...] = ()
    tolerations: tuple[Toleration, ...] = ()

    def __post_init__(self) -> None:
        require_name("Flavor", self.name)
        object.__setattr__(self, "node_labels", dict(self.node_labels))


@dataclass(frozen=True, kw_only=True)
class Quota:
    resource: str
    nominal: int
    flavor: str = DEFAULT_FLAVOR
    borrowing_limit: int | None = None  # None: as much as the cohort has
    lending_limit: int | None = None  # None: all of it

    def __post_init__(self) -> None:
        for name in ("nominal", "borrowing_limit", "lending_limit"):
            value = getattr(self, name)
            if value is not None:
                require_whole("Quota", str(self.key), name, value)

    @property
    def key(self) -> FlavorResource:
        return FlavorResource(self.flavor, self.resource)


def _by_key(kind: str, name: str, quotas: Iterable[Quota]) -> dict[FlavorResource, Quota]:
    result: dict[FlavorResource, Quota] = {}
    for quota in quotas:
        if quota.key in result:
            raise Duplicate(kind, name, "quotas", f"{quota.key} is given twice")
        result[quota.key] = quota
    return result


@dataclass(frozen=True, kw_only=True)
class Cohort:
    name: str
    parent: str | None = None
    quotas: tuple[Quota, ...] = ()

    def __post_init__(self) -> None:
        require_name("Cohort", self.name)
        _by_key("Cohort", self.name, self.quotas)


@dataclass(frozen=True, kw_only=True)
class Queue:
    name: str
    quotas: tuple[Quota, ...] = ()  # the order of flavors is the order of preference
    cohort: str | None = None
    strategy: Strategy = Strategy.BEST_EFFORT_FIFO
    stop_policy: StopPolicy = StopPolicy.NONE
    undeclared: Undeclared = Undeclared.BLOCK

    def __post_init__(self) -> None:
        require_name("Queue", self.name)
        _by_key("Queue", self.name, self.quotas)

    def flavors_of(self, resource: str) -> tuple[str, ...]:
        return tuple(quota.flavor for quota in self.quotas if quota.resource == resource)


Place = tuple[str, str]  # ("queue" | "cohort", name)
Usage = Mapping[tuple[Place, FlavorResource], int]


class QuotaTree:
    """The fixed side of the arithmetic: quotas and who stands under whom. Usage is the caller's, and an argument."""

    def __init__(self, queues: Iterable[Queue], cohorts: Iterable[Cohort]) -> None:
        self._parents: dict[Place, Place | None] = {}
        self._quotas: dict[Place, dict[FlavorResource, Quota]] = {}
        named = {cohort.name: cohort for cohort in cohorts}
        for cohort in named.values():
            self._add(("cohort", cohort.name), cohort.parent, cohort.quotas, named, "parent")
        for queue in queues:
            self._add(("queue", queue.name), queue.cohort, queue.quotas, named, "cohort")
        self._refuse_cycles()
        self._subtree: dict[Place, dict[FlavorResource, int]] = {}
        self._sum_subtrees()

    def _add(
        self, place: Place, parent: str | None, quotas: Iterable[Quota], cohorts: Mapping[str, Cohort], field_name: str
    ) -> None:
        kind, name = place[0].capitalize(), place[1]
        if parent is not None and parent not in cohorts:
            raise Unknown(kind, name, field_name, f"there is no cohort {parent!r}")
        self._parents[place] = None if parent is None else ("cohort", parent)
        self._quotas[place] = _by_key(kind, name, quotas)

    def _refuse_cycles(self) -> None:
        for start in self._parents:
            seen, place = {start}, self._parents[start]
            while place is not None:
                if place in seen:
                    raise Invalid("Cohort", place[1], "parent", "the cohorts form a circle")
                seen.add(place)
                place = self._parents[place]

    def _depth(self, place: Place) -> int:
        parent = self._parents[place]
        return 0 if parent is None else 1 + self._depth(parent)

    def _sum_subtrees(self) -> None:
        for place in self._parents:
            self._subtree[place] = {key: quota.nominal for key, quota in self._quotas[place].items()}
        for place in sorted(self._parents, key=self._depth, reverse=True):  # children before their parents
            parent = self._parents[place]
            if parent is None:
                continue
            for key, subtree in self._subtree[place].items():
                lent = subtree - self.local(place, key)
                self._subtree[parent][key] = self._subtree[parent].get(key, 0) + lent

    # -- reading ---------------------------------------------------------------------------------------------------

    def parent(self, place: Place) -> Place | None:
        return self._parents[place]

    def places(self) -> tuple[Place, ...]:
        return tuple(self._parents)

    def root(self, place: Place) -> Place:
        parent = self._parents[place]
        return place if parent is None else self.root(parent)

    def subtree(self, place: Place, key: FlavorResource) -> int:
        return self._subtree[place].get(key, 0)

    def local(self, place: Place, key: FlavorResource) -> int:
        """What the place never lends."""
        quota = self._quotas[place].get(key)
        if quota is None or quota.lending_limit is None:
            return 0
        return max(0, self.subtree(place, key) - quota.lending_limit)

    def nominal(self, place: Place, key: FlavorResource) -> int:
        quota = self._quotas[place].get(key)
        return 0 if quota is None else quota.nominal

    def available(self, place: Place, key: FlavorResource, usage: Usage) -> int:
        """What the place may still take. Negative where usage is beyond what quota now allows."""
        used, subtree, parent = usage.get((place, key), 0), self.subtree(place, key), self._parents[place]
        if parent is None:
            return subtree - used
        local = self.local(place, key)
        from_parent = self.available(parent, key, usage)
        limit = self._borrowing_limit(place, key)
        if limit is not None:
            from_parent = min(from_parent, (subtree - local) - max(0, used - local) + limit)
        return max(0, local - used) + from_parent

    def potential(self, place: Place, key: FlavorResource) -> int:
        """What the place could take at most, were nothing else running."""
        subtree, parent = self.subtree(place, key), self._parents[place]
        if parent is None:
            return subtree
        most = self.local(place, key) + self.potential(parent, key)
        limit = self._borrowing_limit(place, key)
        return most if limit is None else min(most, subtree + limit)

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
            before, local = usage.get((at, key), 0), self.local(at, key)
            changed.append((at, key, before + amount))
            amount = max(0, before + amount - local) - max(0, before - local)
            at = self._parents[at]
        return changed
