"""The place where a trouble happens: the nodes that are its own, whose it is, and when the day begins.

Each trouble has a node pool to itself, so that troubles stay independent and what is right about each is certain.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple, Protocol
from uuid import NAMESPACE_URL, uuid5

from agent.domain.base import rfc3339

Json = dict[str, Any]

POOL_LABEL = "watchkeeper.example/node-pool"
PRODUCTS = {"h100": "NVIDIA-H100-80GB-HBM3", "a100": "NVIDIA-A100-SXM4-80GB", "l40s": "NVIDIA-L40S"}


@dataclass(frozen=True, slots=True)
class Tenant:
    """A namespace, its LocalQueue `main`, and the ClusterQueue of the same name."""

    name: str


@dataclass(frozen=True, slots=True)
class Site:
    """`label` tells the trouble from others of its kind."""

    label: str
    kind: str  # of GPU
    nodes: tuple[str, ...]
    gpus: int  # on each node
    tenant: Tenant
    start: datetime

    def moment(self, at: timedelta) -> str:
        return rfc3339(self.start + at)


@dataclass(frozen=True, slots=True)
class Injected:
    """What a trouble brings along, in the words of a scenario file."""

    cluster: list[Json] = field(default_factory=list)
    timeline: list[Json] = field(default_factory=list)
    actions: list[Json] = field(default_factory=list)
    proposed: list[Json] = field(default_factory=list)  # what a person is asked for
    allowed: list[Json] = field(default_factory=list)
    forbidden: list[Json] = field(default_factory=list)
    final: list[Json] = field(default_factory=list)


class Inject(Protocol):
    def __call__(self, rng: Random, site: Site, at: timedelta) -> Injected: ...


class Touches(NamedTuple):
    """What the agent may touch because of a trouble, as the guardrails count it."""

    nodes: int = 0
    gangs: int = 0
    repairs: int = 0


NOTHING = Touches()


@dataclass(frozen=True, slots=True)
class Trouble:
    """`nodes`: how many it has to itself, each with `gpus_least` or more."""

    name: str
    nodes: int
    inject: Inject
    touches: Touches = NOTHING
    gpus_least: int = 2


def uid(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "watchkeeper-day:" + "/".join(parts)))


def device_uuid(node: str, index: int) -> str:
    """As the world's own exporter names it."""
    return f"GPU-{uuid5(NAMESPACE_URL, f'watchkeeper:{node}:{index}')}"


def seconds(at: timedelta) -> str:
    """A moment or a span as the file writes it."""
    return f"{int(at.total_seconds())}s"
