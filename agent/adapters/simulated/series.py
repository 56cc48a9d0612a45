"""Time series kept as change points, sampled on the scrape grid when they are read.

A series is a list of segments: from this moment on it has this value and grows at this rate, or is gone. Nine hours
of scrapes of a steady series are one segment, and everything a range function asks of it is arithmetic on runs.
Moments are whole microseconds from the start of the simulation, so that the grid is exact.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from agent.adapters.simulated.exposition import Labels

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Segment:
    from_us: int
    value: float
    per_second: float
    gone: bool = False

    def at(self, moment_us: int) -> float:
        if not self.per_second:
            return self.value
        return self.value + self.per_second * ((moment_us - self.from_us) / SECOND_US)


@dataclass(frozen=True, slots=True)
class Run:
    """Samples at equal distances whose values form an arithmetic progression."""

    first_us: int
    step_us: int
    count: int
    first: float
    increment: float

    @property
    def last(self) -> float:
        return self.first + self.increment * (self.count - 1)

    @property
    def last_us(self) -> int:
        return self.first_us + self.step_us * (self.count - 1)


class SeriesLog:
    """One series."""

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.named = dict(labels)  # for readers, who share it and only read
        self._segments: list[Segment] = []
        self._starts: list[int] = []

    @property
    def current(self) -> Segment:
        return self._segments[-1]

    def reached(self, moment_us: int) -> float:
        """How far a counter has come; 0 for one that begins, or begins again."""
        return self.current.at(moment_us) if self._segments and not self.current.gone else 0.0

    def segments(self) -> tuple[Segment, ...]:
        return tuple(self._segments)

    def set(self, segment: Segment) -> bool:
        """From `segment.from_us` on; moments come in order. False when it says nothing new."""
        if self._segments and self.current.from_us > segment.from_us:
            raise ValueError(f"metrics: {dict(self.labels)} was set for a later time already")
        if self._segments and self.current.from_us == segment.from_us:
            self._segments.pop()
            self._starts.pop()
        elif self._segments and _same(self.current, segment):
            return False
        self._segments.append(segment)
        self._starts.append(segment.from_us)
        return True

    def at(self, moment_us: int) -> Segment | None:
        index = bisect_right(self._starts, moment_us) - 1
        return self._segments[index] if index >= 0 and not self._segments[index].gone else None

    def shown(self, scrape_us: int, at_us: int) -> float | None:
        """What a reader at `at_us` sees of the scrape before: nothing of what has ended since."""
        newest = self._segments[-1]
        if newest.from_us <= scrape_us:  # mostly so: nothing to look for
            return None if newest.gone else newest.at(scrape_us)
        segment = self.at(scrape_us)
        return segment.at(scrape_us) if segment is not None and self.at(at_us) is not None else None

    @property
    def grows(self) -> bool:
        return bool(self.current.per_second)

    def runs(self, after_us: int, until_us: int, step_us: int) -> Iterator[Run]:
        """The scrapes in (after, until], oldest first."""
        index = max(0, bisect_right(self._starts, after_us) - 1)
        while index < len(self._segments) and self._segments[index].from_us <= until_us:
            segment = self._segments[index]
            index += 1
            end_us = self._segments[index].from_us - 1 if index < len(self._segments) else until_us
            first_us = _grid_up(max(segment.from_us, after_us + 1), step_us)
            last_us = _grid_down(min(end_us, until_us), step_us)
            if not segment.gone and first_us <= last_us:
                count = (last_us - first_us) // step_us + 1
                increment = segment.per_second * (step_us / SECOND_US)
                yield Run(first_us, step_us, count, segment.at(first_us), increment)


def _same(old: Segment, new: Segment) -> bool:
    """A steady series set to what it is already."""
    if old.gone or new.gone:
        return old.gone and new.gone
    return old.value == new.value and not old.per_second and not new.per_second


def _grid_up(moment_us: int, step_us: int) -> int:
    return -(-moment_us // step_us) * step_us


def _grid_down(moment_us: int, step_us: int) -> int:
    return moment_us // step_us * step_us
