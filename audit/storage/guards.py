"""Triggers that keep the log append-only against mistakes and against SQL from other hands: the rules, and in SQLite.

They do not stop whoever may drop a trigger or edit the file; for that there are hashes, `audit.fsck` and outside
anchors. SQLite's `INSERT OR REPLACE` deletes the old row without asking delete triggers (unless recursive_triggers is
on, which the other hand decides), so every insert is checked before it happens: it may only add the next thing. A
record's attributes and the nodes it completes come before the record itself, in the same transaction; the record closes
them.

What may go goes only after the log says so: a part after a record of its redaction, a record after one of its retention
and with its leaf left behind. PostgreSQL's form of it all is `audit.storage.guards_postgresql`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

DROPPED = 'EXISTS (SELECT 1 FROM log_stubs WHERE "index" = OLD."index")'
REDACTED = """EXISTS (SELECT 1 FROM log_attributes AS said JOIN log_records AS record ON record."index" = said."index"
    WHERE said.name = 'redacts' AND said.value = CAST(OLD."index" AS TEXT) AND record.kind = 'redaction')"""
"""By a record, and not by the attribute of one that is not there yet."""

Rules = Mapping[str, Sequence[tuple[str, str]]]

NEW_ROW_RULES: Rules = {
    "log_records": (
        (
            'NEW."index" {is_not} (SELECT coalesce(max("index") + 1, 0) FROM log_records)',
            "the next record has the next index",
        ),
        (
            "NEW.unique_key IS NOT NULL AND EXISTS (SELECT 1 FROM log_records WHERE unique_key = NEW.unique_key)",
            "the unique key is taken",
        ),
    ),
    "log_attributes": (
        ('NEW."index" < (SELECT coalesce(max("index") + 1, 0) FROM log_records)', "its record is closed"),
        (
            'EXISTS (SELECT 1 FROM log_attributes WHERE "index" = NEW."index" AND name = NEW.name)',
            "the attribute is recorded",
        ),
    ),
    "log_nodes": (
        (
            '((NEW."index" + 1) << NEW.level) <= (SELECT coalesce(max("index") + 1, 0) FROM log_records)',
            "its subtree is closed",
        ),
        (
            'EXISTS (SELECT 1 FROM log_nodes WHERE level = NEW.level AND "index" = NEW."index")',
            "the node is recorded",
        ),
    ),
    "log_schema": (("EXISTS (SELECT 1 FROM log_schema)", "there is one version"),),
}


NEW_ROW_RULES_2: Rules = {
    "log_parts": (
        ('NEW."index" < (SELECT coalesce(max("index") + 1, 0) FROM log_records)', "its record is closed"),
        (
            'EXISTS (SELECT 1 FROM log_parts WHERE "index" = NEW."index" AND place = NEW.place)',
            "the part is recorded",
        ),
    ),
    "log_stubs": (
        ('EXISTS (SELECT 1 FROM log_stubs WHERE "index" = NEW."index")', "the stub is recorded"),
        (
            'NOT EXISTS (SELECT 1 FROM log_records WHERE "index" = NEW."index" AND leaf = NEW.leaf)',
            "a stub is what a record leaves behind",
        ),
        (
            """NOT EXISTS (SELECT 1 FROM log_attributes AS said
    JOIN log_records AS record ON record."index" = said."index"
    WHERE said.name = 'first_kept' AND {said_number} > NEW."index" AND record.kind = 'retention')""",
            "no record of retention lets it go",
        ),
    ),
}

_MAY_GO = {"log_parts": f"{REDACTED} OR {DROPPED}", "log_records": DROPPED, "log_attributes": DROPPED}
"""When a row may be deleted."""


def sqlite_guards(version: int) -> Iterator[str]:
    """The statements that create the triggers of one version's tables: refusals, and the rules of insertion."""
    for table, rules in (NEW_ROW_RULES if version == 1 else NEW_ROW_RULES_2).items():
        for verb in ("UPDATE", "DELETE"):
            yield _sqlite_refusal(table, verb, None if version == 1 or verb == "UPDATE" else _MAY_GO.get(table))
        cases = " ".join(
            f"WHEN {condition.format(is_not='IS NOT', said_number='CAST(said.value AS BIGINT)')} "
            f"THEN {_abort(f'{table} is append-only: {rule}')}"
            for condition, rule in rules
        )
        yield f"CREATE TRIGGER {table}_insert BEFORE INSERT ON {table} BEGIN SELECT CASE {cases} END; END"
    if version > 1:
        for table in ("log_records", "log_attributes"):
            yield f"DROP TRIGGER IF EXISTS {table}_delete"
            yield _sqlite_refusal(table, "DELETE", _MAY_GO[table])


def _sqlite_refusal(table: str, verb: str, unless: str | None) -> str:
    when = f"WHEN NOT ({unless})" if unless else ""
    refusal = _abort(f"{table} is append-only: {verb} refused")
    return f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} {when} BEGIN SELECT {refusal}; END"


def _abort(message: str) -> str:
    return f"RAISE(ABORT, '{message}')"
