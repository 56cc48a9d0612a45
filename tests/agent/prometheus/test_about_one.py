"""Who looks at one machine of a large fleet reads that one, and judges as if all had been read."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from agent.adapters.prometheus import shared
from agent.adapters.prometheus.shared import SharedMetrics
from agent.adapters.simulated.clock import SimulatedClock
from agent.adapters.simulated.faults import FaultBoard
from agent.adapters.simulated.metrics import SimulatedMetrics
from agent.adapters.simulated.tsdb import SeriesStore
from agent.evidence.node_names import ClusterNames
from agent.evidence.reading import GPU_METRICS, XID_METRIC, read_current_xids, read_gpus, read_xids
from agent.ports import Metrics, Series

START = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
NOW = START + timedelta(hours=2)
NODES = ("gpu-1", "gpu-2", "gpu-10", "gpu-3.prod.example.com", "gpu-4", "10.0.0.1")
NAMED = (
    'Hostname="gpu-1"',
    'Hostname="gpu-1.prod.example.com"',
    'hostname="gpu-2.prod.example.com"',
    'exported_node="gpu-10"',
    'kubernetes_node="gpu-3"',
    'node="gpu-4",instance="10.0.0.9:9400"',
    'instance="gpu-4.prod.example.com:9400"',
    'instance="gpu-2:9400"',
    'node="10.0.0.1"',
    'Hostname="gpu-2",node="gpu-1"',
)


class Asked:
    """Writes down what is asked of the metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.queries: list[str] = []

    def instant(self, query: str, at: datetime) -> list[Series]:
        self.queries.append(query)
        return self._metrics.instant(query, at)

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        self.queries.append(query)
        return self._metrics.range(query, start, end, step)


@pytest.fixture
def asked() -> Asked:
    clock = SimulatedClock(START)
    store = SeriesStore(START, timedelta(seconds=15))
    for number, labels in enumerate(NAMED):
        lines = (f'{name}{{{labels},UUID="GPU-{number}",gpu="{number}"}}' for name in GPU_METRICS)
        store.set_text("".join(f"{line} 0\n" for line in lines), None, START)
        last = f'{XID_METRIC}{{{labels},UUID="GPU-{number}",gpu="{number}"}} {number % 3 * 31}\n'
        store.set_text(last, None, START + timedelta(minutes=number))
    return Asked(SimulatedMetrics(store, FaultBoard(clock)))


READERS: tuple[Callable[[Metrics, str, datetime], object], ...] = (read_xids, read_current_xids, read_gpus)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(shared, "POINTS_FOR_ALL", 0)
    return iter(())


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("read", READERS)
def test_one_machine_reads_as_it_does_among_all(
    read: Callable[[Metrics, str, datetime], object], node: str, asked: Asked
) -> None:
    whole = read(ClusterNames(asked, NODES), node, NOW)
    asked.queries.clear()
    assert read(ClusterNames(SharedMetrics(asked), NODES), node, NOW) == whole
    assert all(" or " in query for query in asked.queries), asked.queries


def test_it_says_something_at_all(asked: Asked) -> None:
    found = [read_gpus(ClusterNames(asked, NODES), node, NOW).known for node in NODES]
    assert sum(map(len, found)) >= len(NODES)


def test_little_is_read_whole_so_that_all_who_look_share_it(asked: Asked) -> None:
    metrics = SharedMetrics(asked)
    metrics.instant(XID_METRIC, NOW)
    for node in NODES:
        read_current_xids(ClusterNames(metrics, NODES), node, NOW)
    assert asked.queries == [XID_METRIC]


def test_how_much_it_is_counts_with_the_time_that_is_read(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "POINTS_FOR_ALL", 100)  # ten series, of which a day has 289 moments
    metrics = SharedMetrics(asked)
    metrics.instant(XID_METRIC, NOW)
    asked.queries.clear()
    read_current_xids(ClusterNames(metrics, NODES), "gpu-1", NOW)
    assert not asked.queries
    read_xids(ClusterNames(metrics, NODES), "gpu-1", NOW)
    assert [" or " in query for query in asked.queries] == [True]


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("query", ['up{job="x"}', "sum(up)", "up offset 1m"])
def test_what_is_no_bare_name_is_asked_as_it_is(query: str, asked: Asked) -> None:
    told = []

    class Told(Asked):
        def instant(self, query: str, at: datetime) -> list[Series]:
            told.append(query)
            return []

    SharedMetrics(Told(asked)).about("gpu-1").instant(query, NOW)
    assert told == [query]


@pytest.mark.usefixtures("large")
def test_a_name_that_could_mean_more_to_a_pattern_is_not_made_one(asked: Asked) -> None:
    SharedMetrics(asked).about('a"} or {__name__=~".*').instant("up", NOW)
    assert asked.queries == ["up"]
