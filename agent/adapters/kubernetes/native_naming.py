"""Which pods name which native group, and what stands above them: what one of them changes when it comes or goes.

A pod that names a group claims all that owns it for that group (membership.py), the first one by its name. As long as
all pods of a group are of the same owners, and none of these is claimed for two groups, it does not matter which of
them is first, nor how many there are.
"""

from collections import Counter
from collections.abc import Container, Iterable
from typing import TypeVar

from agent.adapters.kubernetes.owners import Key

Tail = tuple[Key, ...]
K = TypeVar("K")


class Naming:
    """`claimed` is what the groups claim themselves: no pod changes anything there."""

    def __init__(self, claimed: Container[Key]) -> None:
        self._claimed = claimed
        self._tails: dict[Key, Counter[Tail]] = {}
        self._groups: dict[Key, Counter[Key]] = {}  # by owner

    def add(self, group: Key, above: Iterable[Key]) -> bool:
        """One that names it, under these owners. Does all else stay claimed as it was?"""
        tail = self._open(above)
        stays = self._stands(group, tail)
        self._tails.setdefault(group, Counter())[tail] += 1
        for owner in tail:
            self._groups.setdefault(owner, Counter())[group] += 1
        return stays

    def drop(self, group: Key, above: Iterable[Key]) -> bool:
        """One that named it is gone. Does all else stay claimed as it was?"""
        tail = self._open(above)
        _less(self._tails[group], tail)
        for owner in tail:
            _less(self._groups[owner], group)
        return self._stands(group, tail)

    def _open(self, above: Iterable[Key]) -> Tail:
        return tuple(owner for owner in above if owner not in self._claimed)

    def _stands(self, group: Key, tail: Tail) -> bool:
        """With or without one more under these owners."""
        others = {each for each in self._tails.get(group, ()) if each}
        return not tail or (others == {tail} and all(self._groups[owner].keys() == {group} for owner in tail))


def _less(counts: Counter[K], one: K) -> None:
    counts[one] -= 1
    if not counts[one]:
        del counts[one]
