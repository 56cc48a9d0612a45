"""What a log reads and writes inside one transaction, in SQL that every database understands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from audit.errors import LogDamaged, RecordRefused
from audit.merkle import Node, NodeSource, asked_for
from audit.record import Record, leaf_hash, parse
from audit.sealing import Part, opened
from audit.storage.appending import Entry, append_rows
from audit.storage.querying import Query, sealed_words, selection
from audit.storage.schema import attributes, parts, records, stubs
from audit.storage.tree import hashes_at

Made = TypeVar("Made")

_SIZE = select(func.coalesce(func.max(records.c.index) + 1, 0))
_BODY = select(records.c.body, records.c.leaf).where(records.c.index == bindparam("at_index"))
_FIND = select(records.c.index, records.c.body, records.c.leaf).where(
    records.c.unique_key.in_(bindparam("keys", expanding=True))
)
_PARTS = select(parts.c.index, parts.c.place, parts.c.salt, parts.c.text).where(
    parts.c.index.in_(bindparam("indexes", expanding=True))
)


class Transaction:
    """A view of the log through one connection; it neither begins nor commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def size(self) -> int:
        return int(self._connection.scalar(_SIZE) or 0)

    def get(self, index: int) -> Record | None:
        """Raises LogDamaged if what is stored there is not what was appended; so does `find`."""
        rows = [(index, body, leaf) for body, leaf in self._connection.execute(_BODY, {"at_index": index})]
        return next(iter(only_good(self._opened(rows))), None)

    def find(self, unique_keys: Sequence[str]) -> dict[str, Record]:
        """Records by unique key, of the keys that are taken."""
        if not unique_keys:
            return {}
        rows = self._connection.execute(_FIND, {"keys": unique_keys})
        found = only_good(self._opened(rows))
        return {record.unique_key: record for record in found if record.unique_key is not None}

    def parts_of(self, indexes: Iterable[int]) -> dict[int, list[Part]]:
        """The parts of these records that are still there."""
        stored = self._stored_parts(indexes)
        return {index: [_part(index, *row) for row in rows] for index, rows in stored.items()}

    def proved(self, make: Callable[[NodeSource], Made]) -> Made:
        """What this makes of the tree's hashes, which are looked up at once. Which of them it asks for must depend on
        numbers that it knows alone."""
        wanted = asked_for(make)
        found = hashes_at(self._connection, wanted)
        for level, index in wanted:
            if (level, index) not in found:
                raise LogDamaged(index << level, f"the tree has no node of level {level} and index {index}")
        return make(lambda level, index: found[level, index])

    def page(self, query: Query, first: int, end: int, limit: int) -> list[Record | LogDamaged]:
        """At most `limit` matching records from index `first` up to, not including, `end`; in place of one that is not
        what was appended, what is wrong with it."""
        sealed = {
            name for name, value in query.attributes if self._connection.scalar(sealed_words(name, value)) is not None
        }
        statement = selection(query, first, end, self._connection.dialect.name, frozenset(sealed))
        return self._opened(self._connection.execute(statement.limit(limit)))

    def insert(self, entries: Sequence[Entry], completed: Sequence[Node]) -> None:
        """New records with their copies. The caller saw to indexes and keys."""
        append_rows(self._connection, entries, completed)

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

    def _stored_parts(self, indexes: Iterable[int]) -> dict[int, list[tuple[str, bytes, bytes]]]:
        found: dict[int, list[tuple[str, bytes, bytes]]] = {}
        for index, place, salt, text in self._connection.execute(_PARTS, {"indexes": list(indexes)}):
            found.setdefault(index, []).append((place, salt, text))
        return found

    def _opened(self, rows: Iterable[tuple[int, bytes, bytes]]) -> list[Record | LogDamaged]:
        """Every record is held against its leaf before anybody sees it."""
        found = [_parsed(*row) for row in rows]
        sealed = [each.index for each in found if isinstance(each, Record) and each.sealed]
        at_hand = self._stored_parts(sealed) if sealed else {}
        return [_with_parts(each, at_hand.get(each.index, ())) for each in found]


def only_good(found: Iterable[Record | LogDamaged]) -> list[Record]:
    good = []
    for each in found:
        if isinstance(each, LogDamaged):
            raise each
        good.append(each)
    return good


def _parsed(index: int, body: bytes, leaf: bytes) -> Record | LogDamaged:
    if not isinstance(body, bytes) or leaf_hash(body) != leaf:  # SQLite keeps anything in any column
        return LogDamaged(index, "what is stored does not hash to its leaf, so it is not what was appended")
    try:
        record = parse(body)
    except RecordRefused as refusal:
        return LogDamaged(index, str(refusal))
    if record.index != index:
        return LogDamaged(index, f"it says that it is record {record.index}")
    return record


def _with_parts(found: Record | LogDamaged, rows: Iterable[tuple[str, bytes, bytes]]) -> Record | LogDamaged:
    if isinstance(found, LogDamaged) or not found.sealed:
        return found
    try:
        return opened(found, [_part(found.index, *row) for row in rows])
    except RecordRefused as refusal:
        return LogDamaged(found.index, str(refusal))
    except LogDamaged as damage:
        return damage


def _part(index: int, place: str, salt: bytes, text: bytes) -> Part:
    try:
        return Part(place, bytes(salt), bytes(text).decode())
    except (UnicodeDecodeError, TypeError) as error:
        raise LogDamaged(index, f"what is kept apart for {place} is no text") from error
