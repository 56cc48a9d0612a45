"""GPUs of one node that talk to each other directly: by NVLink, or under one PCIe switch. The level below the node.

Two halves of a machine that meet only over the CPUs are two islands. A pod of several GPUs goes into one island if one
holds it: the one with fewest free, so that the larger ones stay whole; else into as few islands as can be. A pod that
needs the link says so (`Ask.linked`), and fits only where one island holds all of it. Links between nodes are a level
of the topology like any other, by the label that says which domain a node is in.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from scheduler_core.gpus.ask import MILLI


def free_in(left: Sequence[int], sizes: Sequence[int]) -> list[list[int]]:
    """The free GPUs of each island; `sizes` says how many GPUs each has, in the order of the GPUs."""
    ends = [0, *accumulate(sizes)]
    return [[gpu for gpu in range(start, end) if left[gpu] == MILLI] for start, end in pairwise(ends)]


def most_free(left: Sequence[int], sizes: Sequence[int]) -> int:
    return max((len(free) for free in free_in(left, sizes)), default=0)


def one_island(gpus: Sequence[int], sizes: Sequence[int]) -> bool:
    ends = [0, *accumulate(sizes)]
    return not sizes or any(start <= min(gpus) and max(gpus) < end for start, end in pairwise(ends))


def choose(left: Sequence[int], sizes: Sequence[int], gpus: int) -> tuple[int, ...]:
    """So many free GPUs of as few islands as can be; there are enough."""
    if len(sizes) < 2:
        return tuple([gpu for gpu, milli in enumerate(left) if milli == MILLI][:gpus])
    chosen: list[int] = []
    islands = sorted((free for free in free_in(left, sizes) if free), key=len)
    while len(chosen) < gpus:
        wanted = gpus - len(chosen)
        enough = [free for free in islands if len(free) >= wanted]
        island = enough[0] if enough else islands[-1]
        chosen += island[:wanted]
        islands.remove(island)
    return tuple(sorted(chosen))
