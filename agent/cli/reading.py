"""Whoever reads the log by one of our doors is on the record: who, what they asked for, and how much they saw.

Who may only read, in PostgreSQL, leaves a note that an agent puts into the log; without it nothing is shown.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.house import House, WallClock, actor_here, login_name
from agent.cli.output import EXIT_REFUSED, clean, fail

if TYPE_CHECKING:
    from agent.adapters.ledger import AuditLedger
    from audit.log import Log
    from audit.record import Record
    from audit.verdict import Verdict


def logged(house: House, door: str, asked: Mapping[str, object], records: Sequence[Record] | int) -> None:
    """Before anything is shown; `records` or how many there are.

    A log that cannot be written can still be read, by whoever has to mend it: it is said that this read is on no
    record. A reader who could have left a note and did not is shown nothing.
    """
    from agent.faults import Fault
    from audit.errors import LogError

    try:
        _put(house.log, house.ledger, _payload(door, asked, records))
    except Fault as fault:
        _say(f"This read is on no record: {fault}.")
    except LogError as error:
        fail(
            f"Nothing is shown, because this read cannot be noted: {error}.",
            "The log's owner lets readers leave notes by `watchkeeper audit migrate URL --reader ROLE`.",
            status=EXIT_REFUSED,
        )


def logged_check(place: str | Path, asked: Mapping[str, object], verdict: Verdict) -> None:
    """That the agent's own log was checked, which nothing may keep anybody from. One that is not as it should be is
    evidence: it is left as it is."""
    from agent.adapters.ledger import AuditLedger
    from agent.faults import Fault
    from audit.errors import LogError
    from audit.log import Log

    if not verdict.ok or not _is_current(place):
        _say("This check is on no record: the log is left as it is.")
        return
    try:
        with Log.open(place) as log:
            ledger = AuditLedger(log, WallClock(), actor_here(), seal=True)
            _put(log, ledger, _payload("audit fsck", asked, verdict.size))
    except (Fault, LogError) as fault:
        _say(f"This check is on no record: {fault}.")


def _put(log: Log, ledger: AuditLedger, payload: dict[str, Any]) -> None:
    """Raises Fault where it cannot be recorded, LogError where it cannot be noted."""
    notes = log.store.notes
    if notes is not None and notes.needed():
        notes.leave(json.dumps(payload, ensure_ascii=False))
    else:
        ledger.record("log_read", payload)


def _payload(door: str, asked: Mapping[str, object], records: Sequence[Record] | int) -> dict[str, Any]:
    shown = () if isinstance(records, int) else records
    return {
        "by": login_name(),
        "door": door,
        "asked": {name: str(value) for name, value in asked.items() if value not in (None, (), [], {})},
        "count": records if isinstance(records, int) else len(records),
        "first": shown[0].index if shown else None,
        "last": shown[-1].index if shown else None,
    }


def _is_current(place: str | Path) -> bool:
    """Opening a file of an older version would bring it up to date, which is the agent's to do."""
    from audit.storage.schema import SCHEMA_VERSION

    if not isinstance(place, Path):
        return True
    try:
        with closing(sqlite3.connect(f"{place.resolve().as_uri()}?mode=ro", uri=True)) as database:
            found: list[tuple[int]] = database.execute("SELECT version FROM log_schema").fetchall()
    except sqlite3.Error:  # on a read-only medium, where only the check knows how to read it
        return False
    return found == [(SCHEMA_VERSION,)]


def _say(sentence: str) -> None:
    print(clean(sentence), file=sys.stderr)
