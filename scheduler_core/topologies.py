"""The nouns of topology: the levels of a data centre, and how closely a pod set wants its pods to stand together.

The words are Kueue's (KEP-2724). Where the pods go is decided in `topology/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from scheduler_core.errors import Duplicate, Invalid, Unknown, require_member, require_name, require_whole

HOSTNAME = "kubernetes.io/hostname"
LEVELS_AT_MOST = 16  # as many as Kueue's Topology takes
SLICE_LAYERS_AT_MOST = 3  # Kueue's limit


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


def require_answerable(pod_set: str, request: TopologyRequest) -> None:
    """What no topology and no number of pods could answer is refused; the rest is for a gang to wait with."""
    require_member("PodSet", pod_set, "topology_request.mode", request.mode, Mode)
    if request.mode is not Mode.UNCONSTRAINED and request.level is None:
        raise Invalid("PodSet", pod_set, "topology_request.level", f"{request.mode} needs one")
    require_layers(pod_set, [each.size for each in request.slices])


def require_layers(pod_set: str, sizes: Sequence[int]) -> None:
    if len(sizes) > SLICE_LAYERS_AT_MOST:
        why = f"at most {SLICE_LAYERS_AT_MOST} layers are possible"
        raise Invalid("PodSet", pod_set, "topology_request.slices", why)
    for size in sizes:
        require_whole("PodSet", pod_set, "topology_request.slice_size", size, least=1)
    for above, below in pairwise(sizes):
        if above % below:
            why = f"{below} does not divide the {above} of the layer above"
            raise Invalid("PodSet", pod_set, "topology_request.slice_size", why)


def has_levels(topology: Topology, request: TopologyRequest) -> bool:
    """Can a flavor of this topology be asked at all?"""
    wanted = [each.level for each in request.slices] + ([request.level] if request.level is not None else [])
    return all(level in topology.levels for level in wanted)
