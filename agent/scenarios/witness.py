"""Reads what happened: from the log's records alone, but for the state of the cluster and whom the pager rang.

One proposal is one action, however many steps it took. Its time is its first intent's, its outcome the last one that
was recorded as final, `unknown` while there is none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from agent.domain.cluster import ObjectRef
from agent.scenarios.run import ActionRun, IncidentRun, VerdictRun


class Record(Protocol):
    """A record of the log, as far as it is read here."""

    @property
    def kind(self) -> str: ...

    @property
    def at(self) -> str: ...

    @property
    def payload(self) -> Any: ...


class Effect(Protocol):
    """One change that went through the ports into the world."""

    @property
    def verb(self) -> str: ...

    @property
    def ref(self) -> ObjectRef: ...


@dataclass
class Testimony:
    """What the records of one log say; `see` each once, in their order."""

    start: datetime
    incidents: dict[str, IncidentRun] = field(default_factory=dict)
    actions: dict[str, ActionRun] = field(default_factory=dict)  # by proposal
    verdicts: list[VerdictRun] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)  # (incident, action) of each approval request
    intents: Counter[tuple[str, str]] = field(default_factory=Counter)  # (verb, object) of each step begun
    begun: set[tuple[str, int, bool]] = field(default_factory=set)  # (proposal, step, backwards) with an intent
    without_intent: list[str] = field(default_factory=list)

    def see(self, record: Record) -> None:
        payload = record.payload
        if isinstance(payload, Mapping) and not payload.get("history"):
            reader = _READERS.get(record.kind)
            if reader:
                reader(self, payload, datetime.fromisoformat(record.at) - self.start)

    def unexplained(self, effects: Iterable[Effect]) -> tuple[str, ...]:
        """Effects beyond those that a step was begun for: done by nobody, or done twice."""
        left = Counter(self.intents)
        found = []
        for effect in effects:
            step = (effect.verb, str(effect.ref))
            left[step] -= 1
            if left[step] < 0:
                found.append(f"{effect.verb} {effect.ref}")
        return tuple(found)


def testimony(records: Iterable[Record], start: datetime) -> Testimony:
    found = Testimony(start)
    for record in records:
        found.see(record)
    return found


def _incident(t: Testimony, payload: Mapping[str, Any], _at: timedelta) -> None:
    t.incidents.setdefault(payload["id"], IncidentRun(payload["id"], None, "open"))


def _diagnosis(t: Testimony, payload: Mapping[str, Any], _at: timedelta) -> None:
    known = t.incidents[payload["incident"]]
    t.incidents[known.id] = replace(known, playbook=payload.get("playbook"))


def _incident_closed(t: Testimony, payload: Mapping[str, Any], _at: timedelta) -> None:
    known = t.incidents[payload["incident"]]
    t.incidents[known.id] = replace(known, state=payload["state"])


def _proposal(t: Testimony, payload: Mapping[str, Any], at: timedelta) -> None:
    t.actions[payload["id"]] = ActionRun(
        payload["action"], payload["target"], payload["parameters"], proposed_at=at, incident=payload["incident"]
    )


def _verdict(t: Testimony, payload: Mapping[str, Any], _at: timedelta) -> None:
    verdict, about = payload["verdict"], payload["input"]["proposal"]
    reasons = tuple(reason["code"] for reason in verdict["reasons"])
    t.verdicts.append(VerdictRun(about["action"], about["target"], about["parameters"], verdict["decision"], reasons))
    _change(t, about["id"], decision=verdict["decision"], reasons=reasons)


def _approval_requested(t: Testimony, payload: Mapping[str, Any], _at: timedelta) -> None:
    t.asked.append((t.actions[payload["proposal"]].incident, payload["action"]))


def _approval(t: Testimony, payload: Mapping[str, Any], _at: timedelta) -> None:
    action = t.actions.get(payload.get("proposal") or "")
    if action is None or not payload.get("counted") or payload["decision"] not in ("approve", "reject"):
        return
    said = {key: payload[key] for key in ("by", "decision", "reason", "at")}
    _change(t, payload["proposal"], approvals=(*action.approvals, said))


def _intent(t: Testimony, payload: Mapping[str, Any], at: timedelta) -> None:
    t.intents[payload["verb"], str(ObjectRef.model_validate(payload["object"]))] += 1
    t.begun.add(_step(payload))
    action = t.actions.get(payload["proposal"])
    if action is not None and not action.executed:
        _change(t, payload["proposal"], at=at, outcome="unknown")


def _outcome(t: Testimony, payload: Mapping[str, Any], _at: timedelta) -> None:
    if _step(payload) not in t.begun:
        t.without_intent.append(f"{payload['action']} of {payload['proposal']}")
    if payload.get("final"):
        _change(t, payload["proposal"], outcome=payload["outcome"])


def _step(payload: Mapping[str, Any]) -> tuple[str, int, bool]:
    return payload["proposal"], payload["step"], bool(payload.get("undo"))


def _change(t: Testimony, proposal: str, **changes: Any) -> None:
    if proposal in t.actions:
        t.actions[proposal] = replace(t.actions[proposal], **changes)


_READERS = {
    "incident": _incident,
    "diagnosis": _diagnosis,
    "incident_closed": _incident_closed,
    "proposal": _proposal,
    "verdict": _verdict,
    "approval_requested": _approval_requested,
    "approval": _approval,
    "intent": _intent,
    "outcome": _outcome,
}


class Pager:
    """ports.Notifier: remembers who was told, outside the agent's process. A repeated key is one notice."""

    def __init__(self) -> None:
        self.told: dict[str, tuple[str, str]] = {}  # (audience, message) by key

    def notify(self, audience: str, subject: ObjectRef, message: str, *, key: str) -> None:
        self.told.setdefault(key, (audience, f"{subject}: {message}"))

    def calls(self) -> Sequence[tuple[str, str]]:
        """(incident, action) of each call of the person on duty."""
        return [(key.split("/")[0], "notify") for key, (audience, _) in self.told.items() if audience == "oncall"]
