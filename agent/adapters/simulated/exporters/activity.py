"""What a pod makes of its GPUs, as numbers that fit together: no GPU draws power for nothing.

Every number comes from the pod's name and, for notebooks, from which few minutes of the day it is. So a series changes
only when something has happened, or at those steps.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.domain.base import digest_of

LEAST_BUSY_PERCENT = 85  # of a training process or a full replica
BUSY_SPREAD_PERCENT = 14
LEAST_SERVING_PERCENT = 15  # of a replica with a single request
BURST = timedelta(minutes=5)  # a notebook computes or thinks for so long
SURE_BURST_EVERY = 4  # of the spells at least every fourth is at work, so no notebook is idle for 20 minutes
SHARE_BESIDE_STRAGGLER = 0.4  # how much of the time is left to those who wait for the slowest


@dataclass(frozen=True, slots=True)
class Activity:
    """Of each GPU of a pod. `memory` and `effort` are shares: of its memory, and of the way from idle to peak power."""

    percent: int = 0
    tensor: float = 0.0
    memory: float = 0.0
    effort: float = 0.0


NOTHING = Activity()
IDLE = Activity(memory=0.3)  # a model is loaded, nobody computes
FINISHED = Activity(memory=0.85)  # as IDLE, with all that the training had allocated
HANGING = Activity(100, 0.0, 0.85, 0.12)  # a collective spins on every SM: busy by the clock, no work and little power


def working(name: str) -> Activity:
    percent = LEAST_BUSY_PERCENT + _chance(name, BUSY_SPREAD_PERCENT)
    return Activity(percent, percent / 200, 0.75, percent / 100)


def beside_straggler(name: str) -> Activity:
    """Spins while it waits for the slowest, which itself is always at work."""
    share = SHARE_BESIDE_STRAGGLER
    return Activity(100, round(working(name).tensor * share, 3), 0.75, round(0.12 + 0.6 * share, 3))


def serving(busy: float) -> Activity:
    """`busy`: the share of a replica's capacity that is taken. The model stays loaded without any request."""
    if busy <= 0:
        return Activity(memory=0.9)
    percent = round(LEAST_SERVING_PERCENT + (LEAST_BUSY_PERCENT - LEAST_SERVING_PERCENT) * min(1.0, busy))
    return Activity(percent, percent / 300, 0.9, percent / 100)


def bursting(name: str, now: datetime) -> Activity:
    spell = int(now.timestamp()) // int(BURST.total_seconds())
    if spell % SURE_BURST_EVERY and _chance(f"{name}:{spell}", 3):
        return IDLE
    percent = 20 + _chance(f"{name}:{spell}:percent", 70)
    return Activity(percent, percent / 250, 0.4, percent / 100)


def next_spell(now: datetime) -> datetime:
    """When bursts may change."""
    passed = timedelta(seconds=now.timestamp() % BURST.total_seconds())
    return now - passed + BURST


def _chance(text: str, below: int) -> int:
    return int(digest_of(text)[:8], 16) % below
