"""Takes over what readers have left word of: each note becomes one record of kind `log_read`, and is then forgotten.

What a note says is whatever its reader wrote, perhaps by hand: of another form than ours it is recorded as it is and
keeps nobody's waiting. The database's own word, the role and the time, stands beside it.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import Any

from agent.ports import AlreadyRecorded, Fault, JsonObject, Ledger
from audit.errors import LogError
from audit.log import Log
from audit.storage.read_notes import ReadNote

MAX_NOTES = 100
"""At one look: a reader who floods the table does not keep the agent from its work."""

MAX_QUOTED_CHARS = 1_000
MAX_COUNT = 2**53 - 1  # beyond it JSON's numbers are not exact

_UNREADABLE = {"by": "unknown", "door": "a note of another form", "asked": {}, "count": 0, "first": None, "last": None}

log = logging.getLogger(__name__)


def take_over(evidence: Log, ledger: Ledger) -> None:
    """What cannot be done now is done at the next look."""
    if evidence.store.notes is None:
        return
    try:
        for note in evidence.store.notes.waiting(MAX_NOTES):
            with suppress(AlreadyRecorded):  # by another agent, or by one that died before it could forget
                ledger.record("log_read", payload_of(note), unique_key=note.unique_key)
            evidence.store.notes.forget(note)
    except (Fault, LogError) as fault:
        log.warning("reads that were noted are not recorded yet: %s", fault)


def payload_of(note: ReadNote) -> JsonObject:
    try:
        said: Any = json.loads(note.body)
        told = _checked(said)
    except (ValueError, KeyError, TypeError, RecursionError):
        told = {**_UNREADABLE, "text": note.body[:MAX_QUOTED_CHARS]}
    return {**told, "noted_at": note.at, "role": note.role}


def _checked(said: dict[str, Any]) -> dict[str, Any]:
    """Of our form, and fit for a record. Raises ValueError, KeyError or TypeError."""
    return {
        "by": _text(said["by"]),
        "door": _text(said["door"]),
        "asked": {_text(name): _text(value) for name, value in dict(said["asked"]).items()},
        "count": _number(said["count"]),
        "first": None if said["first"] is None else _number(said["first"]),
        "last": None if said["last"] is None else _number(said["last"]),
    }


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # JSON can write halves of characters, which no record holds
    return value


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise ValueError
    return value
