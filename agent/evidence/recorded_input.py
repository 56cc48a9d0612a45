"""What the log keeps of a policy's input: all of it, but for a long history, which it has already.

The history is what the log's own records say of the week before. Where it is long each decision would repeat it, ever
longer, a megabyte at two thousand actions, which no record may be. Then the decision says by how many records of the
log its history was told, and what that hashes to: who decides it again tells it again and holds it against the hash.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from agent.domain.base import canonical, parse_rfc3339
from agent.domain.history import History
from agent.domain.outcome import PastAction
from agent.evidence.past_shown import history_form
from agent.ports import JsonObject

WHOLE_AT_MOST = 100
"""Actions that are recorded with each decision: some 40 KB, which a person can still read."""

Tell = Callable[[datetime, int], Sequence[PastAction]]
"""What was done since then, by so many of the log's first records."""


class Written(dict[str, Any]):
    """An input with its RFC 8785 form, for all who need it written: nobody changes it any more."""

    def __init__(self, seen: JsonObject, history: Sequence[PastAction]) -> None:
        super().__init__(seen)
        self.told = history_form(seen["history"], history)
        self.form = _written(seen, self.told)


def as_recorded(seen: JsonObject, history: Sequence[PastAction]) -> JsonObject:
    """`history` is what `seen` was made of."""
    if len(history) <= WHOLE_AT_MOST or not isinstance(history, History):
        return dict(seen)
    kept = {name: value for name, value in seen.items() if name != "history"}
    told = seen.told if isinstance(seen, Written) else history_form(seen["history"], history)
    return {
        **kept,
        "history_of": {
            "since": history.since.isoformat(),
            "records": history.records,
            "actions": len(history),
            "sha256": sha256(told).hexdigest(),
        },
    }


def whole(given: Mapping[str, Any], tell: Tell, shown: Callable[[Sequence[PastAction], datetime], Any]) -> JsonObject:
    """The input as it was decided on. Where its history cannot be told again as it was, it stays as it is recorded.

    Raises ValueError where the record does not say which history it was.
    """
    if given.get("history_of") is None:
        return dict(given)
    since, records, now, expected = _asked(given)
    kept = {name: value for name, value in given.items() if name != "history_of"}
    history = shown(tell(since, records), now)
    if sha256(canonical(history)).hexdigest() != expected:
        return dict(given)
    return {**kept, "history": history}


def _asked(given: Mapping[str, Any]) -> tuple[datetime, int, datetime, str]:
    """Since when, by how many records, for which moment, and what it hashes to."""
    try:
        of = given["history_of"]
        records: Any = of["records"]
        asked = parse_rfc3339(of["since"]), records, parse_rfc3339(given["now"]), str(of["sha256"])
    except (KeyError, TypeError, ValueError, OverflowError) as fault:
        raise ValueError(f"it does not say which history was decided on: {fault!r}") from fault
    if type(records) is not int or records < 0:
        raise ValueError(f"it does not say which history was decided on: by {records!r} records")
    return asked


def _written(seen: JsonObject, told: bytes) -> bytes:
    """The RFC 8785 form of the input, whose long part is put together of what was written before."""
    parts = (canonical(name) + b":" + (told if name == "history" else canonical(seen[name])) for name in sorted(seen))
    return b"{" + b",".join(parts) + b"}"
