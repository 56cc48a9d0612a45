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


@dataclass(frozen=True)
class Admission:
    """Quota that a gang holds: how many pods of each set, and of which flavors."""

    at_s: Seconds
    counts: Mapping[str, int]
    flavors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # pod set -> resource -> flavor


@dataclass(frozen=True)
class GangState:
    """What the core remembers about a gang besides its pods."""

    admission: Admission | None = None
    returns: int = 0  # how often it was sent back under the back-off rule
    requeue_at_s: Seconds | None = None
    queued_s: Seconds | None = None  # None: since it was created
    excluded_nodes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Bound:
    pod: Pod
    node: str
