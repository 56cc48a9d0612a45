"""Kubernetes quantities and RFC 3339 times, exactly."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from scheduler_core.cases.fields import BadCase
from scheduler_core.cases.quantities import counted, parse
from scheduler_core.cases.times import parse_time
from scheduler_core.units import told

READ = [
    ("0", 0),
    ("4", 4),
    ("+4", 4),
    ("-4", -4),
    ("1.5", Fraction(3, 2)),
    (".5", Fraction(1, 2)),
    ("5.", 5),
    ("500m", Fraction(1, 2)),
    ("3u", Fraction(3, 10**6)),
    ("7n", Fraction(7, 10**9)),
    ("2k", 2_000),
    ("2M", 2_000_000),
    ("1Ki", 1024),
    ("1.5Gi", 3 * 2**29),
    ("1Ei", 2**60),
    ("1E", 10**18),
    ("1e3", 1000),
    ("1E3", 1000),
    ("12e-1", Fraction(12, 10)),
    (8, 8),
]


@pytest.mark.parametrize(("text", "number"), READ)
def test_a_quantity_is_read_exactly(text, number):
    assert parse(text, "here") == number


@pytest.mark.parametrize(
    "text", ["", "m", "4 ", " 4", "4GB", "4KB", "4K", "1,5", "--1", "1e", "0x4", "1.2.3", "١", 1.5, True]
)
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(BadCase, match=r"here: .* is not a Kubernetes quantity"):
        parse(text, "here")


@pytest.mark.parametrize(
    ("resource", "text", "up", "amount"),
    [
        ("cpu", "1", True, 1000),
        ("cpu", "0.0001", True, 1),
        ("cpu", "0.0001", False, 0),
        ("memory", "1.5", True, 2),
        ("memory", "1.5", False, 1),
        ("nvidia.com/gpu", "2k", True, 2000),
        ("pods", "110", False, 110),
    ],
)
def test_cpu_counts_in_thousandths_and_the_rest_whole(resource, text, up, amount):
    assert counted(resource, text, "here", up=up) == amount


@pytest.mark.parametrize(
    ("resource", "text"), [("nvidia.com/gpu", "1500m"), ("pods", "0.5"), ("cpu", "-1"), ("cpu", "1e30")]
)
def test_what_cannot_be_counted_is_refused(resource, text):
    with pytest.raises(BadCase, match="here"):
        counted(resource, text, "here", up=True)


@given(st.sampled_from(["cpu", "memory", "nvidia.com/gpu"]), st.integers(-(2**50), 2**50))
def test_what_is_told_reads_back(resource, amount):
    assert counted(resource, told(resource, amount), "here", up=True, negative=True) == amount


@given(st.integers(0, 2**32))
def test_times_are_seconds(seconds):
    moment = datetime.fromtimestamp(seconds, UTC)
    assert parse_time(moment.isoformat().replace("+00:00", "Z"), "here") == seconds


def test_an_offset_and_a_fraction_count():
    assert parse_time("1970-01-01T01:00:00.5+01:00", "here") == 0.5


@pytest.mark.parametrize(
    "text", ["2026-01-01", "2026-01-01T00:00Z", "2026-01-01 00:00:00Z", "2026-W01-1T00:00:00Z", "20260101T000000Z"]
)
def test_other_ways_to_write_a_time_are_refused(text):
    with pytest.raises(BadCase, match="RFC 3339"):
        parse_time(text, "here")
