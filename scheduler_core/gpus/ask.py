"""What one pod wants of a GPU node: CPU, memory, and no GPU, a part of one, some whole ones, or a MIG slice.

GPU quantities are thousandths of one GPU (milli), as the sharing device plugins count. A value here has been checked:
whoever holds an `Ask` need not ask again whether its numbers make sense.
"""

from dataclasses import dataclass
from functools import cached_property

from scheduler_core.errors import Invalid, Unknown, require_whole
from scheduler_core.gpus.mig import PROFILE_MILLI

MILLI = 1000  # of one GPU


@dataclass(frozen=True)
class Ask:
    cpu_milli: int
    memory_mib: int = 0
    gpus: int = 0
    gpu_milli: int = 0  # of each GPU; less than 1000 only of a single one
    models: tuple[str, ...] = ()  # any of these; empty: any
    mig: str | None = None  # a profile, such as 3g.20gb, in place of GPUs
    linked: bool = False  # all its GPUs in one island (`islands`)
    name: str = ""  # whose it is, for errors; two pods that ask the same are one kind of pod

    def __post_init__(self) -> None:
        for field in ("cpu_milli", "memory_mib", "gpus", "gpu_milli"):
            require_whole("Ask", self.name, field, getattr(self, field))
        if self.gpu_milli > MILLI:
            raise Invalid("Ask", self.name, "gpu_milli", f"{self.gpu_milli} is more than {MILLI}, which is one GPU")
        if (self.gpus == 0) != (self.gpu_milli == 0):
            raise Invalid("Ask", self.name, "gpu_milli", f"{self.gpu_milli} of each of {self.gpus} GPUs")
        if self.gpus > 1 and self.gpu_milli < MILLI:
            raise Invalid("Ask", self.name, "gpu_milli", f"{self.gpu_milli} of each of {self.gpus}: only one is shared")
        if self.linked and self.gpus < 2:
            raise Invalid("Ask", self.name, "linked", f"{self.gpus} GPUs: only several have a link between them")
        if not isinstance(self.models, tuple) or not all(isinstance(model, str) and model for model in self.models):
            raise Invalid("Ask", self.name, "models", f"{self.models!r} is no tuple of names")
        if self.mig is not None:
            self._require_profile(self.mig)

    def _require_profile(self, mig: str) -> None:
        if mig not in PROFILE_MILLI:
            raise Unknown(
                "Ask", self.name, "mig", f"no GPU has a profile {mig!r}; there are {', '.join(PROFILE_MILLI)}"
            )
        if self.gpus:
            raise Invalid("Ask", self.name, "mig", f"{mig} and {self.gpus} GPUs: a pod asks for slices or for GPUs")

    @property
    def shares(self) -> bool:
        return 0 < self.gpu_milli < MILLI

    @property
    def demand_milli(self) -> int:
        """What it takes of the fleet's GPUs when it runs."""
        return self.gpus * self.gpu_milli if self.mig is None else PROFILE_MILLI[self.mig]

    @cached_property
    def key(self) -> tuple[int, int, int, int, tuple[str, ...], str, bool]:
        """What the pod is like: pods with the same key can take each other's place."""
        return (self.cpu_milli, self.memory_mib, self.gpus, self.gpu_milli, self.models, self.mig or "", self.linked)
