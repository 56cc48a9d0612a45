"""Tables whose changes can be taken back: what makes a what-if cheap and its undo exact.

While nobody holds a mark nothing is recorded, so a long-lived snapshot does not grow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

K = TypeVar("K")
V = TypeVar("V")
P = ParamSpec("P")
R = TypeVar("R")
_ABSENT: Any = object()


@dataclass(frozen=True)
class Mark:
    """A point to come back to."""

    depth: int
    length: int


class Journal:
    """Every write goes through `put` and `drop`. Values are never changed in place."""

    def __init__(self) -> None:
        self._entries: list[tuple[dict[Any, Any], Any, Any]] = []
        self._marks = 0

    def put(self, table: dict[K, V], key: K, value: V) -> None:
        if self._marks:
            self._record(table, key)
        table[key] = value

    def drop(self, table: dict[K, V], key: K) -> None:
        if key in table:
            if self._marks:
                self._record(table, key)
            del table[key]

    def _record(self, table: dict[K, V], key: K) -> None:
        self._entries.append((table, key, table.get(key, _ABSENT)))

    def mark(self) -> Mark:
        self._marks += 1
        return Mark(self._marks, len(self._entries))

    def written(self, mark: Mark) -> set[int]:
        """The tables (by id) that were written since the mark."""
        return {id(table) for table, _, _ in self._entries[mark.length :]}

    def undo(self, mark: Mark) -> None:
        """Back to the mark; marks made after it are gone too."""
        self._close(mark)
        while len(self._entries) > mark.length:
            table, key, value = self._entries.pop()
            if value is _ABSENT:
                del table[key]
            else:
                table[key] = value

    def keep(self, mark: Mark) -> None:
        """Let stand what was done since the mark (an older mark may still take it back)."""
        self._close(mark)
        if not self._marks:
            self._entries.clear()

    def _close(self, mark: Mark) -> None:
        if mark.depth > self._marks:
            raise RuntimeError("this mark was already undone or kept")
        self._marks = mark.depth - 1


class Journaled:
    """Something whose whole state lives in journaled tables."""

    def __init__(self) -> None:
        self._journal = Journal()

    def mark(self) -> Mark:
        return self._journal.mark()

    def undo(self, mark: Mark) -> None:
        self._journal.undo(mark)

    def keep(self, mark: Mark) -> None:
        self._journal.keep(mark)


J = TypeVar("J", bound=Journaled)


def atomic(method: Callable[Concatenate[J, P], R]) -> Callable[Concatenate[J, P], R]:
    """Whatever is raised leaves everything as it was."""

    def whole(self: J, /, *args: P.args, **kwargs: P.kwargs) -> R:
        mark = self.mark()
        try:
            result = method(self, *args, **kwargs)
        except BaseException:
            self.undo(mark)
            raise
        self.keep(mark)
        return result

    return update_wrapper(whole, method)
