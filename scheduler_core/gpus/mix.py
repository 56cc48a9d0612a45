"""What kinds of pods come, and how often: counted from a list, or learnt from those that have come.

FGD's *typical pods* are such a mix (Weng et al., "Beware of Fragmentation", USENIX ATC 2023, section 4.1): the most
frequent kinds that together make up 95 % of a list of pods.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from scheduler_core.errors import Invalid
from scheduler_core.gpus.ask import Ask

COVERED_PERCENT = 95  # what the typical pods of the paper cover


@dataclass(frozen=True)
class Kind:
    """What FGD looks at in a pod. Memory is not part of it."""

    cpu_milli: int
    gpus: int
    gpu_milli: int
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mix:
    shares: tuple[tuple[Kind, float], ...]  # sum to 1, unless there are none

    @classmethod
    def of(cls, counts: dict[Kind, int], covered_percent: float = 100) -> "Mix":
        """The most frequent kinds that cover so much of all; between equals the larger one."""
        if not 0 < covered_percent <= 100:
            raise Invalid("Mix", "", "covered_percent", f"{covered_percent} is not above 0 and at most 100")
        order = sorted(counts, key=lambda kind: (-counts[kind], *(-n for n in _size(kind)), kind.models))
        wanted, covered, kept = sum(counts.values()) * covered_percent / 100, 0, 0
        while covered < wanted and kept < len(order):
            covered += counts[order[kept]]
            kept += 1
        return cls(tuple((kind, counts[kind] / covered) for kind in order[:kept]))


def _size(kind: Kind) -> tuple[int, int, int]:
    return (kind.cpu_milli, kind.gpu_milli, kind.gpus)


def kind_of(ask: Ask) -> Kind:
    return Kind(ask.cpu_milli, ask.gpus, ask.gpu_milli, ask.models)


def typical(asks: Iterable[Ask], covered_percent: float = COVERED_PERCENT) -> Mix:
    return Mix.of(Counter(kind_of(ask) for ask in asks if ask.mig is None), covered_percent)
