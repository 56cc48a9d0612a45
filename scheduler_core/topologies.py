"""The nouns of topology: the levels of a data centre, and how closely a pod set wants its pods to stand together.

The words are Kueue's (KEP-2724). Where the pods go is decided in `topology/`.
"""

from dataclasses import dataclass
from enum import StrEnum

from scheduler_core.errors import Duplicate, Invalid, Unknown, require_name

HOSTNAME = "kubernetes.io/hostname"
LEVELS_AT_MOST = 16  # as many as Kueue's Topology takes


@dataclass(frozen=True)
class Topology:
    """Label keys, from the widest level to the narrowest."""

    name: str
    levels: tuple[str, ...]

    def __post_init__(self) -> None:
        require_name("Topology", self.name)
        object.__setattr__(self, "levels", tuple(self.levels))
        if not 1 <= len(self.levels) <= LEVELS_AT_MOST:
            raise Invalid(
                "Topology", self.name, "levels", f"1 to {LEVELS_AT_MOST} are possible, not {len(self.levels)}"
            )
        if not all(self.levels):
            raise Invalid("Topology", self.name, "levels", "a level without a name")
        if len(set(self.levels)) != len(self.levels):
            raise Duplicate("Topology", self.name, "levels", "a level is named twice")
        if HOSTNAME in self.levels[:-1]:
            raise Invalid("Topology", self.name, "levels", f"nothing lies below {HOSTNAME}")

    @property
    def ends_at_hosts(self) -> bool:
        return self.levels[-1] == HOSTNAME

    def level(self, label: str, asked_by: str, field: str) -> int:
        if label not in self.levels:
            raise Unknown("PodSet", asked_by, field, f"topology {self.name!r} has no level {label!r}")
        return self.levels.index(label)


class Mode(StrEnum):
    REQUIRED = "required"
    PREFERRED = "preferred"
    UNCONSTRAINED = "unconstrained"


@dataclass(frozen=True)
class Slice:
    """So many pods stay within one domain of this level."""

    level: str
    size: int


@dataclass(frozen=True, kw_only=True)
class TopologyRequest:
    mode: Mode = Mode.UNCONSTRAINED
    level: str | None = None
    slices: tuple[Slice, ...] = ()
    group: str | None = None  # pod sets of one group, a leader and its workers, share a domain and a flavor
    explicit: bool = True  # False: it names a group alone, and wants a topology only where all flavors have one

    def __post_init__(self) -> None:
        object.__setattr__(self, "slices", tuple(self.slices))


def has_levels(topology: Topology, request: TopologyRequest) -> bool:
    """Can a flavor of this topology be asked at all?"""
    wanted = [each.level for each in request.slices] + ([request.level] if request.level is not None else [])
    return all(level in topology.levels for level in wanted)
