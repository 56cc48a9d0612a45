"""How the agent is: whether its loop turns, and what came of the last look at each server it depends on."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agent.adapters.telemetry.instruments import Instruments
from agent.domain.base import rfc3339
from agent.ports import Clock, Fault

STUCK_AFTER_S = 600.0
"""A look at a server whose every answer times out takes minutes; a loop that stands still for longer will not go on."""


@dataclass(frozen=True, slots=True)
class Look:
    """`fault` is None while it answers; `since` is when that became so."""

    since: datetime
    seen_at: datetime | None = None
    fault: str | None = None

    def json_object(self) -> dict[str, object]:
        seen = None if self.seen_at is None else rfc3339(self.seen_at)
        return {"answers": self.fault is None, "since": rfc3339(self.since), "seen_at": seen, "fault": self.fault}


class Health:
    """Told by the loop's thread, asked by the server's."""

    def __init__(self, clock: Clock, clock_s: Callable[[], float], instruments: Instruments) -> None:
        self._clock, self._clock_s, self._instruments = clock, clock_s, instruments
        self._turned_s = clock_s()
        self._looks: dict[str, Look] = {}
        self._lock = threading.Lock()

    def turned(self) -> None:
        self._turned_s = self._clock_s()

    def dead(self) -> str | None:
        still_s = self._clock_s() - self._turned_s
        return f"the loop has stood still for {still_s:.0f} s" if still_s > STUCK_AFTER_S else None

    def looked(self, at: str, fault: Fault | None) -> None:
        now, said = self._clock.now(), None if fault is None else " ".join(str(fault).split())[:300]
        if fault is None:
            self._instruments.looked.labels(at).set(now.timestamp())
        else:
            self._instruments.faults.labels(at).inc()
        with self._lock:
            before = self._looks.get(at)
            turned = before is None or (before.fault is None) != (fault is None)
            since = now if before is None or turned else before.since
            seen_at = now if fault is None else before.seen_at if before else None
            self._looks[at] = Look(since, seen_at, said)

    def has_seen(self, place: str) -> bool:
        with self._lock:
            look = self._looks.get(place)
        return look is not None and look.seen_at is not None

    def details(self) -> dict[str, object]:
        with self._lock:
            return {place: look.json_object() for place, look in sorted(self._looks.items())}
