"""What in a record may have to be erased one day: names of people, what they wrote, and lines that systems wrote.

Data: for each kind of record, members of the payload, at whatever depth, whose texts are kept apart and can be erased
without touching the record (`audit.sealing`). What the agent measured and decided, on what and under which policy,
stays: that is what the log is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from audit.sealing import ACTOR, ATTRIBUTES, MAX_PLACES, pointer

_QUOTED = ("text", "line", "message", "summary", "description")
"""Alert texts, kernel and pod log lines, notes of Events: written by systems, and whatever people had them write."""

SENSITIVE: Mapping[str, frozenset[str]] = {
    "configuration": frozenset({"identities"}),
    "incident": frozenset({*_QUOTED, "annotations"}),
    "diagnosis": frozenset({*_QUOTED, "statement", "annotations"}),  # evidence quotes what it rests on
    "proposal": frozenset({*_QUOTED, "statement", "reason"}),
    "verdict": frozenset({"annotations"}),  # of objects: owners, contacts
    "reasoning": frozenset({"told", "answer", "notes"}),
    "approval": frozenset({"by", "account", "reason", "skipped"}),
    "notice": frozenset({"message"}),
    "notification_failed": frozenset({"message", "reason"}),
    "cancellation": frozenset({"reason"}),
    "outcome": frozenset({"detail"}),  # what the API server answered
    "refused": frozenset({"reason"}),
    "incident_closed": frozenset({"by", "reason"}),
    "break_glass": frozenset({"by", "account", "reason", "skipped"}),
    "approval_requested": frozenset({"requested_by", "editors", "editor_accounts"}),
    "level_changed": frozenset({"by", "reason"}),
    "log_read": frozenset({"by", "asked", "role", "text"}),
}

SENSITIVE_ATTRIBUTES = frozenset({"approver"})

DOOR = "/"
"""An actor such as `cli/alice` names a person at a door; the agent's own name has none."""


def sensitive_places(kind: str, actor: str, attributes: Mapping[str, str], payload: Any) -> list[str]:
    """Where the record has such texts. Beyond what one record can seal, which is thousands, they stay as they are."""
    places = [ACTOR] if DOOR in actor else []
    places += [ATTRIBUTES + name for name in attributes if name in SENSITIVE_ATTRIBUTES]
    names = SENSITIVE.get(kind)
    if names:
        ways: list[Way] = []
        _look_for(names, payload, (), ways)
        places += map(pointer, sorted(ways))
    return places[:MAX_PLACES]


Way = tuple[str | int, ...]
_ENDS = frozenset({str, int, float, bool, type(None)})


def _look_for(names: frozenset[str], value: Any, way: Way, found: list[Way]) -> None:
    """Most of a record are texts and numbers that no name leads to: nothing is asked of them but their type."""
    for key, member in _members(value):
        if key in names:
            _take_texts(member, (*way, key), found)
        elif type(member) not in _ENDS:
            _look_for(names, member, (*way, key), found)


def _take_texts(value: Any, way: Way, found: list[Way]) -> None:
    if isinstance(value, str):
        found.append(way)
    for key, member in _members(value):
        _take_texts(member, (*way, key), found)


def _members(value: Any) -> Iterable[tuple[str | int, Any]]:
    if type(value) is dict or isinstance(value, Mapping):
        return value.items()
    if isinstance(value, list | tuple):
        return enumerate(value)
    return ()
