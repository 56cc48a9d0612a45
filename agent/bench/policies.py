"""Every placement policy by its name, made for a fleet: the names of `--policy`."""

from collections.abc import Callable
from random import Random

from scheduler_core.gpus import (
    BestFit,
    Clustering,
    DotProduct,
    Fgd,
    Fleet,
    GpuPolicy,
    Mix,
    Packing,
    RandomFit,
    Watchkeeper,
)

MAKERS: dict[str, Callable[[Fleet, Mix, Random], GpuPolicy]] = {
    "random": lambda fleet, mix, chance: RandomFit(chance),
    "dotprod": lambda fleet, mix, chance: DotProduct(),
    "clustering": lambda fleet, mix, chance: Clustering(),
    "packing": lambda fleet, mix, chance: Packing(),
    "bestfit": lambda fleet, mix, chance: BestFit(),
    "fgd": lambda fleet, mix, chance: Fgd(mix, fleet),
    "watchkeeper": lambda fleet, mix, chance: Watchkeeper(fleet),
}
