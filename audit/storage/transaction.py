"""What a log reads and writes inside one transaction, in SQL that every database understands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Select, bindparam, func, insert, select

from audit.errors import LogDamaged, RecordRefused
from audit.merkle import Node
from audit.record import Record, parse
from audit.storage.schema import attributes, nodes, records

_SIZE = select(func.coalesce(func.max(records.c.index) + 1, 0))
_BODY = select(records.c.body).where(records.c.index == bindparam("at_index"))
_FIND = select(records.c.index, records.c.unique_key, records.c.body).where(
    records.c.unique_key.in_(bindparam("keys", expanding=True))
)
_LEAF = select(records.c.leaf).where(records.c.index == bindparam("at_index"))
_NODE = select(nodes.c.hash).where(nodes.c.level == bindparam("at_level"), nodes.c.index == bindparam("at_index"))
_ADD_RECORDS, _ADD_ATTRIBUTES, _ADD_NODES = insert(records), insert(attributes), insert(nodes)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record with the bytes that attest it."""

    record: Record
    body: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Query:
    """Which records. Times are in the log's own form; all conditions must hold."""

    kind: str | None = None
    actor: str | None = None
    attributes: Sequence[tuple[str, str]] = field(default_factory=tuple)
    since: str | None = None
    until: str | None = None


class Transaction:
    """A view of the log through one connection; it neither begins nor commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def size(self) -> int:
        return int(self._connection.scalar(_SIZE) or 0)

    def get(self, index: int) -> Record | None:
        body = self._connection.scalar(_BODY, {"at_index": index})
        return None if body is None else _parsed(index, body)

    def find(self, unique_keys: Sequence[str]) -> dict[str, Record]:
        """Records by unique key, of the keys that are taken."""
        if not unique_keys:
            return {}
        rows = self._connection.execute(_FIND, {"keys": unique_keys})
        return {key: _parsed(index, body) for index, key, body in rows}

    def node(self, level: int, index: int) -> bytes:
        """A `merkle.NodeSource`."""
        statement, values = (_NODE, {"at_level": level, "at_index": index}) if level else (_LEAF, {"at_index": index})
        found = self._connection.scalar(statement, values)
        if found is None:
            raise LogDamaged(index << level, f"the tree has no node of level {level} and index {index}")
        return bytes(found)

    def page(self, query: Query, first: int, end: int, limit: int) -> list[Record]:
        """At most `limit` matching records from index `first` up to, not including, `end`."""
        rows = self._connection.execute(_select(query, first, end).limit(limit))
        return [_parsed(index, body) for index, body in rows]

    def insert(self, entries: Sequence[Entry], completed: Sequence[Node]) -> None:
        """New records with their copies, the records last (see `guards`). The caller saw to indexes and keys."""
        tags = [
            {"index": entry.record.index, "name": name, "value": value}
            for entry in entries
            for name, value in entry.record.attributes.items()
        ]
        if tags:
            self._connection.execute(_ADD_ATTRIBUTES, tags)
        if completed:
            self._connection.execute(
                _ADD_NODES, [{"level": node.level, "index": node.index, "hash": node.hash} for node in completed]
            )
        self._connection.execute(_ADD_RECORDS, [_row(entry) for entry in entries])


def _parsed(index: int, body: bytes) -> Record:
    try:
        record = parse(body)
    except RecordRefused as refusal:
        raise LogDamaged(index, str(refusal)) from refusal
    if record.index != index:
        raise LogDamaged(index, f"it says that it is record {record.index}")
    return record


def _row(entry: Entry) -> dict[str, object]:
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


def _select(query: Query, first: int, end: int) -> Select[int, bytes]:
    """Attributes lead where there are any: their index delivers matches in log order, so a page reads just a page."""
    statement = select(records.c.index, records.c.body)
    order = records.c.index
    for position, (name, value) in enumerate(query.attributes):
        attribute = attributes.alias()
        statement = statement.join(attribute, attribute.c.index == records.c.index)
        statement = statement.where(attribute.c.name == name, attribute.c.value == value)
        order = order if position else attribute.c.index
    if query.kind is not None:
        statement = statement.where(records.c.kind == query.kind)
    if query.actor is not None:
        statement = statement.where(records.c.actor == query.actor)
    if query.since is not None:
        statement = statement.where(records.c.at >= query.since)
    if query.until is not None:
        statement = statement.where(records.c.at < query.until)
    return statement.where(order >= first, order < end).order_by(order)
