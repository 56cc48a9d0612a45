"""What comes to the cluster, and what became of each of it."""

from dataclasses import dataclass

from scheduler_core.errors import Invalid
from scheduler_core.model import Gang, Seconds


@dataclass(frozen=True)
class Arrival:
    """A gang that comes at a time and then needs so long to run; the scheduler knows its walltime at most."""

    gang: Gang
    at_s: Seconds
    runs_s: Seconds
    kind: str = "all"  # what its waiting is counted under
    runs_over: bool = False  # nobody ends it at its walltime

    def __post_init__(self) -> None:
        if self.at_s < 0:
            raise Invalid("Arrival", self.gang.name, "at_s", f"{self.at_s} is negative")
        if self.runs_s < 0:
            raise Invalid("Arrival", self.gang.name, "runs_s", f"{self.runs_s} is negative")

    @property
    def held_s(self) -> Seconds:
        """How long it holds its nodes: who runs over the walltime is ended then, as Kueue and Jobs do, or runs on."""
        walltime_s = None if self.runs_over else self.gang.walltime_s
        return self.runs_s if walltime_s is None else min(self.runs_s, walltime_s)


@dataclass
class Life:
    """One gang's way through the simulation."""

    kind: str
    came_s: Seconds
    gpus: int
    runs_s: Seconds = 0  # how long it needs, once it has started
    started_s: Seconds | None = None  # the first time
    ended_s: Seconds | None = None
    sent_back: int = 0
    overtaken: int = 0  # gangs that came later and started earlier
    promised_s: Seconds | None = None  # the earliest start that was ever promised to it

    @property
    def waited_s(self) -> Seconds | None:
        return None if self.started_s is None else self.started_s - self.came_s
