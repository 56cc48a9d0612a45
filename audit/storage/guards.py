"""Triggers that keep the log append-only against mistakes and against SQL from other hands.

They do not stop whoever may drop a trigger or edit the file; for that there are hashes, `audit.fsck` and outside
anchors. SQLite's `INSERT OR REPLACE` deletes the old row without asking delete triggers (unless recursive_triggers is
on, which the other hand decides), so every insert is checked before it happens: it may only add the next thing. A
record's attributes and the nodes it completes come before the record itself, in the same transaction; the record closes
them.

What may go goes only after the log says so: a part after a record of its redaction, a record after one of its retention
and with its leaf left behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

_DROPPED = 'EXISTS (SELECT 1 FROM log_stubs WHERE "index" = OLD."index")'
_REDACTED = """EXISTS (SELECT 1 FROM log_attributes
    WHERE name = 'redacts' AND value = CAST(OLD."index" AS TEXT))"""

Rules = Mapping[str, Sequence[tuple[str, str]]]

_NEW_ROW_RULES: Rules = {
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


_NEW_ROW_RULES_2: Rules = {
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
            """NOT EXISTS (SELECT 1 FROM log_attributes
    WHERE name = 'first_kept' AND CAST(value AS BIGINT) > NEW."index")""",
            "no record of retention lets it go",
        ),
    ),
}

_MAY_GO = {"log_parts": f"{_REDACTED} OR {_DROPPED}", "log_records": _DROPPED, "log_attributes": _DROPPED}
"""When a row may be deleted."""


def sqlite_guards(version: int) -> Iterator[str]:
    """The statements that create the triggers of one version's tables: refusals, and the rules of insertion."""
    for table, rules in (_NEW_ROW_RULES if version == 1 else _NEW_ROW_RULES_2).items():
        for verb in ("UPDATE", "DELETE"):
            yield _sqlite_refusal(table, verb, None if version == 1 or verb == "UPDATE" else _MAY_GO.get(table))
        cases = " ".join(
            f"WHEN {condition.format(is_not='IS NOT')} THEN {_abort(f'{table} is append-only: {rule}')}"
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


def postgresql_guards(version: int) -> Iterator[str]:
    """The same for PostgreSQL. The tables' owner alone may UPDATE and DELETE: retention is the owner's. Parts are not:
    they go by redaction, which is another role's, or with a record that retention has dropped."""
    yield _REFUSE if version == 1 else _REFUSE_PARTS
    for table, rules in (_NEW_ROW_RULES if version == 1 else _NEW_ROW_RULES_2).items():
        for verb, each in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            refuse = "log_refuse_parts" if table == "log_parts" else "log_refuse"
            yield (
                f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
                f"FOR EACH {each} EXECUTE FUNCTION {refuse}()"
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


def postgresql_note_guards() -> Iterator[str]:
    """Of what readers leave word of: a note goes when it has become a record, and is otherwise nobody's to touch."""
    yield _REFUSE_NOTES
    for verb, each in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        yield (
            f"CREATE TRIGGER log_read_notes_{verb.lower()} BEFORE {verb} ON log_read_notes "
            f"FOR EACH {each} EXECUTE FUNCTION log_refuse_notes()"
        )


_REFUSE = """
CREATE FUNCTION log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'TRUNCATE' AND current_user = (SELECT tableowner FROM pg_tables
            WHERE schemaname = TG_TABLE_SCHEMA AND tablename = TG_TABLE_NAME) THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$"""

_REFUSE_PARTS = f"""
CREATE FUNCTION log_refuse_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF {_DROPPED} OR ({_REDACTED} AND current_user <> (SELECT tableowner FROM pg_tables
                WHERE schemaname = TG_TABLE_SCHEMA AND tablename = TG_TABLE_NAME)) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$"""  # noqa: S608 - of nothing but the conditions above

_REFUSE_NOTES = """
CREATE FUNCTION log_refuse_notes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT 1 FROM log_records WHERE unique_key = 'log_read:' || OLD.at || '/' || OLD.id) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '% waits for its record: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$"""
