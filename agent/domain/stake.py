"""What a change costs those whose work it stops: whose, how many pods, and the GPU-hours since their last checkpoint.

Counted by `agent/evidence/stakes.py`. It is no part of a proposal's digest, for it grows with every hour that nobody
answers; whether it has become worse than what was approved is asked in `covering.py`.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from agent.domain.base import Noun


class StakeKind(StrEnum):
    WORK = "work"  # it computes: what it has not saved is done again
    STILL = "still"  # a part of a gang that stands still already: nothing more is lost
    SERVED = "served"  # it answers requests and keeps nothing
    IDLE = "idle"  # it holds GPUs and does nothing; what it has in memory goes


class Stake(Noun):
    whose: str  # the gang, or what owns the pods
    tenant: str = ""
    kind: StakeKind
    pods: int = Field(ge=0)
    gpus: int = Field(ge=0)
    since: datetime | None = None  # from when on nothing of its work is known to be kept
    saved: bool = False  # `since` is when it says that it saved; otherwise when its first pod started
    gpu_hours: float | None = Field(default=0.0, ge=0)  # of work that is lost, at most; None: nobody knows


def gpu_hours(stakes: Iterable[Stake]) -> float | None:
    """Of all; None where nobody knows it of one of them."""
    hours = [stake.gpu_hours for stake in stakes]
    known = [each for each in hours if each is not None]
    return round(sum(known), 1) if len(known) == len(hours) else None


def grows_by(stakes: Iterable[Stake]) -> int:
    """GPU-hours more for every hour until it is done."""
    return sum(stake.gpus for stake in stakes if stake.kind is StakeKind.WORK)
