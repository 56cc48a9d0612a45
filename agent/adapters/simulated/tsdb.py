"""All series, found by name and labels. What belongs to the timeline the world never overwrites."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

import promql_parser

from agent.adapters.simulated.claims import Claims
from agent.adapters.simulated.exposition import Labels, samples_of
from agent.adapters.simulated.series import Segment, SeriesLog
from agent.evidence.labels import node_of

Author = Literal["scenario", "world"]
Matcher = Callable[[dict[str, str]], bool]


class SeriesStore:
    def __init__(self, start: datetime, scrape_interval: timedelta) -> None:
        if scrape_interval <= timedelta(0):
            raise ValueError(f"scrape interval {scrape_interval} is not above 0")
        self._start = start
        self.step_us = scrape_interval // timedelta(microseconds=1)
        self._series: dict[Labels, SeriesLog] = {}
        self._by_name: dict[str, list[SeriesLog]] = {}
        self._authors: dict[Labels, Author] = {}
        self._dropped: list[Matcher] = []
        self._claims = Claims()
        self._selections: dict[str, dict[str, list[SeriesLog]]] = {}  # by metric, until a new series of it comes
        self.writes: dict[str, int] = {}  # by metric: whoever kept what was read knows by it whether that still holds

    def offset_us(self, moment: datetime) -> int:
        return (moment - self._start) // timedelta(microseconds=1)

    def moment(self, offset_us: int) -> datetime:
        return self._start + timedelta(microseconds=offset_us)

    # -- writing -------------------------------------------------------------------------------------------------------

    def set_text(self, text: str, per_second: float | None, at: datetime) -> None:
        """Raises ValueError, and then nothing of the text counts."""
        segments = [
            (labels, Segment(self.offset_us(at), value, per_second or 0.0)) for labels, value in samples_of(text)
        ]
        for labels, segment in segments:
            self._authors[labels] = "scenario"
            self._write(self._log(labels), segment)
            if self._claims.claim(labels):
                self._end_where(self._claims.holds, at, "world")

    def set_by_world(self, labels: Labels, value: float | None, at: datetime, per_second: float = 0.0) -> None:
        """Unless the timeline has named or dropped this series. Without a value it goes on from where it is."""
        known = self._series.get(labels)
        named = known.named if known is not None else dict(labels)
        if self._authors.get(labels) == "scenario" or self._claims.holds(named):
            return
        if not any(matches(named) for matches in self._dropped):
            self._authors[labels] = "world"
            log, offset_us = self._log(labels), self.offset_us(at)
            self._write(log, Segment(offset_us, log.reached(offset_us) if value is None else float(value), per_second))

    def end_by_world(self, labels: Labels, at: datetime) -> None:
        if self._authors.get(labels) == "world":
            self._write(self._series[labels], Segment(self.offset_us(at), 0.0, 0.0, gone=True))

    def drop(self, selectors: Iterable[str], at: datetime) -> None:
        """Series that a selector matches are scraped no more, from this moment on."""
        for selector in selectors:
            matches = selector_matcher(selector)
            self._dropped.append(matches)
            self._end_where(matches, at)

    def _end_where(self, matches: Matcher, at: datetime, author: Author | None = None) -> None:
        for labels, log in self._series.items():
            if (author is None or self._authors[labels] == author) and matches(log.named):
                self._write(log, Segment(self.offset_us(at), 0.0, 0.0, gone=True))

    def heal(self, node: str, gpu_uuid: str | None, at: datetime) -> None:
        """After a repair the fault gauges of that node's GPUs read 0 again."""
        for log in self._series.values():
            named = log.named
            same_gpu = gpu_uuid is None or named.get("UUID") in (None, gpu_uuid)
            if named["__name__"] in FAULT_GAUGES and node_of(named) == node and same_gpu and not log.current.gone:
                self._write(log, Segment(self.offset_us(at), 0.0, 0.0))

    def _write(self, log: SeriesLog, segment: Segment) -> None:
        if log.set(segment):
            name = log.named["__name__"]
            self.writes[name] = self.writes.get(name, 0) + 1

    def _log(self, labels: Labels) -> SeriesLog:
        if labels not in self._series:
            log = self._series[labels] = SeriesLog(labels)
            name = log.named["__name__"]
            self._by_name.setdefault(name, []).append(log)
            for stale in (name, ""):  # and whoever asked for no metric by name
                self._selections.pop(stale, None)
        return self._series[labels]

    # -- reading -------------------------------------------------------------------------------------------------------

    def select(self, selector: Any) -> list[SeriesLog]:
        """The series that a parsed vector selector names, in the order of their labels."""
        known, text = self._selections.setdefault(selector.name or "", {}), selector.prettify()
        if text not in known:
            known[text] = self._search(selector)
        return known[text]

    def _search(self, selector: Any) -> list[SeriesLog]:
        matches = _matcher_of(selector)
        candidates = self._by_name.get(selector.name, []) if selector.name else list(self._series.values())
        return sorted((log for log in candidates if matches(log.named)), key=lambda log: log.labels)

    def contents(self) -> list[Any]:
        """Everything there is, comparable and serialisable."""
        return [
            [list(labels), [[s.from_us, s.value, s.per_second, s.gone] for s in self._series[labels].segments()]]
            for labels in sorted(self._series)
        ]


FAULT_GAUGES = ("DCGM_FI_DEV_XID_ERRORS", "DCGM_FI_DEV_ROW_REMAP_FAILURE")


def selector_matcher(text: str) -> Matcher:
    """'NAME{label="value"}' as PromQL has it. Raises ValueError."""
    try:
        parsed = promql_parser.parse(text)
    except ValueError as wrong:
        raise ValueError(f"series selector {text!r}: {wrong}") from wrong
    if not isinstance(parsed, promql_parser.VectorSelector):
        raise ValueError(f"series selector {text!r}: expected a name, labels in braces, or both")
    return _matcher_of(parsed)


def _matcher_of(selector: Any) -> Matcher:
    tests = [_test(each) for each in selector.matchers.matchers]
    either = [[_test(each) for each in group] for group in selector.matchers.or_matchers]

    def matches(labels: dict[str, str]) -> bool:
        if selector.name and labels["__name__"] != selector.name:
            return False
        return all(test(labels) for test in tests) and (
            not either or any(all(test(labels) for test in group) for group in either)
        )

    return matches


def _test(matcher: Any) -> Matcher:
    name, value = matcher.name, matcher.value
    if matcher.op == promql_parser.MatchOp.Equal:
        return lambda labels: labels.get(name, "") == value
    if matcher.op == promql_parser.MatchOp.NotEqual:
        return lambda labels: labels.get(name, "") != value
    pattern = re.compile(value)
    if matcher.op == promql_parser.MatchOp.Re:
        return lambda labels: pattern.fullmatch(labels.get(name, "")) is not None
    return lambda labels: pattern.fullmatch(labels.get(name, "")) is None
