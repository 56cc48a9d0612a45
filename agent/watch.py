"""The loop around the workflow: takes signals in, runs `sense`, resumes a thread on a signal, an answer or a wake-up.

One task at a time; which ready one is next is for the TaskOrder port, so that a simulation can try other orders.
What is in memory here can be lost: after a restart every open incident is looked at once, and the stores say the rest.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from agent.absence import Absence
from agent.domain.base import rfc3339
from agent.domain.cluster import ObjectRef
from agent.domain.incident import IncidentState
from agent.domain.signal import Signal
from agent.evidence.echoes import Closed
from agent.giving_up import give_up
from agent.ports import AlreadyRecorded, Fault, Ports, TaskOrder
from agent.recording import call
from agent.stages.sense import Change, ChangeKind, sense
from agent.workflow import RESTART, Workflow

BATCH = 500  # signals sensed together: one view of the cluster serves them all
RETRY_FIRST_S = 10
RETRY_AT_MOST_S = 60  # a store or server that is down is asked again at least this often; it costs one call
FAILURES_ALIKE = 5  # of what fails alike each time, before the incident goes to a person
TURNED_AWAY = "the cluster has no such object, or none is named, and as many incidents about such are open as may be"
HEARTBEAT_S = 3600  # makes "nothing happened" provable

log = logging.getLogger("watchkeeper.watch")


Refused = Callable[[str, str, str], None]


def _said(door: str, place: str, reason: str) -> None:
    log.warning("%s: %s: %s", door, place, reason)


class Watch:
    """Not thread-safe: one thread drives it. `receive` may be called from others (it only stores)."""

    def __init__(self, ports: Ports, workflow: Workflow, order: TaskOrder, refused: Refused = _said) -> None:
        """`refused` is told (door, place, reason) of signals that are about nothing that there is."""
        self._ports = ports
        self._refused = refused
        self._workflow = workflow
        self._order = order
        self._nudged: dict[str, str] = {i.id: RESTART for i in ports.incidents.open()}
        self._asked: dict[str, str] = {}  # pending requests: incident by request id
        self._retry_at: dict[str, datetime] = {}  # by task; a fault put it off
        self._failures: dict[str, int] = {}
        self.absence = Absence(ports.notifier, ports.ledger, ports.call_when_away_s)

    def receive(self, signals: Sequence[Signal]) -> int:
        """Stores signals; returns how many were new. Raises when the inbox cannot store: the sender must repeat."""
        return sum(self._ports.inbox.put(signal) for signal in signals)

    def run_until_idle(self, hold: Callable[[], bool] = lambda: False) -> None:
        """Does all that can be done now; between two tasks `hold` may say that it is to be left for later."""
        while not hold() and (ready := self._ready()):
            self._run(ready[self._order.choose(ready)])

    def next_wake(self) -> datetime | None:
        """When there will be something to do without anything happening."""
        moments = [*self._retry_at.values()]
        with suppress(Fault):  # a store that does not answer is asked again at the next look
            due = self._ports.timers.next_due()
            moments += [due] if due else []
        return min(moments, default=None)

    def heartbeat(self) -> None:
        """Once an hour, on the record."""
        now = self._ports.clock.now()
        beat = int(now.timestamp()) // HEARTBEAT_S
        if self._failures.get("heartbeat", -1) == beat:
            return
        try:
            self._ports.ledger.record("heartbeat", {"at": rfc3339(now)}, unique_key=f"heartbeat:{beat}")
        except AlreadyRecorded:
            pass
        except Fault as fault:
            log.warning("no heartbeat: %s", fault)
            return
        self._failures["heartbeat"] = beat

    # --- tasks ------------------------------------------------------------------------------------------------------

    def _ready(self) -> list[str]:
        """Names of the tasks that can run now: 'signals', or an incident's id. None while the store does not answer."""
        now = self._ports.clock.now()
        self._notice_answers()
        try:
            due, signals = self._ports.timers.due(now), self._ports.inbox.take(1)
        except Fault as fault:
            log.warning("the store does not answer: %s", fault)
            return []
        for wake in due:
            self._nudged.setdefault(wake.incident, "due")
        tasks = sorted(self._nudged)
        if signals:
            tasks.insert(0, "signals")
        return [task for task in tasks if self._retry_at.get(task, now) <= now]

    def _notice_answers(self) -> None:
        try:
            pending = {request.id: request.incident for request in self._ports.desk.pending()}
        except Fault as fault:
            log.warning("the desk does not answer: %s", fault)
            return
        for request, incident in self._asked.items():
            if request not in pending:
                self._nudged.setdefault(incident, "answer")
        self._asked = pending

    def _run(self, task: str) -> None:
        try:
            if task == "signals":
                self._sense()
            else:
                self._resume(task)
        except Fault as fault:
            if fault.passes or self._failures.get(task, 0) < FAILURES_ALIKE:
                self._put_off(task, fault)
            else:
                give_up(task, fault, self._ports)
                self._nudged.pop(task, None)
        except Exception:  # one signal that we cannot work with must not end the watch over the others
            if task != "signals":
                raise
            log.exception("a batch of signals failed; each is tried by itself")
            self._sense_each()
        else:
            self._retry_at.pop(task, None)
            self._failures.pop(task, None)
            self.absence.works(task)

    def _put_off(self, task: str, fault: Fault) -> None:
        failures = self._failures[task] = self._failures.get(task, 0) + 1
        delay_s = min(RETRY_FIRST_S * 2 ** (failures - 1), RETRY_AT_MOST_S)
        self._retry_at[task] = self._ports.clock.now() + timedelta(seconds=delay_s)
        about = {} if task == "signals" else {"incident": task}
        log.info("%s put off by %d s: %s: %s", task, delay_s, fault.place, fault, extra=about)
        self.absence.fails(task, self._subject(task), fault, self._ports.clock.now())

    def _subject(self, incident: str) -> ObjectRef | None:
        """None for a task that is no incident, and while the store does not answer."""
        with suppress(Fault):
            found = self._ports.incidents.get(incident)
            return found.subject if found is not None else None
        return None

    # --- signals to incidents ---------------------------------------------------------------------------------------

    def _sense(self) -> None:
        batch = self._ports.inbox.take(BATCH)
        self._sense_all(batch)
        self._ports.inbox.done(batch)

    def _sense_all(self, batch: Sequence[Signal]) -> None:
        incidents, view = self._ports.incidents.open(), self._ports.views.take()
        for change in sense(batch, incidents, self._last_closed, view, self._ports.clock.now(), self._ports.thresholds):
            self._note(change)

    def _sense_each(self) -> None:
        """One by one, so that only the signal that fails is set aside, on the record."""
        for signal in self._ports.inbox.take(BATCH):
            try:
                self._sense_all([signal])
            except Fault as fault:
                return self._put_off("signals", fault)
            except Exception as error:  # noqa: BLE001  named on the record, beside the signal
                self._set_aside(signal, error)
            self._ports.inbox.done([signal])

    def _set_aside(self, signal: Signal, error: Exception) -> None:
        payload = {
            "door": "sense",
            "place": f"{signal.source}#{signal.id}",
            "reason": f"{type(error).__name__}: {error}",
        }
        with suppress(AlreadyRecorded):
            self._ports.ledger.record("refused", payload, unique_key=f"set_aside:{signal.source}#{signal.id}")

    def _last_closed(self, key: str) -> Closed | None:
        found = self._ports.incidents.last_closed(key)
        return Closed(*found) if found else None

    def _note(self, change: Change) -> None:
        """On the record first, then in the store; a repetition is only counted."""
        incident, signal = change.incident, change.signal
        if change.kind is ChangeKind.TURNED_AWAY:
            self._turn_away(incident.subject, signal)
            return
        if change.kind is not ChangeKind.REPEATED:
            self._record(change)
            self._nudged.setdefault(incident.id, change.kind.value)
        self._ports.incidents.save(incident, IncidentState.OPEN)
        level = logging.DEBUG if change.kind is ChangeKind.REPEATED else logging.INFO  # a storm is a line, too
        log.log(level, "%s %s by %s", incident.id, change.kind.value, signal.type, extra={"incident": incident.id})

    def _turn_away(self, subject: ObjectRef, signal: Signal) -> None:
        """Refused on the record; and once an hour a person hears that there is more than was told."""
        self._refused("sense", f"{signal.source}#{signal.id}", f"{subject}: {TURNED_AWAY}")
        key = f"turned-away-{rfc3339(self._ports.clock.now())[:13]}/notice"
        message = f"{signal.source}: {TURNED_AWAY}: what more comes is refused, on the record, and told to nobody"
        call(self._ports.notifier, self._ports.ledger, subject, message, key=key)

    def _record(self, change: Change) -> None:
        incident, signal = change.incident, change.signal
        payload = {**incident.json_object(), "change": change.kind.value, "signal": f"{signal.source}#{signal.id}"}
        attributes = {"incident": incident.id, "target": str(incident.subject)}
        try:
            self._ports.ledger.record(
                "incident",
                payload,
                unique_key=f"incident:{incident.id}/{change.kind.value}/{signal.source}#{signal.id}",
                attributes=attributes,
            )
        except AlreadyRecorded:
            log.debug("%s knew of %s", incident.id, signal.id)

    # --- threads ----------------------------------------------------------------------------------------------------

    def _resume(self, incident: str) -> None:
        """Takes the nudge only when the thread has come to a wait or an end: a fault leaves it standing."""
        cause = self._nudged[incident]
        try:
            self._ports.timers.clear(incident)
            if self._ports.incidents.is_open(incident):
                asks = self._workflow.advance(incident, cause)
                if asks is not None:  # noted now: an answer may come before the next look at the desk
                    self._asked[asks] = incident
                    log.info("%s waits for an answer to %s", incident, asks, extra={"incident": incident})
        except Fault:
            raise
        except Exception as error:  # the top of the workflow: recorded, named, and a person is called
            log.exception("incident %s failed", incident, extra={"incident": incident})
            give_up(incident, error, self._ports)
        self._nudged.pop(incident, None)
