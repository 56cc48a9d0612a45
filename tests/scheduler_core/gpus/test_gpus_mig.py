"""MIG slices: only where a profile may start, no two on the same memory slice, and no spoilt large ones."""

import itertools

import numpy as np
import pytest

from scheduler_core.errors import Conflict
from scheduler_core.gpus import Ask, BestFit, Fleet, GpuNode, Placement, Placer
from scheduler_core.gpus.mig import GEOMETRIES, best_start

A100 = "A100-40GB"


def a100s(*names: str, gpus: int = 1) -> Placer:
    return Placer(Fleet([GpuNode(name, 64_000, 262_144, gpus, "A100", mig=A100) for name in names]), BestFit())


def slices(placer: Placer, *profiles: str) -> list[Placement | None]:
    return [placer.place(Ask(1000, mig=profile)) for profile in profiles]


def most_slices(profile: str) -> int:
    """By trying all sets of starts."""
    slice_ = GEOMETRIES[A100][profile]
    sets = itertools.chain.from_iterable(
        itertools.combinations(slice_.starts, count) for count in range(len(slice_.starts) + 1)
    )
    apart = [s for s in sets if all(abs(a - b) >= slice_.size for a, b in itertools.combinations(s, 2))]
    return max(len(each) for each in apart)


@pytest.mark.parametrize("profile", GEOMETRIES[A100])
def test_a_gpu_holds_as_many_of_a_profile_as_its_starts_allow(profile: str) -> None:
    placed = slices(a100s("n"), *[profile] * 9)
    assert sum(each is not None for each in placed) == most_slices(profile)


def test_a_small_slice_leaves_room_for_the_large_ones() -> None:
    placer = a100s("n")
    assert None not in slices(placer, "1g.5gb", "4g.20gb", "2g.10gb")


@pytest.mark.parametrize("profile", GEOMETRIES[A100])
def test_a_start_is_found_whenever_there_is_one(profile: str) -> None:
    slice_ = GEOMETRIES[A100][profile]
    for used in range(256):
        free = [s for s in slice_.starts if not any(used >> (s + i) & 1 for i in range(slice_.size))]
        found = best_start(A100, profile, used)
        assert (found in free) if free else found is None, bin(used)


def test_a_gpu_already_cut_is_filled_before_a_whole_one() -> None:
    placer = a100s("a", "b", gpus=2)
    placed = slices(placer, "3g.20gb", "3g.20gb", "1g.5gb")
    assert [(each.node, each.gpus) for each in placed if each] == [(0, (0,)), (0, (0,)), (0, (1,))]


def test_a_cut_gpu_takes_no_whole_or_shared_work_and_the_last_slice_gives_it_back() -> None:
    placer = a100s("n")
    (cut,) = slices(placer, "1g.5gb")
    assert placer.place(Ask(1000, gpus=1, gpu_milli=100)) is None
    assert cut is not None
    placer.take_away(cut)
    assert placer.place(Ask(1000, gpus=1, gpu_milli=1000)) is not None
    assert slices(placer, "1g.5gb") == [None]


def test_a_node_whose_gpus_are_not_partitioned_offers_no_slice() -> None:
    placer = Placer(Fleet([GpuNode("n", 64_000, 262_144, 2, "T4")]), BestFit())
    assert slices(placer, "1g.5gb") == [None]


@pytest.mark.parametrize("start", [1, 5, 7])
def test_a_slice_cannot_be_put_where_its_profile_does_not_start(start: int) -> None:
    fleet = a100s("n").fleet
    with pytest.raises(Conflict, match="mig"):
        fleet.take(Placement(Ask(1000, mig="2g.10gb"), 0, (0,), start))


def test_two_slices_cannot_have_the_same_memory() -> None:
    fleet = a100s("n").fleet
    fleet.take(Placement(Ask(1000, mig="3g.20gb"), 0, (0,), 0))
    with pytest.raises(Conflict, match="taken"):
        fleet.take(Placement(Ask(1000, mig="2g.10gb"), 0, (0,), 2))
    assert np.array_equal(fleet.slices, [[0b1111]])
