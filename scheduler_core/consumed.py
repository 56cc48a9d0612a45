"""What local queues used lately, forgotten by halves: who has had much comes after who has had little (KEP-4136).

Several local queues share one queue; its heads are taken in the order of what each local queue consumed, weighted.
Consumption is an average that forgets: after one half-life without use, half of it is left. Who is let in pays at once
for as much as it would have used by the next sample, so that a thousand small gangs do not slip in between two.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from scheduler_core.errors import Invalid
from scheduler_core.model import Gang, Seconds


@dataclass(frozen=True)
class Decay:
    half_life_s: Seconds = 168 * 3600  # a week
    sampling_s: Seconds = 300  # how often usage is looked at; what an entry pays for
    resource_weights: Mapping[str, float] = field(default_factory=dict)  # not named: 1

    def __post_init__(self) -> None:
        for name in ("half_life_s", "sampling_s"):
            if getattr(self, name) <= 0:
                raise Invalid("Decay", "consumption", name, f"{getattr(self, name)} is not above 0")

    def forgotten(self, elapsed_s: Seconds) -> float:
        """The part of what was known that is replaced by what is so now."""
        return 1.0 - math.pow(0.5, elapsed_s / self.half_life_s)


class Consumed:
    """Of every local queue. A `Desk` is told of it as `usage_of`."""

    def __init__(self, decay: Decay, weights: Mapping[str, float], now_s: Seconds = 0) -> None:
        self._decay, self._weights, self._at_s = decay, dict(weights), now_s
        self._amounts: dict[str, dict[str, float]] = {}

    def sample(self, now_s: Seconds, used: Mapping[str, Mapping[str, int]]) -> None:
        """`used` is what each local queue's gangs hold now, by resource; who is not named holds nothing."""
        if now_s < self._at_s:
            raise Invalid("Consumed", "sample", "now_s", f"{now_s} is before the last one at {self._at_s}")
        part, self._at_s = self._decay.forgotten(now_s - self._at_s), now_s
        for name in sorted({*self._amounts, *used}):
            known, now = self._amounts.get(name, {}), used.get(name, {})
            self._amounts[name] = {
                each: (1.0 - part) * known.get(each, 0.0) + part * now.get(each, 0) for each in sorted({*known, *now})
            }

    def let_in(self, local_queue: str, requests: Mapping[str, int]) -> None:
        """A gang was let in: its local queue pays for the time until the next sample."""
        part, amounts = self._decay.forgotten(self._decay.sampling_s), self._amounts.setdefault(local_queue, {})
        for resource, amount in requests.items():
            amounts[resource] = amounts.get(resource, 0.0) + part * amount

    def of(self, local_queue: str) -> float:
        """In one number, over the local queue's weight; with weight 0 whoever has used anything comes last."""
        weights = self._decay.resource_weights
        total = sum(
            weights.get(name, 1.0) * amount for name, amount in sorted(self._amounts.get(local_queue, {}).items())
        )
        weight = self._weights.get(local_queue, 1.0)
        if not weight:
            return float("inf") if total else 0.0
        return total / weight

    def __call__(self, gang: Gang) -> float:
        return 0.0 if gang.local_queue is None else self.of(gang.local_queue)
