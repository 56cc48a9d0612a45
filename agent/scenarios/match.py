"""Does something that happened match what a file names? Pure; judging.py counts and concludes.

A key that a matcher does not give matches anything, and so does `"*"`; maps match when they are contained. `notify` is
never meant by `"*"` nor by a matcher without an action.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from agent.scenarios.matchers import ActionMatcher, AnyOf, Matcher, TargetPattern
from agent.scenarios.run import ActionRun, VerdictRun
from agent.scenarios.vocabulary import ANY, NOTIFY


def contains(wanted: Any, actual: Any) -> bool:
    """`wanted` equals `actual`, or is a map contained in it, or is "*". True is not 1; 8 is 8.0."""
    if wanted == ANY:
        return True
    if isinstance(wanted, Mapping):
        return isinstance(actual, Mapping) and all(contains(v, actual.get(k)) for k, v in wanted.items())
    return same(wanted, actual)


def same(wanted: Any, actual: Any) -> bool:
    """JSON equality: Python would take True for 1."""
    if isinstance(wanted, bool) or isinstance(actual, bool):
        return wanted is actual
    if isinstance(wanted, list | tuple) and isinstance(actual, list | tuple):
        return len(wanted) == len(actual) and all(map(same, wanted, actual))
    if isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        return wanted.keys() == actual.keys() and all(same(wanted[k], actual[k]) for k in wanted)
    return bool(wanted == actual)


def matches_action_name(wanted: str | None, action: str) -> bool:
    return action != NOTIFY if wanted in (None, ANY) else wanted == action


def matches_reasons(glob: str, reasons: Iterable[str]) -> bool:
    return glob == ANY or any(fnmatchcase(reason, glob) for reason in reasons)


def matches(matcher: Matcher, happened: ActionRun | VerdictRun) -> bool:
    """Everything but the outcome."""
    return (
        matches_action_name(matcher.action, happened.action)
        and contains(_given(matcher.target), happened.target)
        and contains(matcher.parameters, happened.parameters)
        and matcher.decision in (ANY, happened.decision)
        and matches_reasons(matcher.reason, happened.reasons)
    )


def _given(target: TargetPattern | str) -> Any:
    return target if isinstance(target, str) else target.model_dump(by_alias=True, exclude_none=True)


def matches_outcome(matcher: ActionMatcher, action: ActionRun, default: str) -> bool:
    """`default` is what a file means that gives no outcome."""
    wanted = matcher.outcome or default
    return wanted in (ANY, action.outcome)


def matches_item(item: AnyOf, action: ActionRun, at: timedelta, *, outcome: str) -> bool:
    """`at` is the time that counts for notBefore and notAfter."""
    return in_time(item, at) and any(
        matches(matcher, action) and matches_outcome(matcher, action, outcome) for matcher in item.any_of
    )


def in_time(item: AnyOf, at: timedelta) -> bool:
    return (item.not_before is None or at >= item.not_before) and (item.not_after is None or at <= item.not_after)
