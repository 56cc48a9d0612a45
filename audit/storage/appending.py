"""New records with all that belongs to them, into the tables: what is written, and how each database takes it fastest.

SQLite runs in the process, so it takes a statement for each row. PostgreSQL is a way off and checks each statement by
its guards: it takes a batch as columns, in one statement, in which the record comes with its copies
(`audit.storage.guards_postgresql`). How many rows it took is asked for: a rule or a trigger of somebody else's could
have dropped some without a word, and an append that returns has happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, text

from audit.merkle import Node
from audit.record import Record
from audit.sealing import Part
from audit.storage.schema import attributes, nodes, parts, records

_IN_ORDER = tuple(insert(table) for table in (attributes, nodes, parts, records))
"""The records last: in a file, a record closes what belongs to it (`audit.storage.guards`)."""

_AT_ONCE = text("""
    WITH r AS (INSERT INTO log_records ("index", kind, at, actor, unique_key, body, leaf) SELECT * FROM unnest(
            CAST(:r_index AS bigint[]), CAST(:r_kind AS text[]), CAST(:r_at AS text[]), CAST(:r_actor AS text[]),
            CAST(:r_unique_key AS text[]), CAST(:r_body AS bytea[]), CAST(:r_leaf AS bytea[])) RETURNING 1),
        a AS (INSERT INTO log_attributes ("index", name, value) SELECT * FROM unnest(
            CAST(:a_index AS bigint[]), CAST(:a_name AS text[]), CAST(:a_value AS text[])) RETURNING 1),
        n AS (INSERT INTO log_nodes (level, "index", hash) SELECT * FROM unnest(
            CAST(:n_level AS int[]), CAST(:n_index AS bigint[]), CAST(:n_hash AS bytea[])) RETURNING 1),
        p AS (INSERT INTO log_parts ("index", place, salt, text, word) SELECT * FROM unnest(
            CAST(:p_index AS bigint[]), CAST(:p_place AS text[]), CAST(:p_salt AS bytea[]), CAST(:p_text AS bytea[]),
            CAST(:p_word AS text[])) RETURNING 1)
    SELECT (SELECT count(*) FROM r), (SELECT count(*) FROM a), (SELECT count(*) FROM n), (SELECT count(*) FROM p)""")


@dataclass(frozen=True, slots=True)
class Entry:
    """A record with the bytes that attest it."""

    record: Record
    body: bytes
    leaf: bytes
    parts: tuple[Part, ...] = ()


class NotTaken(Exception):
    """The database did not refuse, and yet there are fewer rows than were given to it."""


def append_rows(connection: Connection, entries: Sequence[Entry], completed: Sequence[Node]) -> None:
    """Raises NotTaken. The caller saw to indexes and keys."""
    tables = (_attributes(entries), [_node(each) for each in completed], _parts(entries), list(map(_record, entries)))
    if connection.dialect.name == "postgresql":
        _append_columns(connection, *tables)
        return
    for statement, rows in zip(_IN_ORDER, tables, strict=True):
        if rows:
            connection.execute(statement, rows)


def _append_columns(connection: Connection, *tables: list[dict[str, Any]]) -> None:
    values: dict[str, list[Any]] = {}
    for letter, table, rows in zip("anpr", (attributes, nodes, parts, records), tables, strict=True):
        values |= {f"{letter}_{column.name}": [row[column.name] for row in rows] for column in table.columns}
    taken = connection.execute(_AT_ONCE, values).one()
    of_attributes, of_nodes, of_parts, of_records = map(len, tables)
    if tuple(taken) != (of_records, of_attributes, of_nodes, of_parts):
        raise NotTaken(f"of {of_records} records with all that belongs to them, not every row was taken")


def _record(entry: Entry) -> dict[str, object]:
    record = entry.record
    return {
        "index": record.index,
        "kind": record.kind,
        "at": record.at,
        "actor": record.actor,
        "unique_key": record.unique_key,
        "body": entry.body,
        "leaf": entry.leaf,
    }


def _attributes(entries: Iterable[Entry]) -> list[dict[str, object]]:
    return [
        {"index": entry.record.index, "name": name, "value": value}
        for entry in entries
        for name, value in entry.record.attributes.items()
    ]


def _node(node: Node) -> dict[str, object]:
    return {"level": node.level, "index": node.index, "hash": node.hash}


def _parts(entries: Iterable[Entry]) -> list[dict[str, object]]:
    return [
        {
            "index": entry.record.index,
            "place": part.place,
            "salt": part.salt,
            "text": part.text.encode(),
            "word": part.word,
        }
        for entry in entries
        for part in entry.parts
    ]
