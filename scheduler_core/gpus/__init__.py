"""Pods onto single GPUs: whole ones, parts of one, models, MIG slices. No Kubernetes, no clock, no I/O.

`Fleet` counts, a policy says which place is best, `Placer` places. Start reading at `placer.py`.

>>> fleet = Fleet([GpuNode("gpu-0", 96_000, 393_216, 8, "A100"), GpuNode("gpu-1", 96_000, 393_216, 8, "A100")])
>>> placer = Placer(fleet, BestFit())
>>> half = Ask(cpu_milli=4_000, memory_mib=16_384, gpus=1, gpu_milli=500)
>>> [placer.place(half).gpus for _ in range(3)]
[(0,), (0,), (1,)]
>>> placer.place(Ask(cpu_milli=8_000, gpus=8, gpu_milli=1000)).node
1
"""

from scheduler_core.gpus.ask import MILLI, Ask
from scheduler_core.gpus.classical import BestFit, Binpack, Clustering, DotProduct, Packing, RandomFit, Spread
from scheduler_core.gpus.defragment import Plan, Running, carry_out, defragment
from scheduler_core.gpus.fgd import Fgd
from scheduler_core.gpus.fleet import Fleet, GpuNode, Placement
from scheduler_core.gpus.fragments import FragmentTable
from scheduler_core.gpus.mix import Kind, Mix, kind_of, typical
from scheduler_core.gpus.moves import Step
from scheduler_core.gpus.placer import GpuPolicy, Placer
from scheduler_core.gpus.policies import GPU_POLICIES, gpu_policy
from scheduler_core.gpus.watchkeeper import Watchkeeper

__all__ = [
    "GPU_POLICIES",
    "MILLI",
    "Ask",
    "BestFit",
    "Binpack",
    "Clustering",
    "DotProduct",
    "Fgd",
    "Fleet",
    "FragmentTable",
    "GpuNode",
    "GpuPolicy",
    "Kind",
    "Mix",
    "Packing",
    "Placement",
    "Placer",
    "Plan",
    "RandomFit",
    "Running",
    "Spread",
    "Step",
    "Watchkeeper",
    "carry_out",
    "defragment",
    "gpu_policy",
    "kind_of",
    "typical",
]
