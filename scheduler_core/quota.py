"""What queues and cohorts may use: nominal quota, what of it is lent and borrowed, per flavor and resource.

The nouns alone. The arithmetic over them is in `quota_tree.py`; which flavor a pod set uses is decided in `flavors.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scheduler_core.errors import Duplicate, require_name, require_whole
from scheduler_core.model import Taint, Toleration

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


def by_key(kind: str, name: str, quotas: Iterable[Quota]) -> dict[FlavorResource, Quota]:
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
        by_key("Cohort", self.name, self.quotas)


@dataclass(frozen=True, kw_only=True)
class Queue:
    name: str
    quotas: tuple[Quota, ...] = ()  # the order of flavors is the order of preference
    cohort: str | None = None
    strategy: Strategy = Strategy.BEST_EFFORT_FIFO
    stop_policy: StopPolicy = StopPolicy.NONE
    undeclared: Undeclared = Undeclared.BLOCK
    preemption: PreemptionRules = field(default_factory=PreemptionRules)

    def __post_init__(self) -> None:
        require_name("Queue", self.name)
        by_key("Queue", self.name, self.quotas)

    def flavors_of(self, resource: str) -> tuple[str, ...]:
        return tuple(quota.flavor for quota in self.quotas if quota.resource == resource)
