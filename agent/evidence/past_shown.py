"""What a policy is shown of each past action, and how that is written: made once an action, not at each decision.

In a storm a history has hundreds of actions, and every decision sees all of them. All stays as it is but their age.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from agent.domain.base import canonical, parse_rfc3339, rfc3339
from agent.domain.outcome import PastAction
from agent.ports import JsonObject

_KEPT_AT_MOST = 20_000
"""Actions whose form is kept: more than a week has in any cluster that we know of."""

_AGE = '"age_s":'
_PLAIN_FROM, _PLAIN_BELOW = 1e-3, 1e15


class _Shown(NamedTuple):
    """`before` and `after` are the RFC 8785 form around the age, which is the second of an action's members."""

    action: PastAction
    at: datetime
    members: Mapping[str, Any]
    before: bytes
    after: bytes


_kept: dict[int, _Shown] = {}


def history_shown(actions: Sequence[PastAction], now: datetime) -> list[JsonObject]:
    """Newest last. What is in a member is shared with all who were shown it before, so nobody changes it."""
    recorded = as_recorded(now)
    shown = map(_shown, actions)
    return [{**each.members, "age_s": whole_where_it_is((recorded - each.at).total_seconds())} for each in shown]


def history_form(shown: Sequence[JsonObject], actions: Sequence[PastAction]) -> bytes:
    """The RFC 8785 form of `shown`, which was made of `actions`, put together of what was written before."""
    if len(shown) != len(actions):
        return canonical(shown)
    return b"[" + b",".join(map(_form, actions, shown)) + b"]"


def as_recorded(moment: datetime) -> datetime:
    """In milliseconds, as the log says it."""
    return parse_rfc3339(rfc3339(moment))


def whole_where_it_is(seconds: float) -> float:
    return int(seconds) if seconds.is_integer() else seconds


def _form(action: PastAction, shown: JsonObject) -> bytes:
    known, age_s = _shown(action), shown["age_s"]
    # Between these Python and RFC 8785 write a number alike, one with a fraction too.
    plain = type(age_s) is int or (_PLAIN_FROM <= age_s < _PLAIN_BELOW and not age_s.is_integer())
    return known.before + (repr(age_s).encode() if plain else canonical(age_s)) + known.after


def _shown(action: PastAction) -> _Shown:
    """Known by the object itself, which is kept with it: two actions that are equal are made once each."""
    known = _kept.get(id(action))
    if known is None:
        if len(_kept) >= _KEPT_AT_MOST:
            _kept.clear()
        members = action.for_policies
        before, _, after = canonical({**members, "age_s": 0}).decode().partition(f"{_AGE}0")
        at = action.at.replace(microsecond=action.at.microsecond // 1000 * 1000)
        known = _kept[id(action)] = _Shown(action, at, members, (before + _AGE).encode(), after.encode())
    return known
