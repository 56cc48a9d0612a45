"""In which order the heads of one cycle are decided: Kueue's two ways.

Either way, who waits for others that it sent back comes first: were their quota given to somebody else, it would send
back again, and so on for ever. Classical: who reaches least far up the tree for quota, then the higher priority, then
the longer wait. Fair: a tournament at every cohort, from the leaves up; of two sides the one goes first that does not
borrow what it asks for, then the one with the smaller dominant share after the admission, then by priority and wait.
Every win changes the shares, so the tournament is held anew for each place in the order; shares that no win has touched
are kept.
"""

from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from typing import Protocol

from scheduler_core.lines import Turn
from scheduler_core.pencil import Pencil
from scheduler_core.quota_tree import Place
from scheduler_core.shares import Share
from scheduler_core.state import Charge


class Head(Protocol):
    """What the order of a cycle goes by."""

    @property
    def name(self) -> str: ...
    @property
    def place(self) -> Place | None: ...
    @property
    def borrowing(self) -> int: ...
    @property
    def turn(self) -> Turn: ...
    @property
    def usage(self) -> Charge: ...


def classical_order(heads: Sequence[Head], preemptors: Collection[str] = ()) -> Iterator[int]:
    """Indices of the heads, the first first."""

    def place(index: int) -> tuple[bool, int, Turn]:
        head = heads[index]
        return (head.name not in preemptors, head.borrowing, head.turn)

    return iter(sorted(range(len(heads)), key=place))


class Tournament:
    """Asked for one head after the other; what was decided in between counts in the shares."""

    def __init__(self, pencil: Pencil, heads: Sequence[Head], preemptors: Collection[str]) -> None:
        self._pencil, self._heads, self._preemptors = pencil, heads, preemptors
        self._left: dict[Place | None, list[int]] = {}
        for index in sorted(range(len(heads)), key=lambda index: heads[index].turn):
            self._left.setdefault(heads[index].place, []).append(index)
        self._known: dict[tuple[int, Place], tuple[tuple[int, ...], Share]] = {}

    def __iter__(self) -> Iterator[int]:
        roots: dict[Place | None, None] = {}
        for place in sorted(self._left, key=str):
            roots[None if place is None else self._pencil.tree.root(place)] = None
        for root in roots:
            while (winner := self._winner(root)) is not None:
                self._left[self._heads[winner].place].remove(winner)
                yield winner

    def _winner(self, place: Place | None) -> int | None:
        """The one that this part of the tree sends up; a queue sends its heads in their order."""
        own = self._left.get(place)
        if own:
            return own[0]
        if place is None or place[0] == "queue":
            return None
        sides = [(child, index) for child in self._pencil.tree.children(place)
                 if (index := self._winner(child)) is not None]  # fmt: skip
        return min(sides, key=lambda side: self._standing(*side))[1] if sides else None

    def _standing(self, child: Place, index: int) -> tuple[bool, bool, tuple[bool, Fraction], int, float, str]:
        head = self._heads[index]
        share = self._share_with(child, index)
        borrows = any(head.usage.get(key, 0) > 0 for key in share.borrowed)
        _, priority, since_s, uid, _ = head.turn
        return (head.name not in self._preemptors, borrows, share.order, priority, since_s, uid)

    def _share_with(self, child: Place, index: int) -> Share:
        """Of the child after the admission. Known as long as nothing on the way up to it is used otherwise."""
        head, pencil = self._heads[index], self._pencil
        if head.place is None:
            raise AssertionError(f"{head.name} is charged to nobody, and yet stands under {child}")
        way = (head.place, *pencil.tree.above(head.place))
        way = way[: way.index(child) + 1]
        stamp = tuple(pencil.usage.get((place, key), 0) for place in way for key in pencil.tree.keys(place))
        known = self._known.get((index, child))
        if known is not None and known[0] == stamp:
            return known[1]
        with pencil.with_more(head.place, head.usage):
            share = pencil.share(child)
        self._known[index, child] = (stamp, share)
        return share


def fair_order(pencil: Pencil, heads: Sequence[Head], preemptors: Collection[str] = ()) -> Iterator[int]:
    return iter(Tournament(pencil, heads, preemptors))
