"""MIG: which slices a GPU can be cut into, and which place for one spoils the fewest others.

A GPU has memory slices; a profile takes some of them in a row and may only start at certain ones. Sizes and starts
are those that `nvidia-smi mig -lgipp` lists and NVIDIA's MIG user guide draws ("Supported MIG Profiles"). Of the free
starts that one is taken after which most starts of all profiles remain: a slice in the wrong place can cost a large
one its only place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Slice:
    size: int  # memory slices in a row
    starts: tuple[int, ...]
    milli: int  # of the GPU's compute

    def bits(self, start: int) -> int:
        return ((1 << self.size) - 1) << start

    def free_starts(self, used: int) -> tuple[int, ...]:
        return tuple(start for start in self.starts if not used & self.bits(start))


def _eighths(small: str, small_wide: str, two: str, half: str, whole: str) -> Mapping[str, Slice]:
    """Eight slices of memory, seven of compute: A100 and what came after it. Only the names differ by the memory."""
    return {
        f"1g.{small}": Slice(1, (0, 1, 2, 3, 4, 5, 6), 1000 // 7),
        f"1g.{small_wide}": Slice(2, (0, 2, 4, 6), 1000 // 7),
        f"2g.{two}": Slice(2, (0, 2, 4), 2000 // 7),
        f"3g.{half}": Slice(4, (0, 4), 3000 // 7),
        f"4g.{half}": Slice(4, (0,), 4000 // 7),
        f"7g.{whole}": Slice(8, (0,), 1000),
    }


GEOMETRIES: Mapping[str, Mapping[str, Slice]] = {
    "A30-24GB": {
        "1g.6gb": Slice(1, (0, 1, 2, 3), 250),
        "2g.12gb": Slice(2, (0, 2), 500),
        "4g.24gb": Slice(4, (0,), 1000),
    },
    "A100-40GB": _eighths("5gb", "10gb", "10gb", "20gb", "40gb"),
    "A100-80GB": _eighths("10gb", "20gb", "20gb", "40gb", "80gb"),
    "H100-80GB": _eighths("10gb", "20gb", "20gb", "40gb", "80gb"),
    "H100-94GB": _eighths("12gb", "24gb", "24gb", "47gb", "94gb"),
    "H200-141GB": _eighths("18gb", "35gb", "35gb", "71gb", "141gb"),
}

PROFILE_MILLI: Mapping[str, int] = {
    profile: slice_.milli for geometry in GEOMETRIES.values() for profile, slice_ in geometry.items()
}
"""What each profile takes of a GPU's compute; the same name means the same share wherever it is offered."""


@cache
def best_start(geometry: str, profile: str, used: int) -> int | None:
    """Where such a slice does least harm on a GPU of which these slices are used; None: nowhere."""
    offered = GEOMETRIES[geometry]
    if profile not in offered:
        return None
    wanted = offered[profile]

    def still_free(start: int) -> int:
        return sum(len(each.free_starts(used | wanted.bits(start))) for each in offered.values())

    return max(wanted.free_starts(used), key=lambda start: (still_free(start), start), default=None)
