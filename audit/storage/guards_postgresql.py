"""The guards' rules as triggers of PostgreSQL.

Whoever calls a trigger has their own search path, and a temporary table of theirs comes first in it: one named
`log_attributes` could say that all is redacted. So every function names the schema of the log's tables, and runs with
a path of its own in which nobody's temporary tables stand before the server's catalogue (the form that PostgreSQL's
manual asks for of functions that must not be led astray, under CREATE FUNCTION). They run as whoever calls them: what
the caller may not see or do, a guard may not do for them.

What belongs to a record (attributes, nodes, parts) is checked once for each statement, over all rows that it added: a
row must be of a record that this very transaction has added. So nothing is hung on a record of before, nor on one that
is not there yet. Transactions are compared by their 32 bits; after four thousand million of them an old record could
be taken for one's own, and `audit.fsck` finds what is hung on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, text

from audit.storage.guards import DROPPED, NEW_ROW_RULES, NEW_ROW_RULES_2, REDACTED

SETTINGS = {"search_path": "pg_catalog, pg_temp", "enable_seqscan": "off"}
"""Of each function. The second is for speed: a plan that was made while the log was short is kept for long."""

_SET = " ".join(f"SET {name} = {to}" for name, to in SETTINGS.items())
_HEAD = f"LANGUAGE plpgsql VOLATILE SECURITY INVOKER {_SET} AS $$"
"""Volatile, so that each row of one INSERT sees those before it."""

_TABLE = re.compile(r"\b(FROM|JOIN) (log_[a-z_]+)")
_SAID_NUMBER = "CASE WHEN said.value ~ '^[0-9]{1,18}$' THEN CAST(said.value AS BIGINT) ELSE 0 END"
"""What is no number would stop the statement, and so retention for ever."""

NOTES_TABLE = "log_read_notes"

_ROW, _STATEMENT = 1, 0
_BEFORE = 2
_VERBS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
"""Bits of `pg_trigger.tgtype`."""


class Guard(NamedTuple):
    """One trigger, and what it calls. `kind` is `pg_trigger.tgtype`."""

    table: str
    verb: str
    function: str
    kind: int

    @property
    def name(self) -> str:
        return f"{self.table}_{self.verb.lower()}"

    def statements(self, schema: str) -> Iterator[str]:
        """Make it, or make it anew."""
        before, each = self.kind & _BEFORE, "ROW" if self.kind & _ROW else "STATEMENT"
        added = "" if before or self.verb != "INSERT" else "REFERENCING NEW TABLE AS added "
        yield f"DROP TRIGGER IF EXISTS {self.name} ON {schema}.{self.table}"
        yield (
            f"CREATE TRIGGER {self.name} {'BEFORE' if before else 'AFTER'} {self.verb} ON {schema}.{self.table} "
            f"{added}FOR EACH {each} EXECUTE FUNCTION {schema}.{self.function}()"
        )


def log_schema(connection: Connection) -> str:
    """Where the log's tables are, quoted as an identifier."""
    found = connection.scalar(
        text("SELECT relnamespace::regnamespace::text FROM pg_catalog.pg_class WHERE oid = 'log_records'::regclass")
    )
    return str(found)


def guards_of(version: int) -> Iterator[Guard]:
    """The triggers of one version's tables. The owner alone may UPDATE and DELETE: retention is the owner's. Parts are
    not: they go by redaction, which is another role's, or with a record that retention has dropped."""
    for table in NEW_ROW_RULES if version == 1 else NEW_ROW_RULES_2:
        yield from _refusals(table, "log_refuse_parts" if table == "log_parts" else "log_refuse")
        kind = _STATEMENT if table in _BELONGS else _ROW | _BEFORE
        yield Guard(table, "INSERT", f"{table}_insert", kind | _VERBS["INSERT"])


def note_guards() -> Iterator[Guard]:
    """Of what readers leave word of: a note goes when it has become a record, and is otherwise nobody's to touch."""
    yield from _refusals(NOTES_TABLE, "log_refuse_notes")


def bodies_of(version: int, schema: str) -> dict[str, str]:
    """What the functions do that the triggers of one version's tables call. `schema` is quoted where it must be."""
    bodies = {"log_refuse": _REFUSE} if version == 1 else {"log_refuse_parts": _PARTS}
    for table, rules in (NEW_ROW_RULES if version == 1 else NEW_ROW_RULES_2).items():
        cases = "\n".join(
            _unless(table, condition.format(is_not="IS DISTINCT FROM", said_number=_SAID_NUMBER), rule)
            for condition, rule in rules
        )
        bodies[f"{table}_insert"] = _belonging(table) if table in _BELONGS else f"BEGIN\n{cases}\nRETURN NEW;\nEND"
    return {name: _named(body, schema) for name, body in bodies.items()}


def note_bodies(schema: str) -> dict[str, str]:
    """The same of the readers' notes."""
    return {"log_refuse_notes": _named(_NOTES, schema)}


def postgresql_guards(version: int, schema: str) -> Iterator[str]:
    """The statements that make, or make anew, the functions and triggers of one version's tables."""
    yield from postgresql_functions(version, schema)
    for guard in guards_of(version):
        yield from guard.statements(schema)


def postgresql_note_guards(schema: str) -> Iterator[str]:
    """The same of the readers' notes."""
    yield postgresql_note_function(schema)
    for guard in note_guards():
        yield from guard.statements(schema)


def postgresql_functions(version: int, schema: str) -> Iterator[str]:
    """What the triggers of one version's tables call, made or made anew."""
    for name, body in bodies_of(version, schema).items():
        yield _function(name, body, schema)


def postgresql_note_function(schema: str) -> str:
    """What the triggers of the readers' notes call, made or made anew."""
    ((name, body),) = note_bodies(schema).items()
    return _function(name, body, schema)


def _refusals(table: str, function: str) -> Iterator[Guard]:
    for verb in ("UPDATE", "DELETE", "TRUNCATE"):
        each = _STATEMENT if verb == "TRUNCATE" else _ROW
        yield Guard(table, verb, function, _BEFORE | each | _VERBS[verb])


def _function(name: str, body: str, schema: str) -> str:
    return f"CREATE OR REPLACE FUNCTION {schema}.{name}() RETURNS trigger {_HEAD}{body}$$"


def _named(body: str, schema: str) -> str:
    return _TABLE.sub(lambda found: f"{found[1]} {schema}.{found[2]}", f"\n{body.strip()}\n")


def _unless(table: str, condition: str, rule: str) -> str:
    return (
        f"IF {condition} THEN RAISE EXCEPTION '{table} is append-only: {rule}' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF;"
    )


_BELONGS = {
    "log_attributes": ('"index"', "its record is not there", "its record is closed"),
    "log_parts": ('"index"', "its record is not there", "its record is closed"),
    "log_nodes": ('(("index" + 1) << level) - 1', "its records are not there", "its subtree is closed"),
}
"""What belongs to a record: to which (a node to the last that it covers), and what is said of what belongs to none of
this transaction's. Records have no gaps, so it is enough to look at the lowest and at the highest."""


def _belonging(table: str) -> str:
    record, not_there, closed = _BELONGS[table]
    last = 'highest > coalesce((SELECT max("index") FROM log_records), -1)'
    mine = """(SELECT record.xmin FROM log_records AS record WHERE record."index" = lowest)
    IS DISTINCT FROM pg_current_xact_id()::xid"""
    level = """EXISTS (SELECT 1 FROM added WHERE level NOT BETWEEN 1 AND 62 OR "index" < 0
    OR "index" >= 1::bigint << (62 - level))"""
    lines = [
        "DECLARE",
        "lowest bigint;",
        "highest bigint;",
        "BEGIN",
        *([_unless(table, level, "there is no such place in a tree")] if table == "log_nodes" else []),
        f"SELECT min({record}), max({record}) INTO lowest, highest FROM added;",  # noqa: S608 - of this page
        "IF lowest IS NULL THEN RETURN NULL; END IF;",
        _unless(table, last, not_there),
        _unless(table, mine, closed),
        "RETURN NULL;",
        "END",
    ]
    return "\n".join(lines)


_OWNER = """(SELECT tableowner FROM pg_catalog.pg_tables
        WHERE schemaname = TG_TABLE_SCHEMA AND tablename = TG_TABLE_NAME)"""

_REFUSE = f"""BEGIN
IF TG_OP <> 'TRUNCATE' AND current_user = {_OWNER} THEN
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END IF;
RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END"""

_PARTS = f"""BEGIN
IF TG_OP = 'DELETE' THEN
    IF {DROPPED} OR ({REDACTED} AND current_user <> {_OWNER}) THEN
        RETURN OLD;
    END IF;
END IF;
RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END"""

_NOTES = """BEGIN
IF TG_OP = 'DELETE' THEN
    IF EXISTS (SELECT 1 FROM log_records
            WHERE unique_key = 'log_read:' || OLD.at || '/' || OLD.id AND kind = 'log_read') THEN
        RETURN OLD;
    END IF;
END IF;
RAISE EXCEPTION '% waits for its record: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END"""
