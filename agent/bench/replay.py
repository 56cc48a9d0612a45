"""One run of the protocol: pods arrive one by one and never leave; what fits nowhere is dropped.

After each arrival the share of the fleet's GPUs that is allocated counts for the demand that has arrived so far, in
whole percent; the figure for a percent is the mean over its arrivals (the published figures are made so). A percent
that a small fleet steps over has the figure of the last arrival before it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from scheduler_core.gpus import Ask, FragmentTable, Placement, Placer

PERCENT = 100


@dataclass
class Replay:
    allocated_percent: dict[int, float] = field(default_factory=dict)
    fragment_percent: dict[int, float] = field(default_factory=dict)
    placed: list[Placement] = field(default_factory=list)
    dropped: list[Ask] = field(default_factory=list)
    cpu_s: float = 0.0

    @property
    def placements_per_s(self) -> float:
        return len(self.placed) / self.cpu_s if self.cpu_s else 0.0


def replay(
    placer: Placer, asks: Sequence[Ask], fragments: FragmentTable | None = None, at: Sequence[int] = ()
) -> Replay:
    """`fragments` are counted at the first arrival of each percent in `at`; the time is the placer's own."""
    fleet, result = placer.fleet, Replay()
    sums: dict[int, list[int]] = {}
    arrived, wanted = 0, set(at)
    for ask in asks:
        began = time.process_time()
        placement = placer.place(ask)
        result.cpu_s += time.process_time() - began
        if placement is None:
            result.dropped.append(ask)
        else:
            result.placed.append(placement)
        arrived += ask.demand_milli
        percent = round(arrived * PERCENT / fleet.capacity_milli)
        sums.setdefault(percent, []).append(fleet.allocated_milli)
        if fragments is not None and percent in wanted:
            wanted.discard(percent)
            result.fragment_percent[percent] = fragments.fragment_milli(fleet) * PERCENT / fleet.capacity_milli
    last = 0.0
    for percent in range(max(sums, default=-1) + 1):
        values = sums.get(percent, [])
        mean = sum(values) / len(values) * PERCENT / fleet.capacity_milli if values else last
        result.allocated_percent[percent] = mean
        last = values[-1] * PERCENT / fleet.capacity_milli if values else last
    return result
