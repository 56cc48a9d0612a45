"""What was made of the same objects at the last look is not made again: most of a cluster stands still between two.

Sameness is identity, since what is translated is frozen and kept; nothing is ever compared.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

FORGET_ABOVE = 4  # times as many results as objects: then most are of objects that are gone
LEAST_KEPT = 1_000


def _same(before: tuple[object, ...], now: tuple[object, ...]) -> bool:
    return len(before) == len(now) and all(old is new for old, new in zip(before, now, strict=True))


class Memo:
    """For one follower of one cluster."""

    def __init__(self) -> None:
        self._made: dict[Hashable, tuple[tuple[object, ...], Any]] = {}

    def of(self, key: Hashable, inputs: tuple[object, ...], make: Callable[[], T]) -> T:
        """What `make` gave for these very inputs, or what it gives now. What it raises is not kept."""
        known = self._made.get(key)
        if known is not None and _same(known[0], inputs):
            found: T = known[1]
            return found
        made = make()
        self._made[key] = (inputs, made)
        return made

    def forget(self, objects: int) -> None:
        """Called now and then, with how many objects there are: what is kept stays in proportion."""
        if len(self._made) > max(LEAST_KEPT, FORGET_ABOVE * objects):
            self._made.clear()
