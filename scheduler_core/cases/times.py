"""RFC 3339 times as seconds since 1970, strictly: date, T, time, offset. Python alone would take much more."""

import re
from datetime import UTC, datetime

from scheduler_core.cases.fields import BadCase, Fields
from scheduler_core.model import Seconds

_FORM = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse_time(text: str, where: str) -> Seconds:
    if _FORM.fullmatch(text) is None:
        raise BadCase(where, f"{text!r} is not an RFC 3339 time such as 2026-01-01T00:00:00Z")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise BadCase(where, f"{text!r} is no time: {error}") from None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    whole = since.days * 86_400 + since.seconds
    return whole + since.microseconds / 1_000_000 if since.microseconds else whole


def time_of(fields: Fields, key: str) -> Seconds | None:
    text = fields.maybe_text(key)
    return None if text is None else parse_time(text, fields.at(key))
