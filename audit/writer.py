"""Appending: one writer at a time, and one commit for all threads that wait for it.

A commit costs the disk's latency, however many records it carries. So a caller queues its record; the first to come
leads, and commits all that is queued. Those who come meanwhile wait, and the first of them leads next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from audit import merkle
from audit.errors import AlreadyRecorded, LogDamaged, LogError, LogUnavailable, RecordRefused
from audit.merkle import Frontier, Node
from audit.record import Record, leaf_hash, timestamp
from audit.sealing import Part, opened
from audit.storage.appending import Entry
from audit.storage.store import Store
from audit.storage.transaction import Transaction
from audit.writing import written

MAX_GROUP_RECORDS = 256
"""Records in one commit: enough to hide the disk's latency, few enough that the first caller need not wait for long."""

_GAP = (
    "the last record says that there are {size}, and not all of them or of their tree are there, so nothing is "
    "appended: `watchkeeper audit fsck` names the first that is missing, and the tables' owner mends it (docs/log.md)"
)


@dataclass(slots=True, eq=False)
class _Append:
    """A caller's record, hidden and its payload written, and what became of it. `woken`: there is an answer, or it is
    its turn to lead."""

    record: Record
    payload: bytes
    parts: tuple[Part, ...]
    at_is_now: bool
    answer: Record | LogError | None = None
    woken: threading.Event = field(default_factory=threading.Event)


class Writer:
    """Appends checked records. Remembers the tree's frontier, so that a lone writer never reads it back."""

    def __init__(self, store: Store, clock: Callable[[], datetime], lock_timeout_s: float) -> None:
        self._store = store
        self._clock = clock
        self._lock_timeout_s = lock_timeout_s
        self._frontier = Frontier()
        self._lock = threading.Lock()  # guards the two below
        self._queue: list[_Append] = []
        self._leader: _Append | None = None

    def append(self, record: Record, payload: bytes, at_is_now: bool, parts: tuple[Part, ...] = ()) -> Record:
        """The record as it was stored; `at_is_now` leaves its time to the moment when it gets its place."""
        append = _Append(record, payload, parts, at_is_now)
        try:
            self._join(append)
            if append.answer is None:
                self._commit(self._take_batch())
        finally:
            self._leave(append)
        if isinstance(append.answer, Record):
            return append.answer
        raise append.answer or LogUnavailable(self._store.name, "the writer was interrupted")

    def _join(self, append: _Append) -> None:
        """Returns with an answer, or as the leader and first of the queue."""
        with self._lock:
            self._queue.append(append)
            self._leader = self._leader or append
            if self._leader is append:
                return
        if append.woken.wait(self._lock_timeout_s):
            return
        with self._lock:
            if append in self._queue and self._leader is not append:
                self._queue.remove(append)
                append.answer = LogUnavailable(self._store.name, f"another writer held it for {self._lock_timeout_s} s")
                return
        append.woken.wait()  # It is being committed at this moment, so its answer is near.

    def _take_batch(self) -> list[_Append]:
        with self._lock:
            batch, self._queue = self._queue[:MAX_GROUP_RECORDS], self._queue[MAX_GROUP_RECORDS:]
        return batch

    def _leave(self, append: _Append) -> None:
        """However a caller leaves, its record is not written later, and somebody leads who is still there."""
        with self._lock:
            if append in self._queue:
                self._queue.remove(append)
            if self._leader is append:
                self._leader = self._queue[0] if self._queue else None
                if self._leader:
                    self._leader.woken.set()

    def _commit(self, batch: Sequence[_Append]) -> None:
        """Answers every append of the batch, with its record only after the commit."""
        answers: list[Record | LogError] = [LogUnavailable(self._store.name, "the writer was interrupted")] * len(batch)
        try:
            with self._store.writing() as transaction:
                frontier, prepared = self._write(transaction, batch)
            self._frontier, answers = frontier, prepared
        except LogError as fault:
            answers = [fault] * len(batch)
        finally:
            for append, answer in zip(batch, answers, strict=True):
                append.answer = answer
                append.woken.set()

    def _write(self, transaction: Transaction, batch: Sequence[_Append]) -> tuple[Frontier, list[Record | LogError]]:
        frontier = self._current_frontier(transaction)
        keys = [append.record.unique_key for append in batch if append.record.unique_key is not None]
        taken = transaction.find(keys)
        entries: list[Entry] = []
        completed: list[Node] = []
        answers: list[Record | LogError] = []
        for append in batch:
            key = append.record.unique_key
            if key in taken:
                answers.append(AlreadyRecorded(taken[key]))
                continue
            try:
                entry = self._entry(append, frontier.size)
            except RecordRefused as refusal:
                answers.append(refusal)
                continue
            frontier, nodes = merkle.append(frontier, entry.leaf)
            entries.append(entry)
            completed += nodes
            record = opened(entry.record, entry.parts) if entry.parts else entry.record
            answers.append(record)
            if key is not None:
                taken[key] = record
        if entries:
            transaction.insert(entries, completed)
        return frontier, answers

    def _entry(self, append: _Append, index: int) -> Entry:
        at = timestamp(self._clock()) if append.at_is_now else append.record.at
        # Parsed back, so that the caller holds what the log holds.
        record, body = written(replace(append.record, index=index, at=at), append.payload)
        return Entry(record, body, leaf_hash(body), append.parts)

    def _current_frontier(self, transaction: Transaction) -> Frontier:
        """Ours, or what another process has made of it. A log that shrank has been rolled back behind our back."""
        size, known = transaction.size(), self._frontier.size
        if size < known:
            raise LogUnavailable(self._store.name, f"the log had {known} records and now has {size}; run fsck")
        if size == known:
            return self._frontier
        try:
            return transaction.proved(partial(merkle.load_frontier, size))
        except LogDamaged as damaged:
            raise LogDamaged(damaged.index, f"{damaged.reason}; {_GAP.format(size=size)}") from damaged
