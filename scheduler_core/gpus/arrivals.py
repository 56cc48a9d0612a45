"""The pods that have come so far, by kind, and when it is time to learn from them again.

Learning makes all remembered scores void, so it happens when the pods seen have doubled, and later every half memory.
When the memory is full all counts are halved: what came long ago counts less and less, and a fleet whose work changes
is followed.
"""

from collections import Counter

from scheduler_core.gpus.ask import Ask

Kind = tuple[int, int, int, int, tuple[str, ...]]
"""CPU, memory, GPUs, milli of each and models: what `Ask.key` begins with."""

LEARN_FIRST = 32  # arrivals; before that nothing is known, and the fleet is all but empty
MEMORY_MAX = 16_384  # arrivals remembered at full weight or less; also the bound on the kinds that are counted


class Arrivals:
    def __init__(self) -> None:
        self.counts: Counter[Kind] = Counter()
        self._seen, self._learn_at = 0, LEARN_FIRST

    def saw(self, ask: Ask) -> bool:
        """Counts it. True: it is time to learn."""
        if ask.mig is not None:
            return False  # slices are placed by their own rule and leave whole GPUs to the rest
        self.counts[ask.key[:5]] += 1
        self._seen += 1
        if self._seen < self._learn_at:
            return False
        if self._seen >= MEMORY_MAX:
            self.counts = Counter({kind: half for kind, count in self.counts.items() if (half := count // 2)})
            self._seen = self.counts.total()
            self._learn_at = MEMORY_MAX - (MEMORY_MAX - self._seen) // 2
        else:
            self._learn_at = min(2 * self._seen, MEMORY_MAX)
        return True
