"""Answers shared within a second: never older than that, never a fault, and each sample with its own time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from agent.adapters.prometheus.client import PrometheusMetrics
from agent.adapters.prometheus.shared import KEPT_S, POINTS_KEPT, SharedMetrics
from agent.ports import MetricsUnavailable, Series

AT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
SCRAPED = AT - timedelta(seconds=17)
STEP = timedelta(seconds=60)


class Prometheus:
    """Numbers its answers; away for as long as `away` says."""

    def __init__(self, series: int = 1) -> None:
        self.asked: list[tuple[str, datetime, datetime]] = []
        self.away = False
        self._series = series
        self._numbers: Iterator[int] = count(1)

    def instant(self, query: str, at: datetime) -> list[Series]:
        return self.range(query, at, at, STEP)

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        self.asked.append((query, start, end))
        if self.away:
            raise MetricsUnavailable("away")
        number = float(next(self._numbers))
        return [Series({"n": str(each)}, ((SCRAPED, number),)) for each in range(self._series)]


class Steady:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def behind() -> Prometheus:
    return Prometheus()


@pytest.fixture
def clock() -> Steady:
    return Steady()


@pytest.fixture
def shared(behind: Prometheus, clock: Steady) -> SharedMetrics:
    return SharedMetrics(behind, clock)


def value(found: list[Series]) -> float:
    return found[0].points[0][1]


def test_who_asks_within_the_same_second_is_told_the_same(shared: SharedMetrics, behind: Prometheus) -> None:
    told = [shared.instant("up", AT + timedelta(milliseconds=each)) for each in (0, 300, 999)]
    assert [value(each) for each in told] == [1, 1, 1]
    assert behind.asked == [("up", AT, AT)]


def test_a_range_is_shared_too_and_never_reaches_into_the_future(shared: SharedMetrics, behind: Prometheus) -> None:
    for late_ms in (600, 900):
        end = AT + timedelta(milliseconds=late_ms)
        assert value(shared.range("up", end - timedelta(hours=1), end, STEP)) == 1
    assert behind.asked == [("up", AT - timedelta(hours=1), AT)]


@pytest.mark.parametrize(
    "other",
    [
        lambda m: m.instant("up", AT + timedelta(seconds=1)),
        lambda m: m.instant("down", AT),
        lambda m: m.range("up", AT, AT, STEP),
        lambda m: m.range("up", AT - STEP, AT, STEP),
    ],
)
def test_another_question_has_an_answer_of_its_own(shared: SharedMetrics, other: object) -> None:
    assert callable(other)
    assert value(shared.instant("up", AT)) == 1
    assert value(other(shared)) == 2


def test_an_answer_is_not_told_again_a_second_after_it_was_asked_for(shared: SharedMetrics, clock: Steady) -> None:
    """Whatever moment is asked about: a backlog may ask about one that is long past."""
    assert value(shared.instant("up", AT)) == 1
    clock.now += KEPT_S * 0.99
    assert value(shared.instant("up", AT)) == 1
    clock.now += KEPT_S * 0.02
    assert value(shared.instant("up", AT)) == 2


def test_its_age_counts_from_the_question(clock: Steady) -> None:
    """A server that takes long answers with what it read at the beginning."""

    class Slow(Prometheus):
        def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
            clock.now += 0.8
            return super().range(query, start, end, step)

    shared = SharedMetrics(Slow(), clock)
    assert value(shared.instant("up", AT)) == 1
    clock.now += 0.3
    assert value(shared.instant("up", AT)) == 2


def test_what_failed_is_asked_again(shared: SharedMetrics, behind: Prometheus) -> None:
    behind.away = True
    with pytest.raises(MetricsUnavailable):
        shared.instant("up", AT)
    behind.away = False
    assert value(shared.instant("up", AT)) == 1


def test_a_sample_keeps_the_time_of_its_scrape(shared: SharedMetrics) -> None:
    """Who judges freshness reads the samples' time; that they were handed out twice makes them no younger."""
    told = [shared.instant("up", AT)[0].points for _ in range(2)]
    assert told == [((SCRAPED, 1.0),)] * 2


def test_a_list_that_is_changed_changes_nobody_elses(shared: SharedMetrics) -> None:
    shared.instant("up", AT).clear()
    assert value(shared.instant("up", AT)) == 1


def test_no_more_is_kept_than_a_bounded_number_of_points(clock: Steady) -> None:
    behind = Prometheus(series=POINTS_KEPT // 4)
    shared = SharedMetrics(behind, clock)
    for query in ("a", "b", "c", "a", "b", "c"):
        shared.instant(query, AT)
    assert [query for query, *_ in behind.asked] == ["a", "b", "c", "c"]
    clock.now += KEPT_S
    for query in ("c", "c"):  # the old ones have made room
        shared.instant(query, AT)
    assert [query for query, *_ in behind.asked][4:] == ["c"]


def test_what_the_environment_says_of_the_way_there_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read once: a proxy that is not there is tried, and said."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    metrics = PrometheusMetrics("http://prometheus.example:9090")
    monkeypatch.delenv("http_proxy")
    with pytest.raises(MetricsUnavailable, match=r"[Pp]roxy"):
        metrics.instant("up", AT)
