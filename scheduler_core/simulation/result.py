"""What a simulation counts: how full the cluster was, who waited how long, and how fairly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scheduler_core.model import Seconds
from scheduler_core.simulation.load import Life

PERCENT = 100


@dataclass(frozen=True)
class Moment:
    """From this time until the next moment."""

    at_s: Seconds
    gpus_used: int
    waiting: int  # gangs
    fairness: float  # Jain's index over the queues that want something; 1: all have the same share of their own
    largest_share: float  # of its own quota, the queue that uses most of it


@dataclass(frozen=True)
class ClassTold:
    gangs: int
    started: int
    wait_p50_s: Seconds
    wait_p95_s: Seconds
    wait_most_s: Seconds
    overtaken_most: int


@dataclass(frozen=True)
class Result:
    lives: Mapping[str, Life]
    moments: Sequence[Moment]
    gpus: int  # in the cluster
    preemptions: int
    decisions: int  # looks at the cluster

    @property
    def makespan_s(self) -> Seconds:
        """From the first arrival to the last end."""
        ends = [life.ended_s for life in self.lives.values() if life.ended_s is not None]
        return max(ends) - min(life.came_s for life in self.lives.values()) if ends else 0

    @property
    def utilisation(self) -> float:
        """GPU time used of GPU time there was, until the last end."""
        spans = zip(self.moments, self.moments[1:], strict=False)
        used = sum(moment.gpus_used * (after.at_s - moment.at_s) for moment, after in spans)
        whole = self.gpus * (self.moments[-1].at_s - self.moments[0].at_s) if self.moments else 0
        return used / whole if whole else 0.0

    @property
    def fairness(self) -> float:
        """Jain's index over time, the mean."""
        spans = list(zip(self.moments, self.moments[1:], strict=False))
        whole = sum(after.at_s - moment.at_s for moment, after in spans)
        return sum(moment.fairness * (after.at_s - moment.at_s) for moment, after in spans) / whole if whole else 1.0

    @property
    def starved(self) -> tuple[str, ...]:
        """Gangs that never started, though nothing was left to wait for."""
        return tuple(sorted(name for name, life in self.lives.items() if life.started_s is None))

    def waited_over(self, times: int) -> int:
        """Gangs that waited more than so many times as long as they ran: starvation, whatever came of them."""
        waited = ((life.waited_s, life.runs_s) for life in self.lives.values())
        return sum(1 for waited_s, runs_s in waited if waited_s is not None and waited_s > times * runs_s)

    def by_class(self) -> dict[str, ClassTold]:
        kinds = sorted({life.kind for life in self.lives.values()})
        return {kind: told([life for life in self.lives.values() if life.kind == kind]) for kind in kinds}


def told(lives: Sequence[Life]) -> ClassTold:
    waits = sorted(life.waited_s for life in lives if life.waited_s is not None)
    return ClassTold(
        gangs=len(lives),
        started=len(waits),
        wait_p50_s=percentile(waits, 50),
        wait_p95_s=percentile(waits, 95),
        wait_most_s=waits[-1] if waits else 0,
        overtaken_most=max((life.overtaken for life in lives), default=0),
    )


def percentile(values: Sequence[Seconds], percent: int) -> Seconds:
    """The smallest of the sorted values that so many percent do not exceed."""
    return values[max(0, -(-len(values) * percent // PERCENT) - 1)] if values else 0


def jain(shares: Sequence[float]) -> float:
    """Jain, Chiu and Hawe (1984): 1 where all have the same, 1/n where one has everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0
