"""Which ready task runs next: first come first served, or shuffled by a seed, so that a simulation tries others.

Beside it the boundaries that nobody asked to hear of.
"""

import random
from collections.abc import Sequence


class InOrder:
    def choose(self, ready: Sequence[str]) -> int:
        return 0


class Shuffled:
    """The same seed gives the same choices."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311  a simulation wants repeatable chance, not secrecy

    def choose(self, ready: Sequence[str]) -> int:
        return self._chance.randrange(len(ready))


class NoBoundaries:
    """Nobody wants to know when a durable boundary was crossed."""

    def reached(self, name: str) -> None:
        return None
