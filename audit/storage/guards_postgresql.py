"""The guards' rules as triggers of PostgreSQL.

Whoever calls a trigger has their own search path, and a temporary table of theirs comes first in it: one named
`log_attributes` could say that all is redacted. So every function names the schema of the log's tables, and runs with
a path of its own in which nobody's temporary tables stand before the server's catalogue (the form that PostgreSQL's
manual asks for of functions that must not be led astray, under CREATE FUNCTION). They run as whoever calls them: what
the caller may not see or do, a guard may not do for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlalchemy import Connection, text

from audit.storage.guards import DROPPED, NEW_ROW_RULES, NEW_ROW_RULES_2, REDACTED

_HEAD = "LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$"
"""Volatile, so that each row of one INSERT sees those before it."""

_TABLE = re.compile(r"\b(FROM|JOIN) (log_[a-z_]+)")
_SAID_NUMBER = "CASE WHEN said.value ~ '^[0-9]{1,18}$' THEN CAST(said.value AS BIGINT) ELSE 0 END"
"""What is no number would stop the statement, and so retention for ever."""

_VERBS = (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT"))


def log_schema(connection: Connection) -> str:
    """Where the log's tables are, quoted as an identifier."""
    found = connection.scalar(
        text("SELECT relnamespace::regnamespace::text FROM pg_catalog.pg_class WHERE oid = 'log_records'::regclass")
    )
    return str(found)


def postgresql_guards(version: int, schema: str) -> Iterator[str]:
    """The tables' owner alone may UPDATE and DELETE: retention is the owner's. Parts are not: they go by redaction,
    which is another role's, or with a record that retention has dropped. `schema` is quoted where it must be."""
    yield from postgresql_functions(version, schema)
    for table in NEW_ROW_RULES if version == 1 else NEW_ROW_RULES_2:
        refuse = "log_refuse_parts" if table == "log_parts" else "log_refuse"
        yield from _refusals(table, f"{schema}.{refuse}")
        yield (
            f"CREATE TRIGGER {table}_insert BEFORE INSERT ON {schema}.{table} "
            f"FOR EACH ROW EXECUTE FUNCTION {schema}.{table}_insert()"
        )


def postgresql_note_guards(schema: str) -> Iterator[str]:
    """Of what readers leave word of: a note goes when it has become a record, and is otherwise nobody's to touch."""
    yield postgresql_note_function(schema)
    yield from _refusals("log_read_notes", f"{schema}.log_refuse_notes")


def postgresql_functions(version: int, schema: str) -> Iterator[str]:
    """What the triggers of one version's tables call, made or made anew."""
    yield _function("log_refuse" if version == 1 else "log_refuse_parts", _REFUSE if version == 1 else _PARTS, schema)
    for table, rules in (NEW_ROW_RULES if version == 1 else NEW_ROW_RULES_2).items():
        cases = "\n".join(
            f"IF {condition.format(is_not='IS DISTINCT FROM', said_number=_SAID_NUMBER)} "
            f"THEN RAISE EXCEPTION '{table} is append-only: {rule}' "
            "USING ERRCODE = 'integrity_constraint_violation'; END IF;"
            for condition, rule in rules
        )
        yield _function(f"{table}_insert", f"{cases}\nRETURN NEW;", schema)


def postgresql_note_function(schema: str) -> str:
    """What the triggers of the readers' notes call, made or made anew."""
    return _function("log_refuse_notes", _NOTES, schema)


def _refusals(table: str, function: str) -> Iterator[str]:
    schema = function.rpartition(".")[0]
    for verb, each in _VERBS:
        yield (
            f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {schema}.{table} "
            f"FOR EACH {each} EXECUTE FUNCTION {function}()"
        )


def _function(name: str, body: str, schema: str) -> str:
    named = _TABLE.sub(lambda found: f"{found[1]} {schema}.{found[2]}", body)
    return f"CREATE OR REPLACE FUNCTION {schema}.{name}() RETURNS trigger {_HEAD}\nBEGIN\n{named}\nEND $$"


_OWNER = """(SELECT tableowner FROM pg_catalog.pg_tables
        WHERE schemaname = TG_TABLE_SCHEMA AND tablename = TG_TABLE_NAME)"""

_REFUSE = f"""
IF TG_OP <> 'TRUNCATE' AND current_user = {_OWNER} THEN
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END IF;
RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';"""

_PARTS = f"""
IF TG_OP = 'DELETE' THEN
    IF {DROPPED} OR ({REDACTED} AND current_user <> {_OWNER}) THEN
        RETURN OLD;
    END IF;
END IF;
RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';"""

_NOTES = """
IF TG_OP = 'DELETE' THEN
    IF EXISTS (SELECT 1 FROM log_records
            WHERE unique_key = 'log_read:' || OLD.at || '/' || OLD.id AND kind = 'log_read') THEN
        RETURN OLD;
    END IF;
END IF;
RAISE EXCEPTION '% waits for its record: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';"""
