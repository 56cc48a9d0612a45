"""Recorded decisions, decided again: under the same policies to the same bytes, under others to see what would flip."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import rfc8785

from agent.domain.verdict import Verdict
from agent.ports import JsonObject, PolicyEngine
from agent.stages.judge import decision

NO_DECISION = "policy."  # the prefix of the codes for an engine that gave none


class Came(StrEnum):
    SAME = "same"  # to the byte
    DIFFERENT = "different"  # the same policies, another verdict: that must not be
    FLIPPED = "flipped"  # other policies, another decision
    OTHER_REASONS = "other_reasons"  # other policies, the same decision for other reasons or with other duties
    NO_DECISION = "no_decision"  # the engine gave none then: there is nothing to repeat
    REDACTED = "redacted"  # part of the input was erased
    INCOMPLETE = "incomplete"  # the record lacks what it was decided on


@dataclass(frozen=True, slots=True)
class Recorded:
    """A verdict record: its place in the log, and its payload with what it was decided on."""

    index: int
    at: str
    payload: Mapping[str, Any]
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    recorded: Recorded
    came: Came
    then: Verdict
    now: Verdict | None


def replayed(engine: PolicyEngine, records: Iterable[Recorded]) -> Iterator[Again]:
    """Each record, decided again by `engine`."""
    for recorded in records:
        then = Verdict.model_validate(recorded.payload["verdict"])
        if recorded.redacted:
            yield Again(recorded, Came.REDACTED, then, None)
        elif any(reason.code.startswith(NO_DECISION) for reason in then.reasons):
            yield Again(recorded, Came.NO_DECISION, then, None)
        elif _lacking(recorded.payload["input"]):
            yield Again(recorded, Came.INCOMPLETE, then, None)
        else:
            given: JsonObject = dict(recorded.payload["input"])
            now = decision(engine, given)
            yield Again(recorded, _came(recorded.payload["verdict"], then, now), then, now)


def _lacking(given: JsonObject) -> bool:
    """Cut short, or of an agent that told its policies less, or what was done before is not in the log any more."""
    told = "digest" in given.get("proposal", ()) and "evidence" in given.get("facts", ())
    return not told or "history_of" in given


def _came(as_recorded: Any, then: Verdict, now: Verdict) -> Came:
    if then.policy_digest == now.policy_digest:
        return Came.SAME if rfc8785.dumps(as_recorded) == rfc8785.dumps(now.json_object()) else Came.DIFFERENT
    if then.decision is not now.decision:
        return Came.FLIPPED
    alike = _told(then) == _told(now)
    return Came.SAME if alike else Came.OTHER_REASONS


def _told(verdict: Verdict) -> JsonObject:
    shown = verdict.json_object()
    return {key: value for key, value in shown.items() if key not in ("decision_id", "policy_digest")}
