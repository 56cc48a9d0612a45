"""Every policy for single GPUs by its name, made for a fleet. Where there is a choice by name, it is by these names."""

from collections.abc import Callable, Mapping
from random import Random

from scheduler_core.errors import Unknown
from scheduler_core.gpus.classical import BestFit, Binpack, Clustering, DotProduct, Packing, RandomFit, Spread
from scheduler_core.gpus.fgd import Fgd
from scheduler_core.gpus.fleet import Fleet
from scheduler_core.gpus.mix import Mix
from scheduler_core.gpus.placer import GpuPolicy
from scheduler_core.gpus.watchkeeper import Watchkeeper

GPU_POLICIES: Mapping[str, Callable[[Fleet, Mix, Random], GpuPolicy]] = {
    "random": lambda fleet, mix, chance: RandomFit(chance),
    "spread": lambda fleet, mix, chance: Spread(),
    "binpack": lambda fleet, mix, chance: Binpack(),
    "dotprod": lambda fleet, mix, chance: DotProduct(),
    "clustering": lambda fleet, mix, chance: Clustering(),
    "packing": lambda fleet, mix, chance: Packing(),
    "bestfit": lambda fleet, mix, chance: BestFit(),
    "fgd": lambda fleet, mix, chance: Fgd(mix, fleet),
    "watchkeeper": lambda fleet, mix, chance: Watchkeeper(fleet),
}


def gpu_policy(name: str, fleet: Fleet, mix: Mix, chance: Random) -> GpuPolicy:
    """`mix` is what `fgd` is told of the pods beforehand, `chance` what `random` rolls."""
    if name not in GPU_POLICIES:
        raise Unknown("GpuPolicy", name, "name", f"the policies are {', '.join(GPU_POLICIES)}")
    return GPU_POLICIES[name](fleet, mix, chance)
