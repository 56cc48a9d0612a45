"""The cluster on which a day happens: its nodes by kind of GPU and rack, and who has which of them."""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from agent.scenarios.generate.manifests import node
from agent.scenarios.generate.request import Generate
from agent.scenarios.generate.site import Json, Site, Tenant

NAMES = ("research", "speech", "vision", "robotics", "recsys", "biology", "weather", "language", "maps", "safety")
KIND_SHARES = (("h100", 50), ("a100", 35))  # percent of the nodes; the rest are l40s
FREE = "free"  # the pool of the nodes that nobody was given


@dataclass
class Ground:
    """Hands out each node once. `free` is by kind of GPU, in the order of the racks."""

    gpus: int
    start: datetime
    tenants: tuple[Tenant, ...]
    free: dict[str, list[str]]
    pools: dict[str, str] = field(default_factory=dict)  # node -> pool

    @property
    def room(self) -> dict[str, int]:
        return {kind: len(names) for kind, names in self.free.items()}

    def site(self, rng: Random, label: str, nodes: int) -> Site:
        """On nodes of the kind that has most of them left; the caller has made sure that there is room."""
        kind = fullest(self.room)
        taken, self.free[kind] = self.free[kind][:nodes], self.free[kind][nodes:]
        self.pools |= dict.fromkeys(taken, label)
        return Site(label, kind, tuple(taken), self.gpus, rng.choice(self.tenants), self.start)

    def manifests(self, kinds: dict[str, list[str]]) -> list[Json]:
        everything = [(kind, name) for kind, names in kinds.items() for name in names]
        return [
            node(name, index, kind, self.gpus, self.pools.get(name, FREE))
            for index, (kind, name) in enumerate(everything)
        ]


def fullest(room: dict[str, int]) -> str:
    return max(room, key=lambda kind: room[kind])


def kinds_of(request: Generate) -> dict[str, list[str]]:
    """The nodes of each kind of GPU."""
    counts = {kind: request.nodes * share // 100 for kind, share in KIND_SHARES}
    counts["l40s"] = request.nodes - sum(counts.values())
    return {kind: [f"{kind}-{i + 1:02}" for i in range(count)] for kind, count in counts.items() if count}


def tenants_of(rng: Random, count: int) -> tuple[Tenant, ...]:
    """Named after what they do; beyond ten, numbered."""
    names = [name if round_ == 0 else f"{name}-{round_ + 1}" for round_ in range(2) for name in NAMES]
    first = rng.sample(NAMES, min(count, len(NAMES)))
    return tuple(Tenant(name) for name in (*first, *names[len(NAMES) :])[:count])
