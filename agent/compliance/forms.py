"""Records as rows for a spreadsheet and as JSON objects, one a line. Pure.

A spreadsheet executes what begins like a formula, and much in the log was written by strangers: such cells are led by
an apostrophe, which spreadsheets show as text (OWASP, CSV Injection).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from agent.compliance.timeline import sentence
from audit.record import Record
from audit.sealing import closed_places, filled

REDACTED = "(redacted)"

NAMED = ("incident", "action", "target", "tenant", "decision", "outcome", "approver", "proposal")
COLUMNS = ("index", "at", "kind", "actor", *NAMED, "what")

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def record_object(record: Record) -> dict[str, Any]:
    """All of a record. A text that was erased is null, and its place is named."""
    return {
        "index": record.index,
        "kind": record.kind,
        "at": record.at,
        "actor": record.actor,
        "attributes": dict(record.attributes),
        "unique_key": record.unique_key,
        "payload": record.payload,
        "schema": record.schema,
        "redacted": list(closed_places(record)),
    }


def record_row(record: Record) -> list[object]:
    """What a reviewer sorts and filters by, and the record's sentence."""
    shown = filled(record, REDACTED)
    named = [shown.attributes.get(name, "") for name in NAMED]
    return [shown.index, shown.at, shown.kind, shown.actor, *named, sentence(shown.kind, shown.payload)]


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180, with lines that end as it says."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return written.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
