"""The log while it is written, one short line a decision: what a watching person wants to know first.

`audit timeline` tells the same at length. A mark stands before each line, so that colour is never alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from agent.compliance.predictions import came_of_it, predicted
from agent.compliance.timeline import sentence
from agent.domain.outcome import Foreseen
from agent.domain.proposal import Prediction

if TYPE_CHECKING:
    from audit.errors import LogDamaged
    from audit.log import Log
    from audit.record import Record

Payload = Mapping[str, Any]
Told = tuple[str, str, str] | None
_BAD = "bold red"


class FeedLine(NamedTuple):
    at: datetime
    mark: str
    text: str
    style: str


@dataclass
class IncidentLine:
    """How one incident stands."""

    symptom: str
    place: str
    state: str = "open"
    doing: str = "new"


@dataclass
class Feed:
    """Reads on from where it was; `lines` and `incidents` are what the screen shows."""

    lines: list[FeedLine] = field(default_factory=list)
    incidents: dict[str, IncidentLine] = field(default_factory=dict)
    actions: dict[str, Payload] = field(default_factory=dict)  # proposals by id
    _next: int = 0

    def read(self, log: Log) -> None:
        """A record that cannot be shown gets a line that says so, and the feed goes on behind it."""
        damages: list[LogDamaged] = []
        for record in log.query(after_index=self._next - 1 if self._next else None, damaged=damages.append):
            self._tell_of(damages)
            self._next = record.index + 1
            try:
                told = self._told(record)
            except (AttributeError, KeyError, LookupError, TypeError, ValueError):  # pydantic's is a ValueError
                told = ("!", f"record {record.index} is no {record.kind} as the agent writes it", _BAD)
            if told is not None:
                self.lines.append(FeedLine(datetime.fromisoformat(record.at), *told))
        self._tell_of(damages)

    def _told(self, record: Record) -> Told:
        tell, payload = _TOLD.get(record.kind), record.payload
        return tell(self, payload) if tell and isinstance(payload, Mapping) and not payload.get("history") else None

    def _tell_of(self, damages: list[LogDamaged]) -> None:
        for damage in damages:
            self._next = damage.index + 1
            at = self.lines[-1].at if self.lines else datetime.fromtimestamp(0, UTC)
            self.lines.append(FeedLine(at, "!", f"{damage}; `audit fsck` says more", _BAD))
        damages.clear()

    def note(self, incident: str, doing: str) -> None:
        if incident in self.incidents:
            self.incidents[incident].doing = doing


def _incident(feed: Feed, payload: Payload) -> Told:
    if payload["id"] in feed.incidents:
        return ("~", f"{_place(payload['subject'])} recovered", "green") if payload["change"] == "recovered" else None
    found = IncidentLine(payload["symptom"].replace("_", " "), _place(payload["subject"]))
    feed.incidents[payload["id"]] = found
    return "!", f"{found.symptom} {found.place}", "bold red"


def _diagnosis(feed: Feed, payload: Payload) -> Told:
    feed.note(payload["incident"], payload["cause"])
    return "?", payload["statement"], ""


def _proposal(feed: Feed, payload: Payload) -> Told:
    feed.actions[payload["id"]] = payload
    foretold = payload.get("prediction")
    line = predicted(Prediction.model_validate(foretold)) if foretold else ""
    return ("%", f"{payload['action']} {_place(payload['target'])} predicted: {line}", "dim") if line else None


def _verdict(feed: Feed, payload: Payload) -> Told:
    verdict, about = payload["verdict"], payload["input"]["proposal"]
    if payload["input"]["phase"] == "execute" and verdict["decision"] != "deny":
        return None
    word, mark, style = _DECISIONS[verdict["decision"]]
    codes = ", ".join(dict.fromkeys(reason["code"] for reason in verdict["reasons"]))
    feed.note(about["incident"], f"{word} {about['action']}")
    return mark, f"policies {word} {about['action']} {_place(about['target'])} ({codes})", style


_DECISIONS = {
    "allow": ("allow", "+", "green"),
    "escalate": ("ask a person about", "@", "bold yellow"),
    "deny": ("refuse", "x", "bold magenta"),
}


_SAID = {
    "approve": "approves",
    "reject": "rejects",
    "edit": "changes",
    "withdraw": "takes back the yes to",
    "break_glass": "approves by break-glass, without the others,",
}


def _level_changed(feed: Feed, payload: Payload) -> Told:
    return "#", sentence("level_changed", payload), "bold yellow"


def _approval(feed: Feed, payload: Payload) -> Told:
    said = _SAID.get(payload["decision"])
    if said is None:
        return None
    counts = "" if payload.get("counted") else f", which does not count ({payload.get('code')})"
    what = f" {payload['action']} {_place(payload['target'])}" if payload.get("action") else ""
    return "@", f"{payload['by']} {said}{what}{counts}", "yellow"


def _notice(feed: Feed, payload: Payload) -> Told:
    if "proposal" not in payload:  # a call past the policies: they are away, or break-glass skipped somebody
        return "!", f"{payload['audience']} is called: {payload['message']}", "bold red"
    feed.note(payload["proposal"].split("/")[0], "grace for the owner")
    return ">", f"owner of {_place(payload['target'])} told, {payload['grace_s'] // 60} minutes of grace", "cyan"


def _outcome(feed: Feed, payload: Payload) -> Told:
    if not payload.get("final"):
        return None
    feed.note(payload["incident"], f"{payload['action']} {payload['outcome']}")
    style = "bold cyan" if payload["outcome"] == "succeeded" else "bold red"
    return "*", f"{payload['action']} {_place(payload['target'])}: {payload['outcome']}", style


def _verification(feed: Feed, payload: Payload) -> Told:
    helped = "it helped" if payload["helped"] else "it did not help"
    line = came_of_it(Foreseen.model_validate(each) for each in payload.get("foreseen") or ())
    told = f"; {line}" if line else ""
    return "=", f"{helped}: {payload['statement']}{told}", "green" if payload["helped"] else "red"


def _incident_closed(feed: Feed, payload: Payload) -> Told:
    known = feed.incidents.get(payload["incident"])
    if known is None:
        return None
    known.state, known.doing = payload["state"], ""
    return (
        "#",
        f"{known.symptom} {known.place}: {payload['state'].replace('_', ' ')}",
        "bold green" if payload["state"] == "resolved" else "bold",
    )


_TOLD: Mapping[str, Callable[[Feed, Payload], Told]] = {
    "incident": _incident,
    "diagnosis": _diagnosis,
    "proposal": _proposal,
    "verdict": _verdict,
    "approval": _approval,
    "break_glass": _approval,
    "level_changed": _level_changed,
    "notice": _notice,
    "outcome": _outcome,
    "verification": _verification,
    "incident_closed": _incident_closed,
}


def _place(target: Mapping[str, str]) -> str:
    """`h100-6`, or `research/llama-70b`: the kind is told by the action."""
    return "/".join(target[part] for part in ("namespace", "name") if target.get(part))
