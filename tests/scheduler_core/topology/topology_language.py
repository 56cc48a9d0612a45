"""Words for tests of topology: `data_centre({"b1": {"r1": {"x1": 4}}})`, `gang(6, required="rack")`, `placed(…)`."""

from collections.abc import Mapping
from typing import Any

from scheduler_core.model import Node, PodShape, Taint
from scheduler_core.topology import (
    Ask,
    Assignment,
    Capacity,
    Failure,
    Forest,
    Mode,
    Slice,
    Topology,
    TopologyRequest,
    TopologySettings,
    assign,
)

BLOCK, RACK, HOST = "cloud/block", "cloud/rack", "kubernetes.io/hostname"
LABELS = {"block": BLOCK, "rack": RACK, "host": HOST}
GPU = "nvidia.com/gpu"
THREE = (BLOCK, RACK, HOST)
KUEUE = TopologySettings(exact_fits=False)
GPU_EACH = PodShape(requests={GPU: 1})

Blocks = Mapping[str, Mapping[str, Mapping[str, int]]]


def host(name: str, gpus: int, block: str = "b1", rack: str = "r1", **more: Any) -> Node:
    labels = {BLOCK: block, RACK: rack, HOST: name, **more.pop("labels", {})}
    return Node(name, {GPU: gpus, **more.pop("also", {})}, labels, **more)


def data_centre(blocks: Blocks, levels: tuple[str, ...] = THREE) -> Capacity:
    """Free GPUs by block, rack and host."""
    nodes = [
        host(name, gpus, block, rack)
        for block, racks in blocks.items()
        for rack, hosts in racks.items()
        for name, gpus in hosts.items()
    ]
    return Capacity.of(Forest.of(Topology("default", levels), nodes))


def one_rack(*gpus: int) -> Capacity:
    """Hosts x1, x2, … in one rack."""
    return data_centre({"b1": {"r1": {f"x{number}": each for number, each in enumerate(gpus, start=1)}}})


def gang(
    count: int,
    *,
    name: str = "main",
    required: str | None = None,
    preferred: str | None = None,
    slices: Mapping[str, int] | None = None,
    group: str | None = None,
    shape: PodShape = GPU_EACH,
) -> Ask:
    mode = Mode.REQUIRED if required else Mode.PREFERRED if preferred else Mode.UNCONSTRAINED
    level = required or preferred
    request = TopologyRequest(
        mode=mode,
        level=LABELS.get(level, level) if level else None,
        slices=tuple(Slice(LABELS.get(each, each), size) for each, size in (slices or {}).items()),
        group=group,
    )
    return Ask(name=name, count=count, shape=shape, topology=request)


def hosts(assignment: Assignment) -> dict[str, int]:
    return {part.domain[-1]: part.count for part in assignment.parts}


def placed(capacity: Capacity, *asks: Ask, settings: TopologySettings | None = None) -> dict[str, int]:
    """Pods by host of one pod set; of several: those of the first."""
    found = assign(capacity, asks, settings or TopologySettings())
    assert not isinstance(found, Failure), found.message
    return hosts(found[asks[0].name])


def refused(capacity: Capacity, *asks: Ask) -> Failure:
    found = assign(capacity, asks)
    assert isinstance(found, Failure), found
    return found


TAINTED = (Taint("gpu", "broken"),)
