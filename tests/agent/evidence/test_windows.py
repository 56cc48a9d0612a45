"""Change windows: open from the moments that cron names, for as long as they last, also where the clocks change."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from agent.domain.base import rfc3339
from agent.evidence.windows import windows_at

NIGHTS = {"name": "nights", "cron": "0 22 * * *", "duration": "8h", "timezone": "Europe/Berlin"}
IN_THE_HOUR_THAT_CHANGES = {"name": "early", "cron": "30 2 * * *", "duration": "30m", "timezone": "Europe/Berlin"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def is_open(window: dict[str, str], moment: str) -> bool:
    (seen,) = windows_at([window], at(moment))
    assert (seen["closes"] is not None) == seen["open"]
    return bool(seen["open"])


@pytest.mark.parametrize(
    ("moment", "wanted"),
    [
        ("2026-11-02T21:59:59+01:00", False),
        ("2026-11-02T22:00:00+01:00", True),
        ("2026-11-03T05:59:59+01:00", True),
        ("2026-11-03T06:00:00+01:00", False),
    ],
)
def test_it_opens_on_the_minute_and_closes_on_the_second(moment: str, wanted: bool) -> None:
    assert is_open(NIGHTS, moment) is wanted


@pytest.mark.parametrize(
    ("closes", "why"),
    [
        ("2026-10-25T05:00:00+01:00", "the night has an hour more"),
        ("2027-03-28T07:00:00+02:00", "the night has an hour less"),
    ],
)
def test_it_lasts_hours_that_pass_not_hours_that_the_clock_shows(closes: str, why: str) -> None:
    last = at(closes) - timedelta(seconds=1)
    assert is_open(NIGHTS, last.isoformat()), why
    assert not is_open(NIGHTS, closes), why


def test_what_would_open_in_the_hour_that_is_left_out_opens_right_after_it() -> None:
    assert not is_open(IN_THE_HOUR_THAT_CHANGES, "2027-03-28T01:59:59+01:00")
    assert is_open(IN_THE_HOUR_THAT_CHANGES, "2027-03-28T03:00:00+02:00")


def test_what_would_open_in_the_hour_that_comes_twice_opens_once() -> None:
    assert is_open(IN_THE_HOUR_THAT_CHANGES, "2026-10-25T02:30:00+02:00")
    assert not is_open(IN_THE_HOUR_THAT_CHANGES, "2026-10-25T02:30:00+01:00")


def test_it_says_when_it_opens_next() -> None:
    (seen,) = windows_at([NIGHTS], at("2026-11-02T12:00:00Z"))
    assert seen == {"name": "nights", "open": False, "opens": "2026-11-02T21:00:00Z", "closes": None}


FROM, TO = datetime(2026, 1, 1), datetime(2027, 12, 31)  # noqa: DTZ001  hypothesis wants them naive


@given(st.datetimes(FROM, TO), st.integers(1, 40), st.sampled_from(range(24)))
def test_open_is_what_looking_at_each_minute_before_says(moment: datetime, hours: int, hour: int) -> None:
    """The definition, minute by minute, in a zone whose clocks do not change."""
    now = moment.replace(tzinfo=ZoneInfo("Asia/Tokyo"))
    window = {"name": "w", "cron": f"15 {hour} * * 1-5", "duration": f"{hours}h", "timezone": "Asia/Tokyo"}
    minute = now.replace(second=0, microsecond=0)
    starts = (minute - timedelta(minutes=back) for back in range(hours * 60 + 1))
    begun = [s for s in starts if (s.minute, s.hour) == (15, hour) and s.weekday() < 5]
    wanted = any(start + timedelta(hours=hours) > now for start in begun)
    (seen,) = windows_at([window], now)
    assert seen["open"] is wanted
    if wanted:
        assert seen["closes"] == rfc3339(begun[0] + timedelta(hours=hours))
