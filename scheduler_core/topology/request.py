"""What a pod set asks of the topology, and the same resolved against the levels of one.

The words are Kueue's annotations: required, preferred or unconstrained at a level; slices of a size that stay within
one domain of their level, in up to three layers from coarse to fine; a group whose leader stands in its workers'
domain.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from scheduler_core.errors import Invalid, require_name, require_whole
from scheduler_core.model import PodShape
from scheduler_core.topologies import Mode, Topology, TopologyRequest, require_layers

UNCONSTRAINED = TopologyRequest()  # what a pod set without a request of its own gets on nodes that have a topology


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One pod set to place: so many pods of one shape."""

    name: str = "main"
    count: int
    shape: PodShape
    topology: TopologyRequest = UNCONSTRAINED

    def __post_init__(self) -> None:
        require_name("PodSet", self.name)
        require_whole("PodSet", self.name, "count", self.count)
        for resource, quantity in self.shape.requests.items():
            require_whole("PodSet", self.name, f"requests.{resource}", quantity)


@dataclass(frozen=True)
class Plan:
    """An ask against the levels of one topology; levels are counted from 0, the widest."""

    count: int
    required: bool
    unconstrained: bool
    level: int
    slice_level: int
    slice_size: int
    inner: Mapping[int, int]  # level -> pods come to its domains in multiples of this
    layers: tuple[tuple[int, int], ...]  # (level, size) of each slice layer that was asked for

    @property
    def units(self) -> int:
        return self.count // self.slice_size


def resolve(topology: Topology, ask: Ask) -> Plan:
    request, name = ask.topology, ask.name
    if request.mode is not Mode.UNCONSTRAINED and request.level is None:
        raise Invalid("PodSet", name, "topology_request.level", f"{request.mode} needs one")
    if request.mode is Mode.UNCONSTRAINED and request.level is not None:
        topology.level(request.level, name, "topology_request.level")
    last = len(topology.levels) - 1
    layers = tuple(
        (topology.level(each.level, name, "topology_request.slice_level"), each.size) for each in request.slices
    )
    _require_sizes(ask, layers)
    slice_level, slice_size = layers[0] if layers else (last, 1)
    if request.mode is not Mode.UNCONSTRAINED:
        level = topology.level(request.level or "", name, "topology_request.level")
    else:
        level = 0 if layers else last
    if level > slice_level:
        raise Invalid("PodSet", name, "topology_request.slice_level", "lies above the level of the pod set")
    return Plan(
        count=ask.count,
        required=request.mode is Mode.REQUIRED,
        unconstrained=request.mode is Mode.UNCONSTRAINED,
        level=level,
        slice_level=slice_level,
        slice_size=slice_size,
        inner=_inner(layers),
        layers=layers,
    )


def _require_sizes(ask: Ask, layers: tuple[tuple[int, int], ...]) -> None:
    def refuse(field: str, why: str) -> Invalid:
        return Invalid("PodSet", ask.name, f"topology_request.{field}", why)

    require_layers(ask.name, [size for _, size in layers])
    if layers and ask.count % layers[0][1]:
        raise refuse("slice_size", f"{layers[0][1]} does not divide the count {ask.count}")
    for (wide, _), (narrow, _) in pairwise(layers):
        if narrow <= wide:
            raise refuse("slice_level", "layers go from coarse to fine")


def _inner(layers: tuple[tuple[int, int], ...]) -> dict[int, int]:
    """Levels between two layers take pods in multiples of the lower one's size, too."""
    sizes = {}
    for (above, _), (level, size) in pairwise(layers):
        sizes.update(dict.fromkeys(range(above + 1, level + 1), size))
    return sizes
