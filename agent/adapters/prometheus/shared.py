"""One answer for all who ask the same within a second: in a storm many incidents look at the same gauges at once.

Moments are taken to the whole second below, so that two looks of one second ask for the same; a moment in the future is
never asked for. Exporters are scraped every 5 to 60 s, so that an answer that is a second old is the newest there is in
all but one case in five at worst, and a sample carries its own time: who judges freshness judges by that, not by when
it was asked for. Whoever waits for something to come true waits for 20 s or more (settling, verification) and asks anew
then. What failed is not kept; neither is more than a bounded number of points.

Who looks at one machine asks about all of them while that is little, since the others who look ask the same then. In a
large fleet a day of every GPU's last code would be millions of points, and it asks about that machine alone.
"""

import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from agent.evidence.labels import NODE
from agent.ports import Metrics, Series

KEPT_S = 1.0  # by this process' own steady clock, whatever moment was asked about
POINTS_KEPT = 200_000  # in all answers together, some 20 MB; who asks for more asks each time
POINTS_FOR_ALL = 5_000  # a tenth of a second to read; more than so many are not read for the sake of one machine
_LABELS = (*NODE, "instance")  # where a machine's name may stand
_BARE = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_PLAIN = re.compile(r"[A-Za-z0-9-]+")

Asked = tuple[str, datetime, datetime, timedelta]


class SharedMetrics:
    """Implements ports.Metrics over another. Thread-safe; two who ask at the very same time may both ask."""

    def __init__(self, metrics: Metrics, steady: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._steady = steady
        self._lock = threading.Lock()
        self._known: dict[Asked, tuple[float, list[Series]]] = {}  # the oldest first
        self._points = 0
        self._series: dict[str, int] = {}  # how many a metric had when it was last asked for whole

    def about(self, node: str) -> Metrics:
        """At least all that is said of the machines whose name begins with the same word."""
        return _About(self, node.partition(".")[0])

    def is_little(self, metric: str, moments: int) -> bool:
        """What nobody has asked for yet may be much."""
        known = self._series.get(metric)
        return known is not None and known * moments <= POINTS_FOR_ALL

    def instant(self, query: str, at: datetime) -> list[Series]:
        at = _second(at)
        return self._shared((query, at, at, timedelta(0)), lambda: self._metrics.instant(query, at))

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        start, end = _second(start), _second(end)
        return self._shared((query, start, end, step), lambda: self._metrics.range(query, start, end, step))

    def _shared(self, asked: Asked, ask: Callable[[], list[Series]]) -> list[Series]:
        began = self._steady()  # an answer is as old as its question
        with self._lock:
            self._forget(began)
            if asked in self._known:
                return list(self._known[asked][1])
        found = ask()
        with self._lock:
            self._keep(asked, began, found)
            if _BARE.fullmatch(asked[0]):
                self._series[asked[0]] = len(found)
        return list(found)

    def _keep(self, asked: Asked, began: float, found: list[Series]) -> None:
        points = _points(found)
        if points <= POINTS_KEPT - self._points and asked not in self._known:
            self._known[asked] = began, found
            self._points += points

    def _forget(self, now: float) -> None:
        old = [asked for asked, (began, _) in self._known.items() if not 0 <= now - began < KEPT_S]
        for asked in old:
            self._points -= _points(self._known.pop(asked)[1])


class _About:
    """Implements ports.Metrics for one machine."""

    def __init__(self, metrics: SharedMetrics, word: str) -> None:
        self._metrics = metrics
        self._word = word

    def instant(self, query: str, at: datetime) -> list[Series]:
        return self._metrics.instant(self._narrowed(query, 1), at)

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        return self._metrics.range(self._narrowed(query, (end - start) // step + 1), start, end, step)

    def _narrowed(self, query: str, moments: int) -> str:
        if not (_BARE.fullmatch(query) and _PLAIN.fullmatch(self._word)) or self._metrics.is_little(query, moments):
            return query
        return " or ".join(f'{query}{{{label}=~"{self._word}([.:].*)?"}}' for label in _LABELS)


def _points(found: list[Series]) -> int:
    return sum(1 + len(one.points) for one in found)


def _second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
