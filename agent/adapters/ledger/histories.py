"""The past as it was told when the log was shorter: for who decides again what was decided on it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from agent.adapters.ledger.past import COUNTED, NOT_FOLDED, PastActions
from agent.domain.history import History
from audit.errors import LogDamaged
from audit.log import Log


class Histories:
    """Asked in the log's order it reads each record once. What cannot be read any more is left out: whoever holds the
    history against the hash that was recorded of it finds that out."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._past, self._size = PastActions(), 0

    def told(self, since: datetime, records: int) -> History:
        """What was done since then, by the first so many records."""
        if records < self._size:
            self._past, self._size = PastActions(), 0
        found = self._log.query(kind=COUNTED, after_index=self._size - 1, before_index=records, damaged=_left_out)
        for record in found:
            payload: Any = record.payload
            with suppress(*NOT_FOLDED):
                self._past.see(record.kind, datetime.fromisoformat(record.at), payload, record.index)
        self._size = records
        return self._past.since(since, records)


def _left_out(_damage: LogDamaged) -> None:
    """Told by whoever checks the log."""
