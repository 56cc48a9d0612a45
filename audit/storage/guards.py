"""Triggers that keep the log append-only against mistakes and against SQL from other hands.

They do not stop whoever may drop a trigger or edit the file; for that there are hashes, `audit.fsck` and outside
anchors. SQLite's `INSERT OR REPLACE` deletes the old row without asking delete triggers (unless recursive_triggers is
on, which the other hand decides), so every insert is checked before it happens: it may only add the next thing. A
record's attributes and the nodes it completes come before the record itself, in the same transaction; the record closes
them.
"""

from __future__ import annotations

from collections.abc import Iterator

_NEW_ROW_RULES = {
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


def sqlite_guards() -> Iterator[str]:
    """The statements that create the triggers, two refusals and the rules of insertion for each table."""
    for table, rules in _NEW_ROW_RULES.items():
        for verb in ("UPDATE", "DELETE"):
            refusal = _abort(f"{table} is append-only: {verb} refused")
            yield f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} BEGIN SELECT {refusal}; END"
        cases = " ".join(
            f"WHEN {condition.format(is_not='IS NOT')} THEN {_abort(f'{table} is append-only: {rule}')}"
            for condition, rule in rules
        )
        yield f"CREATE TRIGGER {table}_insert BEFORE INSERT ON {table} BEGIN SELECT CASE {cases} END; END"


def _abort(message: str) -> str:
    return f"RAISE(ABORT, '{message}')"


def postgresql_guards() -> Iterator[str]:
    """The same for PostgreSQL. The tables' owner alone may UPDATE and DELETE: retention is the owner's."""
    yield _REFUSE
    for table, rules in _NEW_ROW_RULES.items():
        for verb, each in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            yield (
                f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
                f"FOR EACH {each} EXECUTE FUNCTION log_refuse()"
            )
        cases = "\n".join(
            f"IF {condition.format(is_not='IS DISTINCT FROM')} THEN RAISE EXCEPTION '{table} is append-only: {rule}' "
            "USING ERRCODE = 'integrity_constraint_violation'; END IF;"
            for condition, rule in rules
        )
        # Volatile, so that each row of one INSERT sees those before it.
        yield (
            f"CREATE FUNCTION {table}_insert() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$\n"
            f"BEGIN\n{cases}\nRETURN NEW;\nEND $$"
        )
        yield f"CREATE TRIGGER {table}_insert BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_insert()"


_REFUSE = """
CREATE FUNCTION log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'TRUNCATE' AND current_user = (SELECT tableowner FROM pg_tables
            WHERE schemaname = TG_TABLE_SCHEMA AND tablename = TG_TABLE_NAME) THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$"""
