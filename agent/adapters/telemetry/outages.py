"""Says of each server when it stopped to answer and when it answers again, and in between only that it still does not.

A look comes every few seconds; a line for each would bury the rest of the process log.
"""

import logging
from datetime import datetime, timedelta

from agent.domain.base import rfc3339
from agent.ports import Clock, Fault

REMINDED_S = 900
FAULT_CHARS = 500

log = logging.getLogger("watchkeeper.looks")


class Outages:
    """Driven by one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[str, datetime] = {}
        self._said: dict[str, datetime] = {}
        self._times: dict[str, int] = {}

    def away(self, place: str, fault: Fault) -> None:
        now, said = self._clock.now(), " ".join(str(fault).split())[:FAULT_CHARS]
        since = self._since.setdefault(place, now)
        self._times[place] = self._times.get(place, 0) + 1
        if place not in self._said:
            log.warning("%s does not answer: %s", place, said)
        elif now - self._said[place] < timedelta(seconds=REMINDED_S):
            return
        else:
            log.warning("%s has not answered since %s, %d times: %s", place, rfc3339(since), self._times[place], said)
        self._said[place] = now

    def answers(self, place: str) -> None:
        since, times = self._since.pop(place, None), self._times.pop(place, 0)
        self._said.pop(place, None)
        if since is not None:
            log.info("%s answers again; it did not %d times since %s", place, times, rfc3339(since))
