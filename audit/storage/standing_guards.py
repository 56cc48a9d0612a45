"""Whether the guards of a log in PostgreSQL stand as this program makes them, and it is durable: a part of its check.

Whoever owns the tables can switch a trigger off, have it call something else, or put a rule or a trigger of their own
before it. None of that changes a record, so it is a warning for a person; what it let happen is for the rest of the
check. `watchkeeper audit migrate` makes all guards anew.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from audit.storage.durability import FAULTS
from audit.storage.guards_postgresql import (
    NOTES_TABLE,
    SETTINGS,
    Guard,
    bodies_of,
    guards_of,
    log_schema,
    note_bodies,
    note_guards,
)
from audit.storage.schema import metadata
from audit.verdict import Section

_TRIGGERS = text("""
    SELECT tgname, relname, tgenabled::text IN ('O', 'A') AS on, tgtype,
        tgqual IS NULL AND cardinality(tgattr::int2[]) = 0 AS whole,
        proname, pronamespace = relnamespace AS ours, prosrc, proconfig, prosecdef
    FROM pg_catalog.pg_trigger
    JOIN pg_catalog.pg_class ON pg_class.oid = tgrelid JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid
    WHERE NOT tgisinternal AND relname = ANY(:tables)
        AND relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = 'log_records'::regclass)
    ORDER BY relname, tgname""")
_RULES = text("""
    SELECT rulename, relname FROM pg_catalog.pg_rewrite JOIN pg_catalog.pg_class ON pg_class.oid = ev_class
    WHERE relname = ANY(:tables)
        AND relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = 'log_records'::regclass)
    ORDER BY relname, rulename""")

_WITHOUT = "the log is not append-only now"
_WITHOUT_NOTES = "what readers left word of can be taken away"


def look_at_guards(connection: Connection, notes_are_there: bool, warnings: Section) -> None:
    """Adds to the warnings what is missing, off, another or a stranger."""
    schema = log_schema(connection)
    bodies = bodies_of(1, schema) | bodies_of(2, schema) | note_bodies(schema)
    notes = list(note_guards()) if notes_are_there else []
    expected = {guard.name: guard for guard in (*guards_of(1), *guards_of(2), *notes)}
    tables = {"tables": [*(table.name for table in metadata.sorted_tables), NOTES_TABLE]}
    found = {row.tgname: row for row in connection.execute(_TRIGGERS, tables) if _place(row) == row.tgname}
    for name, guard in expected.items():
        row = found.get(name)
        if row is None or not row.on:
            off = f"the trigger {name} is gone or off: {_WITHOUT_NOTES if guard in notes else _WITHOUT}"
            warnings.add("guard_missing", None, off)
        elif not _as_made(row, guard, bodies[guard.function]):
            other = f"the trigger {name} is not what this program makes: `watchkeeper audit migrate` makes it anew"
            warnings.add("guard_differs", None, other)
    for row in connection.execute(_TRIGGERS, tables):
        if row.tgname not in expected or row.tgname != _place(row):
            warnings.add("guard_unknown", None, f"a trigger {row.tgname!r} on {row.relname} is none of the log's")
    for rule, table in connection.execute(_RULES, tables):
        warnings.add("guard_unknown", None, f"a rule {rule!r} on {table} is none of the log's")
    faults = connection.scalar(text(FAULTS))
    if faults:
        warnings.add("not_durable", None, f"{faults}; nothing is appended meanwhile")


def _place(row: Any) -> str:
    """A trigger's name counts on its own table alone: what bears it elsewhere is a stranger."""
    table, _, verb = str(row.tgname).rpartition("_")
    return f"{row.relname}_{verb}" if table == row.relname else ""


def _as_made(row: Any, guard: Guard, body: str) -> bool:
    settings = {f"{name}={to}" for name, to in SETTINGS.items()}
    form = (row.tgtype, row.whole, row.proname, row.ours, row.prosecdef)
    return (
        form == (guard.kind, True, guard.function, True, False)
        and row.prosrc == body
        and set(row.proconfig or ()) == settings
    )
