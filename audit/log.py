"""The log: append evidence, find it, prove it.

An append has happened when it returns: the record is durable and part of the tree. If the store cannot write, nothing
is acknowledged and the caller must not do what it wanted evidence for; the log works again as soon as the store does.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType

from audit import merkle, proofs
from audit.attested import attested
from audit.canonical import JsonValue
from audit.errors import AlreadyRecorded, LogDamaged, LogError, LogUnavailable, NoSuchRecord, RecordRefused
from audit.record import Record, checked_and_written, timestamp, within_limit
from audit.sealing import SALT_BYTES, Part, hidden, seal
from audit.storage.opening import open_store
from audit.storage.querying import Query
from audit.storage.read_only import ReadOnlyStore
from audit.storage.sqlite import Durability
from audit.storage.store import Store
from audit.storage.transaction import Transaction
from audit.writer import Writer
from audit.writing import quickly

__all__ = [
    "AlreadyRecorded",
    "Log",
    "LogDamaged",
    "LogError",
    "LogUnavailable",
    "NoSuchRecord",
    "Record",
    "RecordRefused",
]

LOCK_TIMEOUT_S = 5.0
"""How long an append waits for other writers before it gives up; one commit takes milliseconds."""

NO_INDEX_YET, NO_TIME_YET = 0, "1970-01-01T00:00:00Z"
"""What a record has until the writer gives it its place."""

PAGE_RECORDS = 500
"""Records read at once by a query, which holds no connection between pages."""


def new_salt() -> bytes:
    """Unguessable: a simulation that must repeat byte for byte gives its own, or seals nothing."""
    return secrets.token_bytes(SALT_BYTES)


class Log:
    """One log in one store. Safe to use from several threads, and from several processes on the same file."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], lock_timeout_s: float, salt: Callable[[], bytes]
    ) -> None:
        self._store = store
        self._salt = salt
        self._writer = Writer(store, clock, lock_timeout_s)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        clock: Callable[[], datetime] | None = None,
        durability: Durability = "full",
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        salt: Callable[[], bytes] = new_salt,
    ) -> Log:
        """Opens the log in a SQLite file (a path, or a URL of sqlite:///), and makes it there if need be; or in a
        PostgreSQL database (postgresql://), where its owner has made it before.

        Durability "memory", for SQLite alone, leaves syncing to the operating system: fast, for simulated runs that
        nobody will audit.
        """
        store = open_store(path, durability, lock_timeout_s)
        return cls(store, clock or (lambda: datetime.now(UTC)), lock_timeout_s, salt)

    @classmethod
    def open_to_read(cls, path: Path) -> Log:
        """Opens a file that cannot, or is not to, be written: nothing in it or beside it changes, and every append is
        LogUnavailable."""
        return cls(ReadOnlyStore(path), lambda: datetime.now(UTC), LOCK_TIMEOUT_S, new_salt)

    def append(
        self,
        kind: str,
        *,
        actor: str,
        at: datetime | str | None = None,
        attributes: Mapping[str, str] | None = None,
        payload: JsonValue = None,
        unique_key: str | None = None,
        sealed: Iterable[str] = (),
    ) -> Record:
        """Adds a record, durable on return. Without `at` the log's clock is read when the record gets its place.

        `sealed` are places whose texts may be erased later without touching the record: JSON Pointers into it, such as
        /payload/reason, /attributes/approver or /actor. It reads like any other until then.

        Raises `RecordRefused` for what is no record, `AlreadyRecorded` if the unique key is taken and `LogUnavailable`
        if the store cannot write.
        """
        record = Record(
            NO_INDEX_YET,
            kind,
            NO_TIME_YET if at is None else timestamp(at),
            actor,
            attributes or {},
            payload,
            unique_key,
        )
        plain, form = checked_and_written(record)
        whole, parts = seal(plain, sealed, self._salt)
        form = within_limit(quickly(plain.payload) if form is None else form)  # what is sealed is kept apart, as long
        attested = hidden(whole)
        if attested.payload is not whole.payload:
            form = within_limit(quickly(attested.payload))
        return self._writer.append(attested, form, at is None, parts)

    def get(self, index: int) -> Record:
        """The record at this index, or `NoSuchRecord`."""
        with self._store.reading() as transaction:
            record = transaction.get(index)
            if record is None:
                gone = 0 <= index < transaction.first_kept()
                why = f"record {index} was dropped by retention" if gone else f"no record {index}"
                raise NoSuchRecord(f"{why} in a log of {transaction.size()}")
        return record

    def find(self, unique_key: str) -> Record | None:
        """The record that took this unique key."""
        with self._store.reading() as transaction:
            return transaction.find([unique_key]).get(unique_key)

    def query(  # noqa: PLR0913 - one for each thing that records are found by
        self,
        *,
        kind: str | Sequence[str] | None = None,
        actor: str | None = None,
        attributes: Mapping[str, str] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        words: Sequence[str] = (),
        member: tuple[str, str] | None = None,
        limit: int | None = None,
        after_index: int | None = None,
        before_index: int | None = None,
        damaged: Callable[[LogDamaged], None] | None = None,
        proved: bool = False,
        **attribute: str | None,
    ) -> Iterator[Record]:
        """Records that meet all conditions, in log order, up to the size that the log has when iteration begins.

        Any other keyword is an attribute: `query(incident="i-7")`. `since` is included, `until` is not. All of `words`
        are found somewhere in the record; `member` is a member of the payload whose text begins so. A record that is
        not what was appended raises LogDamaged, or is told to `damaged` and left out: it is held against its leaf and,
        where it is to be `proved`, the leaf against the tree, which finds what was changed together with its leaf.
        """
        wanted = dict(attributes or {}) | {name: value for name, value in attribute.items() if value is not None}
        conditions = Query(
            kinds=(kind,) if isinstance(kind, str) else tuple(kind or ()),
            actor=actor,
            attributes=tuple(wanted.items()),
            since=None if since is None else timestamp(since),
            until=None if until is None else timestamp(until),
            words=tuple(words),
            member=member,
        )
        first = 0 if after_index is None else after_index + 1
        return self._pages(conditions, first, before_index, limit, damaged or _raise, proved=proved)

    def _pages(
        self,
        conditions: Query,
        first: int,
        before: int | None,
        limit: int | None,
        damaged: Callable[[LogDamaged], None],
        *,
        proved: bool,
    ) -> Iterator[Record]:
        end = self.size() if before is None else min(self.size(), before)
        while limit is None or limit > 0:
            page_limit = PAGE_RECORDS if limit is None else min(limit, PAGE_RECORDS)
            with self._store.reading() as transaction:
                page = transaction.page(conditions, first, end, page_limit)
                page = attested(transaction, page) if proved else page
            for each in page:
                if isinstance(each, LogDamaged):
                    damaged(each)
                else:
                    yield each
            if len(page) < page_limit:
                return
            first = page[-1].index + 1
            limit = None if limit is None else limit - len(page)

    def size(self) -> int:
        """How many records there are; the next one gets this index."""
        with self._store.reading() as transaction:
            return transaction.size()

    def root(self, size: int | None = None) -> bytes:
        """The Merkle tree hash of the first `size` records, or of all."""
        with self._store.reading() as transaction:
            size = _within(transaction, size)
            return merkle.root(transaction.proved(partial(merkle.load_frontier, size)))

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Shows that record `index` is in the tree of the first `size` records, or of all."""
        with self._store.reading() as transaction:
            size = _within(transaction, size)
            if not 0 <= index < size:
                raise NoSuchRecord(f"no record {index} in a tree of {size}")
            return transaction.proved(partial(proofs.inclusion_proof, index, size))

    def consistency_proof(self, size1: int, size2: int | None = None) -> list[bytes]:
        """Shows that the first `size2` records, or all, begin with the same first `size1`."""
        with self._store.reading() as transaction:
            size2 = _within(transaction, size2)
            if not 0 <= size1 <= size2:
                raise NoSuchRecord(f"no tree of {size1} within a tree of {size2}")
            return transaction.proved(partial(proofs.consistency_proof, size1, size2))

    def parts(self, index: int) -> list[Part]:
        """What opens the record's commitments, as far as it was not erased."""
        with self._store.reading() as transaction:
            return transaction.parts_of([index]).get(index, [])

    def first_kept(self) -> int:
        """Records before it were dropped by retention; of them the log has the leaves."""
        with self._store.reading() as transaction:
            return transaction.first_kept()

    def leaf(self, index: int) -> bytes:
        """The record's leaf in the tree, also of one that was dropped."""
        with self._store.reading() as transaction:
            return transaction.proved(lambda node: node(0, index))

    @property
    def store(self) -> Store:
        """For what lets something go (`audit.redaction`, `audit.retention`)."""
        return self._store

    def close(self) -> None:
        """Closes idle connections; a later call would open new ones."""
        self._store.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()


def _raise(damage: LogDamaged) -> None:
    raise damage


def _within(transaction: Transaction, size: int | None) -> int:
    now = transaction.size()
    if size is not None and not 0 <= size <= now:
        raise NoSuchRecord(f"no tree of {size} in a log of {now}")
    return now if size is None else size
