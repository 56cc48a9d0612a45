"""When troubles come: one in each slot of the day, at a moment in it that follows how arrivals spread over an hour."""

from datetime import timedelta
from random import Random

from agent.scenarios.generate.trace import BINS, Statistics

JITTER_PERCENT = 10  # of a slot: two troubles stay almost a whole slot apart


def offsets(rng: Random, count: int, slot: timedelta, statistics: Statistics) -> list[timedelta]:
    """A moment in each slot, in the order of the day, in whole seconds and never at its very beginning."""
    found = []
    for number in range(count):
        part = (rng.choices(range(BINS), statistics.within_hour)[0] + rng.random()) / BINS
        jitter = slot * part * JITTER_PERCENT / 100
        found.append(slot * number + timedelta(minutes=5, seconds=int(jitter.total_seconds())))
    return found
