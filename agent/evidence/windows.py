"""Change windows: which of those that the limits declare are open at a moment, and when each opens or closes next.

Cron is read by cronsim, which follows Debian's cron where the clocks change: what would start in the hour that is left
out starts right after it, what would start in the hour that comes twice starts once. A window lasts its duration in
hours that pass, not in hours that the clock shows. Rego is told the outcome, so it needs no clock and no cron.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from agent.domain.base import rfc3339
from agent.domain.duration import parse_duration

LONGEST = timedelta(days=31)  # longer than a month is no window but a way of life
_CHECKED_FROM = datetime(2024, 1, 1, tzinfo=UTC)  # a leap year: 29 February is a start like another
_MINUTE = timedelta(minutes=1)  # cron's grain


def windows_at(declared: Sequence[Mapping[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """One `{name, open, opens, closes}` for each declared window: `closes` is null while it is shut, `opens` is its
    next start, null where cron knows of none. Raises ValueError for a window that `why_unfit` would refuse."""
    return [_at(window, now) for window in declared]


def why_unfit(window: Mapping[str, Any]) -> str | None:
    """What is wrong with a declared window, as `key: reason`; None where nothing is."""
    try:
        zone = ZoneInfo(str(window["timezone"]))
    except (KeyError, ValueError, OSError):
        return f"timezone: {window['timezone']!r} is no time zone of the IANA database"
    lasts = parse_duration(window["duration"])
    if not timedelta(0) < lasts <= LONGEST:
        return f"duration: {window['duration']} is not between one second and {LONGEST.days} days"
    try:
        next(CronSim(str(window["cron"]), _CHECKED_FROM.astimezone(zone)))
    except CronSimError as error:
        return f"cron: {window['cron']!r} is no cron expression of five fields: {error}"
    except StopIteration:
        return f"cron: {window['cron']!r} never comes"
    return None


def _at(window: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    here = now.astimezone(ZoneInfo(str(window["timezone"])))
    begun = next(CronSim(str(window["cron"]), here.replace(second=0, microsecond=0) + _MINUTE, reverse=True), None)
    coming = next(CronSim(str(window["cron"]), here), None)
    closes = begun.astimezone(UTC) + parse_duration(window["duration"]) if begun is not None else now
    is_open = closes > now
    return {
        "name": str(window["name"]),
        "open": is_open,
        "opens": rfc3339(coming) if coming is not None else None,
        "closes": rfc3339(closes) if is_open else None,
    }
