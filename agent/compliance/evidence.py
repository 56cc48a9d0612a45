"""One month of the log as tables: what was done, who let it, what went wrong. Pure: records in, rows out.

Every row names the record it rests on, so that a reader of the report can ask for its proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from agent.compliance.forms import REDACTED
from agent.compliance.gaps import Gap, Heartbeats
from agent.compliance.timeline import DIGEST_CHARACTERS, named, sentence
from audit.record import Record
from audit.sealing import filled

Row = tuple[object, ...]

FAILED = ("failed", "unknown", "undone", "undo_failed")

TABLES: Mapping[str, tuple[str, ...]] = {
    "actions": ("record", "at", "incident", "action", "target", "tenant", "let by", "outcome"),
    "decisions": ("policy", "phase", "decision", "count"),
    "approvals": (
        "record",
        "request",
        "action",
        "target",
        "asked at",
        "answered at",
        "minutes",
        "who",
        "answer",
        "door",
    ),
    "exceptions": ("record", "at", "what"),
    "break_glass": ("record", "at", "what"),
    "failures": ("record", "at", "incident", "what"),
    "reads": ("who", "door", "reads", "records seen"),
}
"""What a report has, and the columns of each table."""


@dataclass(slots=True)
class Evidence:
    """The tables of a month, by name, and the figures over them."""

    tables: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in TABLES})
    records: int = 0
    first: int | None = None
    last: int | None = None
    incidents_opened: int = 0
    incidents_closed: int = 0
    gaps: list[Gap] = field(default_factory=list)
    minutes: list[float] = field(default_factory=list)

    @property
    def median_minutes(self) -> float | None:
        return median(self.minutes) if self.minutes else None

    @property
    def slowest_minutes(self) -> float | None:
        return max(self.minutes, default=None)


def evidence(records: Iterable[Record], since: datetime, until: datetime) -> Evidence:
    """What the month's records say, in log order."""
    folding = _Folding()
    beats = Heartbeats(since)
    for record in records:
        shown = filled(record, REDACTED)
        folding.see(shown)
        if record.kind == "heartbeat":
            beats.beat(datetime.fromisoformat(record.at), record.index)
    return folding.done(beats.gaps(until))


class _Folding:
    """Follows requests to their answers and intents to their outcomes."""

    def __init__(self) -> None:
        self._made = Evidence()
        self._asked: dict[str, tuple[str, str]] = {}  # request: when it was asked, what about
        self._let_by: dict[str, list[str]] = {}  # proposal: who approved it
        self._begun: dict[tuple[str, Any, bool], Record] = {}  # intents that have no outcome yet
        self._decisions: Counter[tuple[str, str, str]] = Counter()
        self._reads: dict[tuple[str, str], list[int]] = {}

    def see(self, record: Record) -> None:
        made = self._made
        made.records += 1
        made.first = record.index if made.first is None else made.first
        made.last = record.index
        reader = _READERS.get(record.kind)
        if reader is not None and isinstance(record.payload, Mapping):
            try:
                reader(self, record, record.payload)
            except (KeyError, TypeError, ValueError, AttributeError):
                self._row("exceptions", record.index, record.at, f"{record.kind} of a form that is not known here")

    def done(self, gaps: list[Gap]) -> Evidence:
        made = self._made
        for record in self._begun.values():
            self._row("failures", record.index, record.at, _incident(record), "An intent without an outcome.")
        made.tables["failures"].sort(key=lambda row: str(row[1]))
        made.tables["decisions"] = [(*key, count) for key, count in sorted(self._decisions.items())]
        made.tables["reads"] = [(*key, len(seen), sum(seen)) for key, seen in sorted(self._reads.items())]
        made.gaps = gaps
        return made

    def _row(self, table: str, *cells: object) -> None:
        self._made.tables[table].append(cells)

    # --- one kind each ------------------------------------------------------------------------------------------------

    def verdict(self, _record: Record, payload: Mapping[str, Any]) -> None:
        verdict = payload["verdict"]
        phase = (payload.get("input") or {}).get("phase", "")
        self._decisions[str(verdict.get("policy_digest", ""))[:DIGEST_CHARACTERS], phase, verdict["decision"]] += 1

    def approval_requested(self, _record: Record, payload: Mapping[str, Any]) -> None:
        self._asked[payload["request"]] = (payload["requested_at"], named(payload["target"]))

    def approval(self, record: Record, payload: Mapping[str, Any]) -> None:
        at, who, answer = payload["at"], payload.get("by", ""), payload["decision"]
        asked_at, about = self._asked.get(payload["request"], ("", named(payload["target"])))
        minutes = _minutes(asked_at, at) if asked_at else None
        if who and payload["counted"]:
            self._made.minutes += [] if minutes is None else [minutes]
            if answer == "approve":
                self._let_by.setdefault(payload["proposal"], []).append(who)
            elif answer == "withdraw":
                self._let_by[payload["proposal"]] = [n for n in self._let_by.get(payload["proposal"], []) if n != who]
        elif who:
            self._row("exceptions", record.index, record.at, sentence(record.kind, payload))
        told = "" if minutes is None else round(minutes, 1)
        door = payload.get("door", "")
        self._row(
            "approvals",
            record.index,
            payload["request"],
            payload["action"],
            about,
            asked_at,
            at,
            told,
            who,
            answer,
            door,
        )

    def intent(self, record: Record, payload: Mapping[str, Any]) -> None:
        self._begun[payload["proposal"], payload.get("step"), bool(payload.get("undo"))] = record

    def outcome(self, record: Record, payload: Mapping[str, Any]) -> None:
        if payload.get("history"):
            return
        self._begun.pop((payload["proposal"], payload.get("step"), bool(payload.get("undo"))), None)
        people = self._let_by.get(payload["proposal"], [])
        let_by = ", ".join(people) if people else "policy alone"
        target, outcome = named(payload["target"]), payload["outcome"]
        tenant = payload.get("tenant") or ""
        self._row(
            "actions", record.index, record.at, _incident(record), payload["action"], target, tenant, let_by, outcome
        )
        if outcome in FAILED:
            self._row("failures", record.index, record.at, _incident(record), sentence(record.kind, payload))

    def verification(self, record: Record, payload: Mapping[str, Any]) -> None:
        if not payload["helped"]:
            self._row("failures", record.index, record.at, _incident(record), sentence(record.kind, payload))

    def incident(self, _record: Record, payload: Mapping[str, Any]) -> None:
        self._made.incidents_opened += payload["change"] == "opened"

    def incident_closed(self, record: Record, payload: Mapping[str, Any]) -> None:
        self._made.incidents_closed += 1
        if payload["state"] in ("failed", "rolled_back"):
            self._row("failures", record.index, record.at, _incident(record), sentence(record.kind, payload))

    def exception(self, record: Record, payload: Mapping[str, Any]) -> None:
        self._row("exceptions", record.index, record.at, sentence(record.kind, payload))

    def break_glass(self, record: Record, payload: Mapping[str, Any]) -> None:
        self._row("break_glass", record.index, record.at, sentence(record.kind, payload))
        if record.kind == "break_glass" and payload.get("proposal"):
            self._let_by.setdefault(payload["proposal"], []).append(payload["by"])

    def log_read(self, _record: Record, payload: Mapping[str, Any]) -> None:
        self._reads.setdefault((payload["by"], payload["door"]), []).append(payload["count"])


_READERS = {
    "incident": _Folding.incident,
    "verdict": _Folding.verdict,
    "approval_requested": _Folding.approval_requested,
    "approval": _Folding.approval,
    "intent": _Folding.intent,
    "outcome": _Folding.outcome,
    "verification": _Folding.verification,
    "incident_closed": _Folding.incident_closed,
    "log_read": _Folding.log_read,
    "break_glass": _Folding.break_glass,
    "level_changed": _Folding.break_glass,
    **dict.fromkeys(
        (
            *("refused", "notification_failed", "cancellation", "redaction", "retention", "configuration"),
            *("policy_loaded", "policy_refused"),
        ),
        _Folding.exception,
    ),
}


def _incident(record: Record) -> str:
    return record.attributes.get("incident", "")


def _minutes(asked_at: str, at: str) -> float:
    return (datetime.fromisoformat(at) - datetime.fromisoformat(asked_at)).total_seconds() / 60


def figures(made: Evidence) -> Sequence[tuple[str, object]]:
    """The report's first lines."""
    outcomes = Counter(str(row[-1]) for row in made.tables["actions"])
    answers = Counter(str(row[-2]) for row in made.tables["approvals"])
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    return (
        ("records", made.records),
        ("incidents opened, closed", f"{made.incidents_opened}, {made.incidents_closed}"),
        ("steps done", f"{len(made.tables['actions'])}{f' ({told})' if told else ''}"),
        ("answers by people", f"{answers['approve']} approved, {answers['reject']} rejected"),
        ("minutes until an answer", _speed(made)),
        ("requests that nobody answered in time", answers["expired"]),
        ("failures", len(made.tables["failures"])),
        ("uses of break-glass and changes of level", len(made.tables["break_glass"])),
        ("reads of the log", sum(int(str(row[2])) for row in made.tables["reads"])),
        ("hours without a heartbeat", sum(gap.hours for gap in made.gaps)),
    )


def _speed(made: Evidence) -> str:
    if made.median_minutes is None or made.slowest_minutes is None:
        return "nobody was asked"
    return f"{made.median_minutes:.1f} in the middle, {made.slowest_minutes:.1f} at most"
