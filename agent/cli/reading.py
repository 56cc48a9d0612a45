"""Whoever reads the log by one of our doors is on the record: who, what they asked for, and how much they saw."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from agent.cli.house import House, login_name
from agent.cli.output import clean

if TYPE_CHECKING:
    from audit.record import Record


def logged(house: House, door: str, asked: Mapping[str, object], records: Sequence[Record] | int) -> None:
    """Before anything is shown; `records` or how many there are.

    A log that cannot be written can still be read, by whoever has to mend it: it is said that this read is on no
    record.
    """
    from agent.faults import Fault

    shown = () if isinstance(records, int) else records
    payload = {
        "by": login_name() or "unknown",
        "door": door,
        "asked": {name: str(value) for name, value in asked.items() if value not in (None, (), [], {})},
        "count": records if isinstance(records, int) else len(records),
        "first": shown[0].index if shown else None,
        "last": shown[-1].index if shown else None,
    }
    try:
        house.ledger.record("log_read", payload)
    except Fault as fault:
        print(clean(f"This read is on no record: {fault}."), file=sys.stderr)
