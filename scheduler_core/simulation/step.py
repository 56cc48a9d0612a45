"""What a way of scheduling is asked, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from scheduler_core.model import Gang, Seconds
from scheduler_core.reservation import Promise
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot


@dataclass(frozen=True)
class Step:
    """What one look at the cluster decided."""

    started: tuple[str, ...] = ()
    sent_back: tuple[str, ...] = ()
    promises: tuple[Promise, ...] = ()


Order = Callable[[Snapshot, Seconds, Settings], Step]


@runtime_checkable
class KeepsBooks(Protocol):
    """An order that is told who comes and goes, because it keeps more than the snapshot does."""

    def come(self, snapshot: Snapshot, gang: Gang, now_s: Seconds) -> None: ...

    def go(self, snapshot: Snapshot, name: str, now_s: Seconds) -> None: ...
