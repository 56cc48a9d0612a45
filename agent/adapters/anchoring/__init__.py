"""Has the log's checkpoints kept outside while the agent runs: a thread for each place, so that none waits for another.

Nothing of the agent's work waits for an anchor. A place that is away is told (one line in the log, and `/readyz`), is
asked again within a minute, and needs no catching up: the next checkpoint covers what the missed ones would have. A
place that keeps a checkpoint which the log does not extend is another matter: from then on nothing is signed anywhere,
and a person is called.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import httpx

from agent.domain.base import digest_of, rfc3339
from agent.domain.cluster import ObjectRef
from agent.ports import Clock, Fault, JsonObject, Ledger, Notifier
from agent.recording import call
from audit.anchoring.places import anchor_at
from audit.anchoring.publishing import NotAnExtension, checkpoint
from audit.errors import LogError
from audit.log import Log
from audit.notes import Note, NoteRefused, VerifierKey
from audit.signing import Signer
from audit.witness_client import TIMEOUT_S, all_cosigned

RETRY_S = 60
"""How soon a place that was away is asked again: one small request."""

STOP_TIMEOUT_S = 2.0
"""A thread that waits for a server is left behind; what it asked for is whole or not there."""

THE_LOG = ObjectRef(api_version="watchkeeper.dev/v1", kind="Log", name="audit")

log = logging.getLogger("watchkeeper.anchoring")


@dataclass(frozen=True, slots=True)
class Keys:
    """Who signs, who signed before, and who cosigns."""

    signer: Signer
    earlier: Sequence[VerifierKey] = ()
    witnesses: Sequence[tuple[str, VerifierKey]] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How one place stands. `fault` is None while it answers."""

    records: int | None = None
    at: datetime | None = None
    fault: str | None = None

    def json_object(self) -> JsonObject:
        at = None if self.at is None else rfc3339(self.at)
        return {"records": self.records, "at": at, "fault": self.fault}


@dataclass
class Anchoring:
    """`places` as `audit.anchoring.places` reads them; each is opened when it is needed, and again after a fault."""

    audit_log: Log
    keys: Keys
    places: Sequence[str]
    every_s: int
    clock: Clock
    alarm: Callable[[str], None]
    _standing: dict[str, Standing] = field(default_factory=dict)
    _contradicted: str | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for place in self.places:
            thread = threading.Thread(target=self._run, args=(place,), name=f"anchor {place}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(STOP_TIMEOUT_S)

    def standing(self) -> JsonObject:
        """For `/readyz`: what each place keeps, and what is wrong with it."""
        return {place: self._standing.get(place, Standing()).json_object() for place in self.places}

    def once(self, place: str) -> int:
        """Has the log kept there as it is now. In how many seconds to ask again."""
        if self._contradicted is not None:
            self._note(place, fault=self._contradicted)
            return self.every_s
        try:
            anchor = anchor_at(place, self.clock.now)
            done = checkpoint(self.audit_log, self.keys.signer, [anchor], self.keys.earlier, self._cosigned)
            if done.away:
                raise done.away[0][1]
        except NotAnExtension as refusal:
            self._contradicted = f"not signed: {refusal}"
            self._note(place, fault=self._contradicted)
            self.alarm(
                f"the log is not the one that was signed: {refusal}; no more is signed until the agent is restarted"
            )
            return self.every_s
        except (LogError, NoteRefused) as fault:
            self._note(place, fault=str(fault))
            return min(RETRY_S, self.every_s)
        self._note(place, records=done.size)
        for told in done.lost:
            self._standing[place] = replace(self._standing[place], fault=told)
            self.alarm(told)
        return self.every_s

    def _run(self, place: str) -> None:
        wait_s = 0
        while not self._stopped.wait(wait_s):
            wait_s = self.once(place)

    def _note(self, place: str, *, records: int | None = None, fault: str | None = None) -> None:
        """One line where something has changed; every checkpoint at debug."""
        before = self._standing.get(place, Standing())
        if fault is not None:
            self._standing[place] = replace(before, fault=fault)
            log.log(
                logging.WARNING if before.fault is None else logging.DEBUG, "%s keeps nothing now: %s", place, fault
            )
            return
        self._standing[place] = Standing(records, self.clock.now())
        news = before.fault is not None or before.records is None
        log.log(logging.INFO if news else logging.DEBUG, "%s keeps a checkpoint of %s records", place, records)

    def _cosigned(self, note: Note) -> Note:
        if not self.keys.witnesses:
            return note
        with httpx.Client(timeout=TIMEOUT_S) as client:
            whole, refused = all_cosigned(client, self.keys.witnesses, self.audit_log, note)
        for fault in refused:
            log.warning("not cosigned: %s", fault)
        return whole


def person_called(notifier: Notifier, ledger: Ledger) -> Callable[[str], None]:
    """Calls whoever is on duty, once for each message. A log that cannot be written is no reason to keep quiet."""

    def alarm(message: str) -> None:
        key = f"log/{digest_of(message)}"
        log.error("%s", message)
        try:
            call(notifier, ledger, THE_LOG, message, key=key)
        except Fault as fault:
            notifier.notify("oncall", THE_LOG, f"{message} (and it cannot be recorded: {fault})", key=key)

    return alarm
