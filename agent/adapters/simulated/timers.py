"""What is due when: kubelets starting a pod, a repair that ends. Equal times run in the order they were set."""

from collections.abc import Callable
from datetime import datetime
from heapq import heappop, heappush
from itertools import count


class Timers:
    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, moment: datetime, action: Callable[[], None]) -> None:
        """`action` looks at the world anew when it runs: nothing is ever taken back from here."""
        heappush(self._heap, (moment, next(self._order), action))

    def next_due(self) -> datetime | None:
        return self._heap[0][0] if self._heap else None

    def run_next(self) -> None:
        heappop(self._heap)[2]()
