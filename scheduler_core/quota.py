"""What queues and cohorts may use: nominal quota, what of it is lent and borrowed, per flavor and resource.

The nouns alone. The arithmetic over them is in `quota_tree.py`; which flavor a pod set uses is decided in `flavors.py`.
"""

from collections.abc import Iterable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

from scheduler_core.errors import (
    Duplicate,
    Invalid,
    require_member,
    require_name,
    require_number,
    require_priority,
    require_whole,
)
from scheduler_core.model import Seconds, Taint, Toleration

DEFAULT_FLAVOR = "default"


class Strategy(StrEnum):
    STRICT_FIFO = "StrictFIFO"  # a head that does not fit blocks its queue
    BEST_EFFORT_FIFO = "BestEffortFIFO"  # a head that does not fit is parked until capacity changes


class StopPolicy(StrEnum):
    NONE = "None"
    HOLD = "Hold"  # nothing new is admitted
    HOLD_AND_DRAIN = "HoldAndDrain"  # and what was admitted is evicted


class Policy(StrEnum):
    """Whom a waiting gang may send back."""

    NEVER = "Never"
    LOWER_PRIORITY = "LowerPriority"
    LOWER_OR_NEWER_EQUAL = "LowerOrNewerEqualPriority"
    ANY = "Any"


@dataclass(frozen=True, kw_only=True)
class PreemptionRules:
    """As a queue declares them, in Kueue's words."""

    within_queue: Policy = Policy.NEVER
    reclaim: Policy = Policy.NEVER  # from borrowers in other queues of the cohort
    borrow: bool = False  # may it send others back even to borrow itself
    borrow_threshold: int | None = None  # and then only gangs of at most this priority


class WhenCan(StrEnum):
    """What the search for a flavor does at one that would do, but only by borrowing or by sending others back."""

    MAY_STOP = "MayStopSearch"
    TRY_NEXT = "TryNextFlavor"


class Preference(StrEnum):
    """Of the flavors tried, which is better: one that borrows, or one for which others are sent back."""

    BORROWING_OVER_PREEMPTION = "BorrowingOverPreemption"
    PREEMPTION_OVER_BORROWING = "PreemptionOverBorrowing"


@dataclass(frozen=True, kw_only=True)
class Fungibility:
    when_can_borrow: WhenCan = WhenCan.MAY_STOP
    when_can_preempt: WhenCan = WhenCan.TRY_NEXT
    preference: Preference = Preference.BORROWING_OVER_PREEMPTION


@dataclass(frozen=True)
class ResourceGroup:
    """Resources that get the same flavor, and the flavors they may get, the preferred one first."""

    resources: tuple[str, ...]
    flavors: tuple[str, ...]


class Undeclared(StrEnum):
    """What a queue makes of a requested resource that none of its quotas names."""

    BLOCK = "Block"
    IGNORE = "Ignore"


class FlavorResource(NamedTuple):
    """A tuple, for it is the key of all that is counted: hashing it is most of what the arithmetic costs."""

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
    topology: str | None = None  # its pods are placed by this topology's levels

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


def by_key(kind: str, name: str, quotas: Iterable[Quota]) -> dict[FlavorResource, Quota]:
    result: dict[FlavorResource, Quota] = {}
    for quota in quotas:
        if quota.key in result:
            raise Duplicate(kind, name, "quotas", f"{quota.key} is given twice")
        result[quota.key] = quota
    return result


def require_weight(kind: str, name: str, weight: object) -> None:
    """Exact, so that equal shares are equal: `Fraction("0.1")`, never 0.1."""
    if isinstance(weight, bool) or not isinstance(weight, int | Fraction):
        raise Invalid(kind, name, "weight", f"{weight!r} is neither an integer nor a fraction")
    if weight < 0:
        raise Invalid(kind, name, "weight", f"{weight} is below 0")


def _refuse_limits(kind: str, name: str, field_name: str, quotas: Iterable[Quota]) -> None:
    """Nobody is there to borrow from or to lend to (Kueue's webhooks refuse it alike)."""
    for quota in quotas:
        for limit in ("borrowing_limit", "lending_limit"):
            value = getattr(quota, limit)
            if value is not None:
                raise Invalid(kind, name, f"quotas.{quota.key}.{limit}", f"{value} is set without a {field_name}")


def _refuse_shared(queue: str, field_name: str, groups: Sequence[tuple[str, ...]]) -> None:
    """A resource or a flavor is in one group of a queue, once."""
    seen: dict[str, int] = {}
    for index, names in enumerate(groups):
        for name in names:
            if name in seen:
                why = f"{name!r} is in groups[{seen[name]}] already"
                raise Duplicate("Queue", queue, f"groups[{index}].{field_name}", why)
            seen[name] = index


def _refuse_gaps(queue: str, groups: Sequence[ResourceGroup], quotas: Iterable[Quota]) -> None:
    """Every flavor of a group has a quota of each of its resources, and there is no other quota (Kueue's webhook)."""
    given = {quota.key for quota in quotas}
    for index, group in enumerate(groups):
        for key in (FlavorResource(flavor, each) for flavor in group.flavors for each in group.resources):
            if key not in given:
                raise Invalid("Queue", queue, f"groups[{index}]", f"there is no quota for its {key}")
            given.remove(key)
    if given:
        raise Invalid("Queue", queue, f"quotas.{min(given)}", "is of no group")


@dataclass(frozen=True, kw_only=True)
class Cohort:
    name: str
    parent: str | None = None
    quotas: tuple[Quota, ...] = ()
    weight: int | Fraction = 1  # of its share among its siblings

    def __post_init__(self) -> None:
        require_name("Cohort", self.name)
        require_weight("Cohort", self.name, self.weight)
        by_key("Cohort", self.name, self.quotas)
        if self.parent is None:
            _refuse_limits("Cohort", self.name, "parent", self.quotas)


@dataclass(frozen=True, kw_only=True)
class LocalQueue:
    """The door through which one namespace reaches a queue."""

    name: str
    queue: str
    namespace: str = ""
    weight: int | Fraction = 1
    stop_policy: StopPolicy = StopPolicy.NONE

    def __post_init__(self) -> None:
        require_name("LocalQueue", self.name)
        require_weight("LocalQueue", self.name, self.weight)
        require_member("LocalQueue", self.name, "stop_policy", self.stop_policy, StopPolicy)


@dataclass(frozen=True, kw_only=True)
class Queue:
    name: str
    quotas: tuple[Quota, ...] = ()  # the order of flavors is the order of preference
    cohort: str | None = None
    strategy: Strategy = Strategy.BEST_EFFORT_FIFO
    stop_policy: StopPolicy = StopPolicy.NONE
    undeclared: Undeclared = Undeclared.BLOCK
    overlooked: tuple[str, ...] = ()  # what resources begin with that may be undeclared all the same
    preemption: PreemptionRules = field(default_factory=PreemptionRules)
    fungibility: Fungibility = field(default_factory=Fungibility)
    groups: tuple[ResourceGroup, ...] = ()  # left out: quotas that share a resource or a flavor are of one group
    weight: int | Fraction = 1
    checks: tuple[str, ...] = ()  # a gang with quota is let in only when all of these are ready
    check_flavors: Mapping[str, frozenset[str]] = field(default_factory=dict)  # a check that is for these alone
    min_runtime_s: Seconds = 0  # its gangs are not sent back before they have run this long

    def __post_init__(self) -> None:
        require_name("Queue", self.name)
        require_weight("Queue", self.name, self.weight)
        require_number("Queue", self.name, "min_runtime_s", self.min_runtime_s)
        self._require_words()
        by_key("Queue", self.name, self.quotas)
        _refuse_shared(self.name, "resources", [group.resources for group in self.groups])
        _refuse_shared(self.name, "flavors", [group.flavors for group in self.groups])
        if self.groups:
            _refuse_gaps(self.name, self.groups, self.quotas)
        if self.cohort is None:
            _refuse_limits("Queue", self.name, "cohort", self.quotas)
        for quota in self.quotas:
            if quota.lending_limit is not None and quota.lending_limit > quota.nominal:
                why = f"{quota.lending_limit} is above the nominal {quota.nominal}"
                raise Invalid("Queue", self.name, f"quotas.{quota.key}.lending_limit", why)
        if self.preemption.borrow and self.preemption.reclaim is Policy.NEVER:
            why = "who may not reclaim (reclaim is Never) may not send others back to borrow"
            raise Invalid("Queue", self.name, "preemption.borrow", why)

    def _require_words(self) -> None:
        rules, flavors = self.preemption, self.fungibility
        words: tuple[tuple[str, object, type[StrEnum]], ...] = (
            ("strategy", self.strategy, Strategy),
            ("stop_policy", self.stop_policy, StopPolicy),
            ("undeclared", self.undeclared, Undeclared),
            ("preemption.within_queue", rules.within_queue, Policy),
            ("preemption.reclaim", rules.reclaim, Policy),
            ("fungibility.when_can_borrow", flavors.when_can_borrow, WhenCan),
            ("fungibility.when_can_preempt", flavors.when_can_preempt, WhenCan),
            ("fungibility.preference", flavors.preference, Preference),
        )
        for field_name, value, kind in words:
            require_member("Queue", self.name, field_name, value, kind)
        if rules.borrow_threshold is not None:
            require_priority("Queue", self.name, "preemption.borrow_threshold", rules.borrow_threshold)

    def checks_for(self, flavors: AbstractSet[str]) -> tuple[str, ...]:
        """Those that a gang with quota of these flavors must pass."""
        return tuple(each for each in self.checks if not self._is_for_others(each, flavors))

    def _is_for_others(self, check: str, flavors: AbstractSet[str]) -> bool:
        meant = self.check_flavors.get(check, frozenset())
        return bool(meant) and flavors.isdisjoint(meant)

    def flavors_of(self, resource: str) -> tuple[str, ...]:
        return self._flavors_by_resource.get(resource, ())

    @cached_property
    def _flavors_by_resource(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for quota in self.quotas:
            found[quota.resource] = (*found.get(quota.resource, ()), quota.flavor)
        return found

    @cached_property
    def resource_groups(self) -> tuple[ResourceGroup, ...]:
        return self.groups or _merged(self.quotas)

    def group_of(self, resource: str) -> ResourceGroup | None:
        return self._group_by_resource.get(resource)

    @cached_property
    def _group_by_resource(self) -> Mapping[str, ResourceGroup]:
        return {resource: group for group in self.resource_groups for resource in group.resources}


def _merged(quotas: Iterable[Quota]) -> tuple[ResourceGroup, ...]:
    """Quotas that share a resource or a flavor are decided together, in the order in which they are named."""
    groups: list[tuple[list[str], list[str]]] = []
    for quota in quotas:
        met = [group for group in groups if quota.resource in group[0] or quota.flavor in group[1]]
        group = met[0] if met else ([], [])
        if not met:
            groups.append(group)
        for other in met[1:]:
            group[0].extend(other[0])
            group[1].extend(other[1])
            groups.remove(other)
        for names, name in ((group[0], quota.resource), (group[1], quota.flavor)):
            if name not in names:
                names.append(name)
    return tuple(ResourceGroup(tuple(resources), tuple(flavors)) for resources, flavors in groups)
