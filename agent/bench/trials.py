"""A list of arrivals and an order of the nodes for each seed: the same for every policy."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from agent.bench.openb import arrivals, read_nodes, read_pods
from scheduler_core.gpus import Ask, Fleet, GpuNode


@dataclass(frozen=True)
class Trial:
    """One list of arrivals and one order of the nodes: the same for every policy."""

    seed: int
    nodes: list[GpuNode]
    asks: list[Ask]

    @property
    def capacity_milli(self) -> int:
        return Fleet(self.nodes).capacity_milli


@dataclass(frozen=True)
class Trace:
    nodes: list[GpuNode]
    pods: list[Ask]

    @classmethod
    def read(cls, nodes: Path, pods: Path) -> "Trace":
        return cls(read_nodes(nodes), read_pods(pods))

    def trial(self, seed: int, demand: float) -> Trial:
        """One stream of chance: first the pods, then the order of the nodes, which breaks ties."""
        chance = Random(seed)  # noqa: S311 - a benchmark's dice, not a secret
        asks = arrivals(self.pods, Fleet(self.nodes).capacity_milli, demand, chance)
        order = list(self.nodes)
        chance.shuffle(order)
        return Trial(seed, order, asks)
