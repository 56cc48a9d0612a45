"""What a door could not read, on the record, and no more of it than a log can bear.

Whoever may send something can send what cannot be read, as fast as they like, and each refusal is a record for years.
So of each door some are recorded one by one, of what is alike fewer; the rest of a time is counted, and the count is a
record when that time is over, with the first and the last of them. What was counted in a time that is not over when the
process is killed is not on the record.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.domain.base import rfc3339
from agent.ports import Clock, Fault, JsonObject, Ledger

WINDOW_S = 600
ALIKE_AT_MOST = 3  # of the same place and reason: the fourth says nothing that the others did not
OF_A_DOOR_AT_MOST = 120  # a delivery names a hundred at most; of one door that is 9 MB of records a day at worst
PLACE_CHARS, REASON_CHARS = 200, 400  # both may quote what came in


@dataclass(slots=True)
class _Window:
    """Of one door."""

    until: datetime
    said: dict[tuple[str, str], int] = field(default_factory=dict)
    recorded: int = 0
    left_out: int = 0
    first: str = ""
    last: str = ""
    since: datetime | None = None


class Refusals:
    """One per agent, called from any thread: (door, place, reason). A log that is down stops no door."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self._windows: dict[str, _Window] = {}  # doors are our own words
        self._lock = threading.Lock()

    def __call__(self, door: str, place: str, reason: str) -> None:
        now, place, reason = self._clock.now(), _cut(place, PLACE_CHARS), _cut(reason, REASON_CHARS)
        with self._lock:
            over = self._over(door, now)
            passes = self._passes(door, place, reason, now)
        for payload in (*over, *([_payload(door, place, reason, now)] if passes else ())):
            self._record(payload)

    def close_windows(self) -> None:
        """Records what was counted in times that are over."""
        now = self._clock.now()
        with self._lock:
            over = [payload for door in sorted(self._windows) for payload in self._over(door, now)]
        for payload in over:
            self._record(payload)

    def close(self) -> None:
        """Records what was counted until now."""
        with self._lock:
            left = [payload for door in sorted(self._windows) for payload in self._ended(door)]
        for payload in left:
            self._record(payload)

    def _over(self, door: str, now: datetime) -> list[JsonObject]:
        window = self._windows.get(door)
        return self._ended(door) if window is not None and now >= window.until else []

    def _ended(self, door: str) -> list[JsonObject]:
        window = self._windows.pop(door)
        return [_counted(door, window, self._clock.now())] if window.left_out else []

    def _passes(self, door: str, place: str, reason: str, now: datetime) -> bool:
        window = self._windows.setdefault(door, _Window(now + timedelta(seconds=WINDOW_S)))
        alike = window.said.get((place, reason), 0)
        if alike < ALIKE_AT_MOST and window.recorded < OF_A_DOOR_AT_MOST:
            window.said[place, reason] = alike + 1
            window.recorded += 1
            return True
        window.last = f"{place}: {reason}"
        window.first = window.first or window.last
        window.since = window.since or now
        window.left_out += 1
        return False

    def _record(self, payload: JsonObject) -> None:
        with suppress(Fault):
            self._ledger.record("refused", payload)


def _payload(door: str, place: str, reason: str, now: datetime) -> JsonObject:
    return {"door": door, "place": place, "reason": reason, "at": rfc3339(now)}


def _counted(door: str, window: _Window, now: datetime) -> JsonObject:
    since = rfc3339(window.since or now)
    said = f"first {window.first}" + ("" if window.first == window.last else f"; last {window.last}")
    reason = f"and {window.left_out} more since {since}, which were counted and not recorded one by one: {said}"
    return {**_payload(door, "", reason, now), "count": window.left_out, "since": since}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
