"""The nouns of preemption: who is sent back, for whom, and why."""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    IN_QUEUE = "InClusterQueue"
    RECLAIM = "InCohortReclamation"
    FAIR_SHARING = "InCohortFairSharing"
    RECLAIM_WHILE_BORROWING = "InCohortReclaimWhileBorrowing"


@dataclass(frozen=True)
class Victim:
    gang: str
    cause: Cause


@dataclass(frozen=True)
class Preemption:
    """`gang` fits once all the victims have left."""

    gang: str
    victims: tuple[Victim, ...]
