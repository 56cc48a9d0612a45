"""A table that remembers which of its keys were written since somebody last looked.

The journal takes such a table back like any other, by writing: whoever keeps something derived from it (`capacity.py`)
learns of an undo as it learns of a change.
"""

from collections.abc import Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Watched(dict[K, V]):
    def __init__(self) -> None:
        super().__init__()
        self._touched: set[K] = set()

    def __setitem__(self, key: K, value: V) -> None:
        self._touched.add(key)
        super().__setitem__(key, value)

    def __delitem__(self, key: K) -> None:
        self._touched.add(key)
        super().__delitem__(key)

    def touched(self) -> set[K]:
        """What was written since the last time this was asked."""
        told = self._touched
        if told:
            self._touched = set()
        return told
