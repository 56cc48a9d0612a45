"""What the log needs of a database: snapshots to read, and one writer's view at a time. There are two."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from audit.storage.read_notes import ReadNotes
from audit.storage.transaction import Transaction


class Store(Protocol):
    """Usable from several threads. What it cannot do now is `LogUnavailable`; later calls try again."""

    name: str

    @property
    def notes(self) -> ReadNotes | None:
        """Where whoever may not append leaves word of what they read; None where whoever reads may write."""
        ...

    def reading(self) -> AbstractContextManager[Transaction]:
        """A snapshot of the log."""
        ...

    def writing(self) -> AbstractContextManager[Transaction]:
        """The only writer's view, of all processes. What it inserts is durable when the block has been left."""
        ...

    def may_append(self) -> bool:
        """Whether whoever opened it may add records."""
        ...

    def may_erase(self) -> bool:
        """Whether whoever opened it may erase what is sealed: asked before a record says that it is erased."""
        ...

    def may_drop(self) -> bool:
        """Whether whoever opened it may drop old records."""
        ...

    def flush_erased(self) -> None:
        """As far as the store can, leaves no copy of what was erased."""
        ...

    def close(self) -> None: ...
