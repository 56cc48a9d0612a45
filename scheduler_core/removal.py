"""Gangs taken away in pencil, one after the other, until another one fits; then as many given back as it can spare.

By the end no victim can be given back alone: what was tried and kept was needed when fewer had been given back, and is
needed all the more now. Places are asked for last and seldom, since they cost more to find than quota: by doubling
steps and halves instead of after every gang.
"""

from collections.abc import Iterator

from scheduler_core.bid import Bid, Ground
from scheduler_core.holders import Holder


class Removal:
    def __init__(self, ground: Ground, bid: Bid, borrowing: bool = True) -> None:
        self._pencil, self._bid, self._borrowing = ground.pencil, bid, borrowing
        self.taken: list[Holder] = []

    def take(self, holder: Holder) -> None:
        self._pencil.take(holder.queue, holder.charge)
        self.taken.append(holder)

    def rub_out(self, down_to: int = 0) -> None:
        """The pencil as it was, but for the first so many."""
        while len(self.taken) > down_to:
            holder = self.taken.pop()
            self._pencil.add(holder.queue, holder.charge)

    def quota_fits(self) -> bool:
        if not self._borrowing and self._pencil.borrows_with(self._bid.place, self._bid.wants):
            return False
        return self._pencil.fits(self._bid.place, self._bid.wants)

    def enough(self, candidates: Iterator[Holder]) -> list[Holder]:
        """The victims, or nobody; the pencil is afterwards what it was."""
        found = self._take_until_it_fits(candidates)
        needed = self.needed() if found else []
        self.rub_out()
        return needed

    def _take_until_it_fits(self, candidates: Iterator[Holder]) -> bool:
        for holder in candidates:
            self.take(holder)
            if self.quota_fits():
                return self._places_fit() or self._take_until_placed(candidates)
        return False

    def _take_until_placed(self, candidates: Iterator[Holder]) -> bool:
        """Quota is there and places are not: how many more must go?"""
        failed, step = len(self.taken), 1
        while True:
            more = [holder for _, holder in zip(range(step), self._taking(candidates), strict=False)]
            if not more:
                return False
            if self._places_fit():
                break
            failed, step = len(self.taken), 2 * step
        low, high = failed + 1, len(self.taken)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._places_fit(middle) else (middle + 1, high)
        self.rub_out(down_to=high)
        return True

    def _taking(self, candidates: Iterator[Holder]) -> Iterator[Holder]:
        for holder in candidates:
            self.take(holder)
            yield holder

    def fits(self) -> bool:
        return self.quota_fits() and self._places_fit()

    def _places_fit(self, first: int | None = None) -> bool:
        placed = self._bid.placed_without
        return placed is None or placed([each.name for each in self.taken[:first]])

    def needed(self) -> list[Holder]:
        """Those taken, less the ones that the last ones made needless."""
        for index in range(len(self.taken) - 2, -1, -1):
            holder = self.taken.pop(index)
            self._pencil.add(holder.queue, holder.charge)
            if not self.fits():
                self._pencil.take(holder.queue, holder.charge)
                self.taken.insert(index, holder)
        return list(self.taken)
