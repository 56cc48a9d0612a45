"""What the snapshot remembers about gangs and pods, frozen: changes replace these values, they never alter them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scheduler_core.model import Pod, Seconds
from scheduler_core.quota import FlavorResource

Charge = Mapping[FlavorResource, int]


class Phase(StrEnum):
    PENDING = "Pending"  # no quota, no pods
    ADMITTED = "Admitted"  # quota, no pods yet
    PARTIAL = "Partial"  # some pods run, fewer than the minimum: stuck
    RUNNING = "Running"  # at or above the minimum


class CheckState(StrEnum):
    """What an admission check says about a gang that holds quota."""

    PENDING = "Pending"
    READY = "Ready"
    RETRY = "Retry"  # it gives its quota back and tries again later
    REJECTED = "Rejected"  # it is switched off


@dataclass(frozen=True)
class DomainCount:
    """So many pods in one topology domain, named by its values from the widest level down."""

    values: tuple[str, ...]
    count: int


Domains = Mapping[str, tuple[DomainCount, ...]]  # pod set -> where its pods are


@dataclass(frozen=True)
class Admission:
    """Quota that a gang holds: how many pods of each set, of which flavors, and where they are placed."""

    at_s: Seconds
    counts: Mapping[str, int]
    flavors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # pod set -> resource -> flavor
    usage: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # pod set -> totals; left out: as it asks
    topology: Domains = field(default_factory=dict)


@dataclass(frozen=True)
class Eviction:
    """Why and when it was sent back; until its pods are gone it holds its quota."""

    reason: str
    at_s: Seconds


@dataclass(frozen=True)
class GangState:
    """What the core remembers about a gang besides its pods."""

    admission: Admission | None = None
    returns: int = 0  # how often it was sent back under the back-off rule
    requeue_at_s: Seconds | None = None
    queued_s: Seconds | None = None  # None: since it was created
    excluded_nodes: frozenset[str] = frozenset()
    evicted: Eviction | None = None
    unhealthy_nodes: frozenset[str] = frozenset()  # nodes of its admission whose pods need another place
    checks: Mapping[str, CheckState] = field(default_factory=dict)


def changed(state: GangState, **fields: object) -> GangState:
    """As `dataclasses.replace`, at a third of its price: a gang's state is written at every step of its life."""
    other = object.__new__(GangState)
    other.__dict__.update(state.__dict__)
    other.__dict__.update(fields)
    return other


@dataclass(frozen=True)
class Bound:
    pod: Pod
    node: str
