"""What a log reads and writes inside one transaction, in SQL that every database understands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from audit.errors import LogDamaged, RecordRefused
from audit.merkle import Node
from audit.record import Record, parse
from audit.sealing import Part, opened
from audit.storage.querying import Query, sealed_words, selection
from audit.storage.schema import attributes, nodes, parts, records, stubs

_SIZE = select(func.coalesce(func.max(records.c.index) + 1, 0))
_BODY = select(records.c.body).where(records.c.index == bindparam("at_index"))
_FIND = select(records.c.index, records.c.unique_key, records.c.body).where(
    records.c.unique_key.in_(bindparam("keys", expanding=True))
)
_LEAF = select(records.c.leaf).where(records.c.index == bindparam("at_index"))
_NODE = select(nodes.c.hash).where(nodes.c.level == bindparam("at_level"), nodes.c.index == bindparam("at_index"))
_STUB = select(stubs.c.leaf).where(stubs.c.index == bindparam("at_index"))
_PARTS = select(parts.c.index, parts.c.place, parts.c.salt, parts.c.text).where(
    parts.c.index.in_(bindparam("indexes", expanding=True))
)
_ADD_RECORDS, _ADD_ATTRIBUTES, _ADD_NODES = insert(records), insert(attributes), insert(nodes)
_ADD_PARTS = insert(parts)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record with the bytes that attest it."""

    record: Record
    body: bytes
    leaf: bytes
    parts: tuple[Part, ...] = ()


class Transaction:
    """A view of the log through one connection; it neither begins nor commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def size(self) -> int:
        return int(self._connection.scalar(_SIZE) or 0)

    def get(self, index: int) -> Record | None:
        body = self._connection.scalar(_BODY, {"at_index": index})
        return None if body is None else self._opened([_parsed(index, body)])[0]

    def find(self, unique_keys: Sequence[str]) -> dict[str, Record]:
        """Records by unique key, of the keys that are taken."""
        if not unique_keys:
            return {}
        rows = self._connection.execute(_FIND, {"keys": unique_keys})
        found = self._opened([_parsed(index, body) for index, _, body in rows])
        return {record.unique_key: record for record in found if record.unique_key is not None}

    def parts_of(self, indexes: Iterable[int]) -> dict[int, list[Part]]:
        """The parts of these records that are still there."""
        found: dict[int, list[Part]] = {}
        for index, place, salt, text in self._connection.execute(_PARTS, {"indexes": list(indexes)}):
            found.setdefault(index, []).append(Part(place, salt, _text(index, place, text)))
        return found

    def node(self, level: int, index: int) -> bytes:
        """A `merkle.NodeSource`."""
        statement, values = (_NODE, {"at_level": level, "at_index": index}) if level else (_LEAF, {"at_index": index})
        found = self._connection.scalar(statement, values)
        if found is None and level == 0:
            found = self._connection.scalar(_STUB, values)
        if found is None:
            raise LogDamaged(index << level, f"the tree has no node of level {level} and index {index}")
        return bytes(found)

    def page(self, query: Query, first: int, end: int, limit: int) -> list[Record]:
        """At most `limit` matching records from index `first` up to, not including, `end`."""
        sealed = {
            name for name, value in query.attributes if self._connection.scalar(sealed_words(name, value)) is not None
        }
        statement = selection(query, first, end, self._connection.dialect.name, frozenset(sealed))
        rows = self._connection.execute(statement.limit(limit))
        return self._opened([_parsed(index, body) for index, body in rows])

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
        sealed = [_part_row(entry.record.index, part) for entry in entries for part in entry.parts]
        if sealed:
            self._connection.execute(_ADD_PARTS, sealed)
        self._connection.execute(_ADD_RECORDS, [_row(entry) for entry in entries])

    # --- what may go --------------------------------------------------------------------------------------------------

    def erase(self, index: int, places: Sequence[str]) -> None:
        """Removes parts. The guards let them go only after a record of their redaction."""
        self._connection.execute(delete(parts).where(parts.c.index == index, parts.c.place.in_(places)))

    def first_kept(self) -> int:
        """Records before it were dropped."""
        return int(self._connection.scalar(select(func.coalesce(func.max(stubs.c.index) + 1, 0))) or 0)

    def first_since(self, at: str) -> int:
        """The first record that is not older; the log's size if all are."""
        found = self._connection.scalar(select(func.min(records.c.index)).where(records.c.at >= at))
        return self.size() if found is None else int(found)

    def drop(self, first_kept: int) -> None:
        """Leaves of the records before `first_kept` their leaves. The guards want a record of it first."""
        left = select(records.c.index, records.c.leaf).where(records.c.index < first_kept)
        self._connection.execute(insert(stubs).from_select(["index", "leaf"], left.order_by(records.c.index)))
        for table in (parts, attributes, records):
            self._connection.execute(delete(table).where(table.c.index < first_kept))

    # --- reading ------------------------------------------------------------------------------------------------------

    def _opened(self, found: list[Record]) -> list[Record]:
        sealed = [record.index for record in found if record.sealed]
        if not sealed:
            return found
        at_hand = self.parts_of(sealed)
        try:
            return [opened(record, at_hand.get(record.index, ())) if record.sealed else record for record in found]
        except RecordRefused as refusal:
            raise LogDamaged(sealed[0], str(refusal)) from refusal


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


def _part_row(index: int, part: Part) -> dict[str, object]:
    return {"index": index, "place": part.place, "salt": part.salt, "text": part.text.encode(), "word": part.word}


def _text(index: int, place: str, text: bytes) -> str:
    try:
        return bytes(text).decode()
    except UnicodeDecodeError as error:
        raise LogDamaged(index, f"what is kept apart for {place} is no text") from error
