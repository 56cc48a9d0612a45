"""Stands before the ports to the log and the inbox and counts what passes: what the agent does is what it records.

Nothing here may fail for the agent's sake, nor change what passes.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.adapters.telemetry.current import note_action, working_on
from agent.adapters.telemetry.instruments import Instruments
from agent.adapters.telemetry.tracing import Traces
from agent.domain.entry import Entry
from agent.domain.outcome import PastAction
from agent.domain.signal import Signal
from agent.domain.standing import Standing
from agent.ports import Fault, Inbox, JsonObject, Ledger, PolicyEngine

TOLD = frozenset({"verdict", "approval_requested", "approval", "intent", "outcome", "verification", "incident_closed"})
"""Kinds of record that are a line of the process log, too."""

log = logging.getLogger("watchkeeper.incidents")
FOLLOWED_AT_MOST = 20_000  # signals and incidents whose arrival is remembered: a storm of a large cluster


@dataclass(slots=True)
class _Course:
    """Of one incident."""

    arrived_s: float
    decided: bool = False
    acted: bool = False
    asked: bool = False


class Telemetry:
    """One per agent. `clock_s` is monotonic seconds."""

    def __init__(self, instruments: Instruments, traces: Traces, clock_s: Callable[[], float]) -> None:
        self.instruments, self.traces = instruments, traces
        self.clock_s = clock_s
        self._arrived: dict[str, float] = {}  # by source#id
        self._courses: dict[str, _Course] = {}

    def interpose(self, name: str, port: Any) -> Any:
        """For assembly."""
        wrapped: Mapping[str, Callable[[Any], Any]] = {
            "log": lambda ledger: MeasuredLedger(ledger, self),
            "inbox": lambda inbox: MeasuredInbox(inbox, self),
            "policy": lambda engine: MeasuredPolicy(engine, self),
            "stages": lambda _: self.around,
        }
        return wrapped.get(name, lambda same: same)(port)

    @contextmanager
    def around(self, stage: str, incident: str) -> Iterator[None]:
        """Around one run of a stage."""
        began = self.clock_s()
        with working_on(incident, stage), self.traces.stage(stage, incident):
            try:
                yield
            except Fault as fault:
                self.instruments.faults.labels(fault.place).inc()
                raise
            finally:
                self.instruments.stage.labels(stage).observe(self.clock_s() - began)

    # --- told by the ports ---

    def stored(self, signal: Signal) -> None:
        self.instruments.signals.labels(signal.body.type).inc()
        _remember(self._arrived, f"{signal.source}#{signal.id}", self.clock_s())

    def recorded(self, kind: str, payload: JsonObject, attributes: Mapping[str, str]) -> None:
        self.instruments.records.labels(kind).inc()
        said = {**payload, **{name: value for name, value in attributes.items() if name != "target"}}
        if "proposal" in said:
            note_action(_action_of(said))
        self.traces.record(kind, said)
        if kind in TOLD:
            self._tell(kind, said)
        reader = _READERS.get(kind)
        if reader is not None:
            reader(self, said)

    def _tell(self, kind: str, said: JsonObject) -> None:
        """Words of our own lists alone: what a stranger wrote is in the audit log."""
        words = " ".join(str(said[name]) for name in ("decision", "outcome", "state", "action") if said.get(name))
        about = {"incident": str(said.get("incident", "")), "action": _action_of(said)}
        log.info("%s: %s", kind.replace("_", " "), words, extra=about)

    def _incident(self, payload: JsonObject) -> None:
        if payload.get("change") != "opened":
            return
        self.instruments.incidents.inc()
        arrived = self._arrived.pop(str(payload.get("signal")), None)
        if arrived is not None:
            _remember(self._courses, str(payload.get("id")), _Course(arrived))

    def _verdict(self, payload: JsonObject) -> None:
        self.instruments.verdicts.labels(str(payload.get("decision"))).inc()
        course = self._courses.get(str(payload.get("incident")))
        if course is not None and not course.decided:
            course.decided = True
            self.instruments.decision.observe(self.clock_s() - course.arrived_s)

    def _asked(self, payload: JsonObject) -> None:
        self.instruments.asked.inc()
        course = self._courses.get(str(payload.get("incident")))
        if course is not None:
            course.asked = True

    def _answered(self, payload: JsonObject) -> None:
        if payload.get("counted") is not False:
            self.instruments.answers.labels(str(payload.get("decision"))).inc()

    def _outcome(self, payload: JsonObject) -> None:
        self.instruments.actions.labels(str(payload.get("action")), str(payload.get("outcome"))).inc()
        course = self._courses.get(str(payload.get("incident")))
        if course is not None and not course.acted and payload.get("outcome") == "succeeded":
            course.acted = True
            asked = "person" if course.asked else "nobody"
            self.instruments.action.labels(asked).observe(self.clock_s() - course.arrived_s)

    def _closed(self, payload: JsonObject) -> None:
        self.instruments.closed.labels(str(payload.get("state"))).inc()
        self._courses.pop(str(payload.get("incident")), None)

    def _admission(self, payload: JsonObject) -> None:
        self.instruments.admission.labels(str(payload.get("decision"))).inc()

    def _refused(self, payload: JsonObject) -> None:
        self.instruments.refused.labels(str(payload.get("door"))).inc(int(payload.get("count", 1)))


def _action_of(said: JsonObject) -> str:
    """The proposal, and the step where one is in hand."""
    proposal, step = said.get("proposal", ""), said.get("step")
    return f"{proposal}/{step}" if proposal and isinstance(step, int) else str(proposal)


_READERS: Mapping[str, Callable[[Telemetry, JsonObject], None]] = {
    "incident": Telemetry._incident,
    "verdict": Telemetry._verdict,
    "approval_requested": Telemetry._asked,
    "approval": Telemetry._answered,
    "outcome": Telemetry._outcome,
    "incident_closed": Telemetry._closed,
    "refused": Telemetry._refused,
    "admission_check": Telemetry._admission,
}


class MeasuredLedger:
    """ports.Ledger."""

    def __init__(self, ledger: Ledger, telemetry: Telemetry) -> None:
        self._ledger, self._telemetry = ledger, telemetry

    def record(
        self,
        kind: str,
        payload: JsonObject,
        *,
        unique_key: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        instruments = self._telemetry.instruments
        try:
            with instruments.append.time():
                self._ledger.record(kind, payload, unique_key=unique_key, attributes=attributes)
        except Fault:
            instruments.unrecorded.labels(kind).inc()
            raise
        self._telemetry.recorded(kind, payload, attributes or {})

    def find(self, unique_key: str) -> JsonObject | None:
        return self._ledger.find(unique_key)

    def ours(self, intent_key: str) -> bool:
        return self._ledger.ours(intent_key)

    def story(self, incident: str) -> list[Entry]:
        return self._ledger.story(incident)

    def past_actions(self, since: datetime) -> list[PastAction]:
        return self._ledger.past_actions(since)

    def standing(self) -> Standing:
        return self._ledger.standing()


class MeasuredPolicy:
    """ports.PolicyEngine."""

    def __init__(self, engine: PolicyEngine, telemetry: Telemetry) -> None:
        self._engine, self._telemetry = engine, telemetry

    @property
    def digest(self) -> str:
        return self._engine.digest

    @property
    def limits(self) -> Mapping[str, Any]:
        return self._engine.limits

    def decide(self, policy_input: JsonObject) -> JsonObject:
        began, came_of_it = self._telemetry.clock_s(), "fault"
        try:
            decided = self._engine.decide(policy_input)
            came_of_it = "decision"
            return decided
        finally:
            took_s = self._telemetry.clock_s() - began
            self._telemetry.instruments.policy.labels(came_of_it).observe(took_s)


class MeasuredInbox:
    """ports.Inbox."""

    def __init__(self, inbox: Inbox, telemetry: Telemetry) -> None:
        self._inbox, self._telemetry = inbox, telemetry

    def put(self, signal: Signal) -> bool:
        new = self._inbox.put(signal)
        if new:
            self._telemetry.stored(signal)
        return new

    def take(self, limit: int) -> list[Signal]:
        return self._inbox.take(limit)

    def done(self, signals: Sequence[Signal]) -> None:
        self._inbox.done(signals)


def _remember(where: dict[str, Any], key: str, value: Any) -> None:
    """The oldest goes where there are too many."""
    where[key] = value
    while len(where) > FOLLOWED_AT_MOST:
        where.pop(next(iter(where)), None)
