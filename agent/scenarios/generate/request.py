"""What a day is drawn from: the `generate` part of a scenario file, as data."""

from typing import Self

from pydantic import Field, model_validator

from agent.domain.base import Noun

NODES_MAX = 1024  # what one process simulates at a bearable pace
GPUS_PER_NODE_MAX = 16
TENANTS_MAX = 20
TROUBLES_MAX = 100


class Generate(Noun):
    """The seed is the scenario's own."""

    nodes: int = Field(default=32, ge=1, le=NODES_MAX)
    gpus: int = Field(default=256, ge=1)
    tenants: int = Field(default=3, ge=1, le=TENANTS_MAX)
    troubles: int = Field(default=12, ge=0, le=TROUBLES_MAX)
    trace: str | None = None  # path of a CSV; how work arrives follows its statistics

    @model_validator(mode="after")
    def _even(self) -> Self:
        if self.gpus % self.nodes or not 2 <= self.gpus_per_node <= GPUS_PER_NODE_MAX:
            raise ValueError(f"{self.gpus} GPUs on {self.nodes} nodes: each node has the same number, 2 to 16")
        return self

    @property
    def gpus_per_node(self) -> int:
        return self.gpus // self.nodes
