"""The metrics store: what is set holds, what grows grows, what is dropped is gone; read as Prometheus would read it."""

import time
from datetime import timedelta

import pytest
from world_builders import START, at, world

from agent.adapters.simulated.promql_operators import UnsupportedQuery
from agent.adapters.simulated.world import World
from agent.ports import MetricsUnavailable

SERIES = """\
# HELP DCGM_FI_DEV_GPU_UTIL utilisation
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{gpu="0",namespace="a",pod="p"} 10
DCGM_FI_DEV_GPU_UTIL{gpu="1",namespace="a",pod="p"} 30
DCGM_FI_DEV_GPU_UTIL{gpu="0",namespace="b",pod="q"} 80
vllm:num_requests_running{namespace="a",pod="p"} 0
"""


def measured() -> World:
    """Ten minutes of history: utilisation, and steps that grow by two a second."""
    made = world()
    made.begin_at(at(-600))
    made.set_metrics(SERIES)
    made.set_metrics('steps_total{pod="p"} 100\n', rate_per_second=2)
    made.advance_to(at(0))
    return made


def values(made: World, query: str, second: float = 0) -> dict[str, float]:
    """pod/gpu (or whatever labels are left) -> value."""
    found = made.metrics.instant(query, at(second))
    shown = {}
    for series in found:
        name = "/".join(value for label, value in sorted(series.labels.items(), reverse=True) if label != "__name__")
        shown[name] = round(series.points[0][1], 6)
    return shown


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("DCGM_FI_DEV_GPU_UTIL", {"p/a/0": 10, "p/a/1": 30, "q/b/0": 80}),
        ('DCGM_FI_DEV_GPU_UTIL{pod="p",gpu!="0"}', {"p/a/1": 30}),
        ('DCGM_FI_DEV_GPU_UTIL{pod=~"p|q",namespace!~"a.*"}', {"q/b/0": 80}),
        ('{__name__=~"DCGM.*",pod="q"}', {"q/b/0": 80}),
        ('DCGM_FI_DEV_GPU_UTIL{pod=~"x"}', {}),
        ('DCGM_FI_DEV_GPU_UTIL{absent=""}', {"p/a/0": 10, "p/a/1": 30, "q/b/0": 80}),
        ("vllm:num_requests_running", {"p/a": 0}),
        ("DCGM_FI_DEV_GPU_UTIL offset 5m", {"p/a/0": 10, "p/a/1": 30, "q/b/0": 80}),
        ("DCGM_FI_DEV_GPU_UTIL offset 20m", {}),
        ("steps_total", {"p": 1300}),
        ("rate(steps_total[5m])", {"p": 2}),
        ("increase(steps_total[5m])", {"p": 600}),
        ("delta(steps_total[1m])", {"p": 120}),
        ("avg_over_time(steps_total[1m])", {"p": 1255}),
        ("min_over_time(steps_total[1m])", {"p": 1210}),
        ("max_over_time(steps_total[1m])", {"p": 1300}),
        ("sum_over_time(DCGM_FI_DEV_GPU_UTIL[1m])", {"p/a/0": 40, "p/a/1": 120, "q/b/0": 320}),
        ("count_over_time(steps_total[5m])", {"p": 20}),
        ("last_over_time(steps_total[5m])", {"p": 1300}),
        ("sum(DCGM_FI_DEV_GPU_UTIL)", {"": 120}),
        ("avg by (pod) (DCGM_FI_DEV_GPU_UTIL)", {"p": 20, "q": 80}),
        ("max without (gpu) (DCGM_FI_DEV_GPU_UTIL)", {"p/a": 30, "q/b": 80}),
        ("min(DCGM_FI_DEV_GPU_UTIL)", {"": 10}),
        ("count by (namespace) (DCGM_FI_DEV_GPU_UTIL)", {"a": 2, "b": 1}),
        ("topk(1, DCGM_FI_DEV_GPU_UTIL)", {"q/b/0": 80}),
        ("topk by (pod) (1, DCGM_FI_DEV_GPU_UTIL)", {"p/a/1": 30, "q/b/0": 80}),
        ("DCGM_FI_DEV_GPU_UTIL > 20", {"p/a/1": 30, "q/b/0": 80}),
        ("20 > DCGM_FI_DEV_GPU_UTIL", {"p/a/0": 10}),
        ("DCGM_FI_DEV_GPU_UTIL > bool 20", {"p/a/0": 0, "p/a/1": 1, "q/b/0": 1}),
        ("max by (pod) (max_over_time(DCGM_FI_DEV_GPU_UTIL[10m])) <= 30", {"p": 30}),
        ("DCGM_FI_DEV_GPU_UTIL / 100", {"p/a/0": 0.1, "p/a/1": 0.3, "q/b/0": 0.8}),
        ("100 - DCGM_FI_DEV_GPU_UTIL", {"p/a/0": 90, "p/a/1": 70, "q/b/0": 20}),
        ("-(DCGM_FI_DEV_GPU_UTIL * 2)", {"p/a/0": -20, "p/a/1": -60, "q/b/0": -160}),
        ("1 + 2 * 3", {"": 7}),
        ("DCGM_FI_DEV_GPU_UTIL and on (pod) vllm:num_requests_running", {"p/a/0": 10, "p/a/1": 30}),
        ("DCGM_FI_DEV_GPU_UTIL unless on (pod) vllm:num_requests_running", {"q/b/0": 80}),
        ('DCGM_FI_DEV_GPU_UTIL{pod="q"} or vllm:num_requests_running', {"q/b/0": 80, "p/a": 0}),
        ('DCGM_FI_DEV_GPU_UTIL{pod="p"} and ignoring (gpu) vllm:num_requests_running', {"p/a/0": 10, "p/a/1": 30}),
    ],
)
def test_promql(query: str, expected: dict[str, float]) -> None:
    assert values(measured(), query) == expected


@pytest.mark.parametrize(
    "query",
    [
        "histogram_quantile(0.9, x)",
        "quantile(0.9, x)",
        "x[5m:1m]",
        "x[5m]",
        "a * b",
        "x @ 1000",
        "abs(x)",
        "x{",
        '"text"',
        "x ^ 2",
    ],
)
def test_what_is_not_known_is_refused_by_name(query: str) -> None:
    with pytest.raises(UnsupportedQuery, match=r"x|a \* b|text") as refused:
        measured().metrics.instant(query, START)
    assert isinstance(refused.value, MetricsUnavailable)


def test_a_value_is_seen_from_the_next_scrape_on() -> None:
    made = world()
    made.set_metrics("load 1\n")
    made.advance_to(at(20))
    made.set_metrics("load 2\n")
    made.advance_to(at(60))
    seen = {second: values(made, "load", second) for second in (0, 20, 29, 30, 60)}
    assert seen == {0: {"": 1}, 20: {"": 1}, 29: {"": 1}, 30: {"": 2}, 60: {"": 2}}


def test_a_dropped_series_is_stale_at_once_and_its_past_remains() -> None:
    made = measured()
    made.advance_to(at(20))
    made.drop_metrics(['DCGM_FI_DEV_GPU_UTIL{pod="p"}', '{namespace="b"}'])
    made.advance_to(at(60))
    assert values(made, "DCGM_FI_DEV_GPU_UTIL", 20) == {}
    assert values(made, "DCGM_FI_DEV_GPU_UTIL", 19) == {"p/a/0": 10, "p/a/1": 30, "q/b/0": 80}
    assert values(made, "count_over_time(DCGM_FI_DEV_GPU_UTIL[1m])", 60) == {"p/a/0": 1, "p/a/1": 1, "q/b/0": 1}
    assert values(made, "vllm:num_requests_running", 60) == {"p/a": 0}
    made.set_metrics('DCGM_FI_DEV_GPU_UTIL{gpu="0",namespace="a",pod="p"} 5\n')
    assert values(made, "DCGM_FI_DEV_GPU_UTIL", 60) == {"p/a/0": 5}


def test_a_counter_that_is_set_back_counts_as_reset() -> None:
    made = measured()
    made.set_metrics('steps_total{pod="p"} 0\n', rate_per_second=2)
    made.advance_to(at(300))
    assert values(made, "increase(steps_total[10m])", 300) == pytest.approx({"p": 1169.23}, abs=0.01)
    assert values(made, "delta(steps_total[10m])", 300)["p"] < 0


def test_an_instant_looks_back_five_minutes_at_most() -> None:
    made = World(7, START, timedelta(minutes=10), {})
    made.set_metrics("load 1\n")
    made.advance_to(at(3600))
    assert values(made, "load", 600 + 299) == {"": 1}
    assert values(made, "load", 600 + 300) == {}


def test_a_range_is_an_instant_per_step() -> None:
    made = measured()
    series = made.metrics.range('steps_total{pod="p"}', at(-60), at(0), timedelta(seconds=30))
    assert series[0].points == ((at(-60), 1180.0), (at(-30), 1240.0), (at(0), 1300.0))
    with pytest.raises(ValueError, match="step"):
        made.metrics.range("steps_total", at(-60), at(0), timedelta(0))


def test_setting_the_same_value_again_is_no_change() -> None:
    made = measured()
    before = made.dump()
    made.set_metrics(SERIES)
    assert made.dump() == before


@pytest.mark.parametrize("text", ["load one\n", "load{pod=p} 1\n", 'ok 1\nload{pod="p" 1\n', "load\n"])
def test_a_malformed_line_is_named_and_nothing_of_the_text_counts(text: str) -> None:
    made = world()
    with pytest.raises(ValueError, match=r"metrics: line \d 'load"):
        made.set_metrics(text)
    assert values(made, "ok") == {}


@pytest.mark.parametrize("selector", ["sum(x)", "x{", "1"])
def test_a_selector_that_names_no_series_is_an_error(selector: str) -> None:
    with pytest.raises(ValueError, match="series selector"):
        world().drop_metrics([selector])


def test_hours_of_hundreds_of_series_are_read_quickly() -> None:
    made = world()
    made.begin_at(at(-8 * 3600))
    for moment in range(-8, 0):
        made.advance_to(at(moment * 3600))
        made.set_metrics("".join(f'util{{gpu="{gpu}"}} {moment % 7}\n' for gpu in range(300)))
    made.advance_to(at(0))
    began = time.process_time()
    assert len(made.metrics.range("util", at(-7200), at(0), timedelta(seconds=15))) == 300
    assert len(made.metrics.range("avg_over_time(util[1h])", at(-7200), at(0), timedelta(minutes=1))) == 300
    assert time.process_time() - began < 2, "288,000 scrapes an hour are arithmetic, not a loop"


def test_a_moment_of_the_past_is_not_answered_with_what_stands_still_now() -> None:
    made = measured()
    made.drop_metrics(['{pod="q"}'])
    made.advance_to(at(400))
    assert values(made, "DCGM_FI_DEV_GPU_UTIL", 400) == {"p/a/0": 10, "p/a/1": 30}
    assert values(made, "DCGM_FI_DEV_GPU_UTIL", -30) == {"p/a/0": 10, "p/a/1": 30, "q/b/0": 80}
