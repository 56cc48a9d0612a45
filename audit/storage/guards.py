"""SQLite triggers that keep the log append-only against mistakes and against SQL from other hands.

They do not stop whoever may drop a trigger or edit the file; for that there are hashes, `audit.fsck` and outside
anchors. `INSERT OR REPLACE` deletes the old row without asking delete triggers (unless recursive_triggers is on, which
the other hand decides), so every insert is checked before it happens: it may only add the next thing. A record's
attributes and the nodes it completes come before the record itself, in the same transaction; the record closes them.
"""

from __future__ import annotations

from collections.abc import Iterator

_NEW_ROW_RULES = {
    "log_records": (
        (
            'NEW."index" IS NOT (SELECT coalesce(max("index") + 1, 0) FROM log_records)',
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


def sqlite_guards() -> Iterator[str]:
    """The statements that create the triggers, two refusals and the rules of insertion for each table."""
    for table, rules in _NEW_ROW_RULES.items():
        for verb in ("UPDATE", "DELETE"):
            refusal = _abort(f"{table} is append-only: {verb} refused")
            yield f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} BEGIN SELECT {refusal}; END"
        cases = " ".join(
            f"WHEN {condition} THEN {_abort(f'{table} is append-only: {rule}')}" for condition, rule in rules
        )
        yield f"CREATE TRIGGER {table}_insert BEFORE INSERT ON {table} BEGIN SELECT CASE {cases} END; END"


def _abort(message: str) -> str:
    return f"RAISE(ABORT, '{message}')"
