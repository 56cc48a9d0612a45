"""The port to the log: the agent's words for audit's, and audit's faults as the agent's.

audit knows nothing of incidents; here is what the attributes mean by which records are found again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, cast

from agent.adapters.ledger.past import COUNTED, NOT_FOLDED, PastActions
from agent.adapters.ledger.sensitive import sensitive_places
from agent.adapters.ledger.standing import StandingFold
from agent.domain.cluster import ObjectRef
from agent.domain.entry import Entry
from agent.domain.outcome import PastAction
from agent.domain.standing import Standing
from agent.ports import AlreadyRecorded, Clock, JsonObject, LedgerUnavailable
from audit import log as audit_log
from audit.log import Log
from audit.record import MAX_ATTRIBUTE_VALUE_BYTES, Record
from audit.sealing import filled

__all__ = ["AuditLedger", "attributes_of"]

_NAMED_ALIKE = ("incident", "action", "tenant", "decision", "outcome", "proposal")
"""Attributes that are taken from the payload's member of the same name, where that is a text."""

_FOLDED = (*COUNTED, "level_changed")

REDACTED = "(redacted)"
"""Where a text was erased: who reads a payload expects a text there."""


class AuditLedger:
    """Implements ports.Ledger. `actor` is who writes: the agent, or the process of a door.

    With `seal`, what is sensitive (`agent.adapters.ledger.sensitive`) is kept apart, so that it can be erased. A
    simulated run has no people in it and seals nothing: it repeats byte for byte, which salts would not.
    """

    def __init__(self, log: Log, clock: Clock, actor: str, *, seal: bool = False) -> None:
        self._log = log
        self._clock = clock
        self._actor = actor
        self._seal = seal
        self._past = PastActions()
        self._standing = StandingFold()
        self._past_next = 0
        self._past_lock = threading.Lock()
        self._begun: dict[str, int] = {}  # thread of this process by intent
        self._size_at_start = _size(log)

    def record(
        self,
        kind: str,
        payload: JsonObject,
        *,
        unique_key: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """Durable on return. Attributes not given are taken from the payload (`attributes_of`)."""
        named = {
            name: _short(value) for name, value in (attributes_of(payload) | dict(attributes or {})).items() if value
        }
        try:
            appended = self._log.append(
                kind,
                actor=self._actor,
                at=self._clock.now(),
                attributes=named,
                payload=payload,
                unique_key=unique_key,
                sealed=sensitive_places(kind, self._actor, named, payload) if self._seal else (),
            )
        except audit_log.AlreadyRecorded as taken:
            standing: Any = filled(taken.existing, REDACTED).payload
            raise AlreadyRecorded(unique_key or "", standing) from taken
        except audit_log.LogError as error:
            raise LedgerUnavailable(f"{kind} cannot be recorded: {error}") from error
        self._fold_own(appended)
        if kind == "intent" and unique_key is not None:
            self._begun[unique_key] = threading.get_ident()

    def find(self, unique_key: str) -> JsonObject | None:
        try:
            found = self._log.find(unique_key)
        except audit_log.LogError as error:
            raise LedgerUnavailable(f"{unique_key} cannot be looked up: {error}") from error
        if found is None:
            return None
        payload: Any = filled(found, REDACTED).payload
        return cast(JsonObject, payload)

    def ours(self, intent_key: str) -> bool:
        """Is it this worker's to go on with: begun by this thread, or before this process was there to begin it?"""
        if intent_key in self._begun:
            return self._begun[intent_key] == threading.get_ident()
        try:
            found = self._log.find(intent_key)
        except audit_log.LogError as error:
            raise LedgerUnavailable(f"{intent_key} cannot be looked up: {error}") from error
        return found is not None and found.index < self._size_at_start

    def story(self, incident: str) -> list[Entry]:
        """What was erased reads as that."""
        try:
            records = [filled(record, REDACTED) for record in self._log.query(incident=incident)]
        except audit_log.LogError as error:
            raise LedgerUnavailable(f"the records of {incident} cannot be read: {error}") from error
        return [_entry(record) for record in records]

    def past_actions(self, since: datetime) -> list[PastAction]:
        """From this process's last look on, only new records are read."""
        with self._past_lock:
            try:
                self._read_new()
            except audit_log.LogError as error:
                raise LedgerUnavailable(f"past actions cannot be read: {error}") from error
            return self._past.since(since, self._past_next)

    def standing(self) -> Standing:
        """As of the newest `level_changed` record, whichever process wrote it."""
        with self._past_lock:
            try:
                self._read_new()
            except audit_log.LogError as error:
                raise LedgerUnavailable(f"the granted levels cannot be read: {error}") from error
            return self._standing.standing()

    def _fold_own(self, record: Record) -> None:
        """What this process has just appended need not be read again, where nothing of another's came before it.

        What cannot be folded is on the record all the same: whoever asks for the past hears of it when it is read.
        """
        with self._past_lock:
            if record.index == self._past_next:
                with suppress(*NOT_FOLDED):
                    self._fold(record)
                    self._past_next = record.index + 1

    def _read_new(self) -> None:
        """What is folded stays so: who asks again after a fault goes on at the record that it came from."""
        size = self._log.size()
        if size == self._past_next:
            return
        for record in self._log.query(kind=_FOLDED, after_index=self._past_next - 1, before_index=size):
            try:
                self._fold(record)
            except NOT_FOLDED as fault:
                told = " ".join(repr(fault).split())
                raise LedgerUnavailable(f"record {record.index}, {record.kind}, is not understood: {told}") from fault
            self._past_next = record.index + 1
        self._past_next = size

    def _fold(self, record: Record) -> None:
        """A text that was erased is there all the same, so that it is understood as by who read it before that."""
        if record.kind not in _FOLDED:
            return
        at, payload = datetime.fromisoformat(record.at), cast(Any, filled(record, REDACTED).payload)
        if record.kind == "level_changed":
            self._standing.see(at, payload)
        else:
            self._past.see(record.kind, at, payload, record.index)


def _entry(record: Record) -> Entry:
    payload: Any = record.payload
    return Entry(record.kind, datetime.fromisoformat(record.at), payload, record.unique_key or "")


def _size(log: Log) -> int:
    """Of a log that is down at the start nothing is known: then nothing in it is taken for our own."""
    try:
        return log.size()
    except audit_log.LogError:
        return 0


def attributes_of(payload: Mapping[str, Any]) -> dict[str, str]:
    """What a record is found by, from its payload: the members of that name, and `target` as
    Kind/namespace/name."""
    found = {name: payload[name] for name in _NAMED_ALIKE if isinstance(payload.get(name), str)}
    target = payload.get("target")
    if isinstance(target, Mapping):
        found["target"] = str(ObjectRef.model_validate(target))
    return found


def _short(value: str) -> str:
    """Attributes are for finding and are limited; the whole value is in the payload."""
    return value.encode()[:MAX_ATTRIBUTE_VALUE_BYTES].decode(errors="ignore")
