"""GPUs that are linked: who needs the link gets it, who does not takes as few islands as can be."""

import itertools

import pytest
from fleet_language import share, whole
from hypothesis import given, strategies as st
from test_gpus_fleet import state

from scheduler_core.errors import Conflict
from scheduler_core.gpus import Ask, BestFit, Fleet, GpuNode, Placement, Placer, Running, carry_out, defragment
from scheduler_core.gpus.islands import choose
from tests.tried import tried


def linked(gpus: int) -> Ask:
    return Ask(1000, 0, gpus, 1000, linked=True)


def halves(*names: str) -> Placer:
    return Placer(Fleet([GpuNode(name, 64_000, 262_144, 8, "A100", islands=(4, 4)) for name in names]), BestFit())


def crossed(gpus: tuple[int, ...], sizes: list[int]) -> int:
    """How many islands the GPUs lie in."""
    of_gpu = [island for island, size in enumerate(sizes) for _ in range(size)]
    return len({of_gpu[gpu] for gpu in gpus})


island_sizes = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@tried(200)
@given(island_sizes, st.data())
def test_no_choice_of_free_gpus_lies_in_fewer_islands(sizes: list[int], data: st.DataObject) -> None:
    left = data.draw(st.lists(st.sampled_from([1000, 1000, 400, 0]), min_size=sum(sizes), max_size=sum(sizes)))
    free = [gpu for gpu, milli in enumerate(left) if milli == 1000]
    gpus = data.draw(st.integers(0, len(free)))
    chosen = choose(left, sizes, gpus)
    assert len(set(chosen)) == gpus
    assert set(chosen) <= set(free)
    assert crossed(chosen, sizes) == min(crossed(each, sizes) for each in itertools.combinations(free, gpus))


@tried(150)
@given(
    island_sizes, st.lists(st.sampled_from([share(300), whole(1), whole(2), whole(3)]), max_size=8), st.integers(2, 4)
)
def test_a_linked_pod_fits_where_one_island_holds_it(sizes: list[int], before: list[Ask], gpus: int) -> None:
    on = Fleet([GpuNode("n", 64_000, 262_144, sum(sizes), "A100", islands=tuple(sizes))])
    placer = Placer(on, BestFit())
    for each in before:
        placer.place(each)
    free = [gpu for gpu, milli in enumerate(on.left[0].tolist()) if milli == 1000]
    expected = any(crossed(each, sizes) == 1 for each in itertools.combinations(free, gpus))
    placed = placer.place(linked(gpus))
    assert (placed is not None) == expected
    assert placed is None or crossed(placed.gpus, sizes) == 1


def test_a_single_gpu_leaves_the_other_island_whole() -> None:
    placer = halves("a")
    assert [placer.place(pod).gpus for pod in (whole(1), whole(2), whole(4))] == [(0,), (1, 2), (4, 5, 6, 7)]


def test_who_needs_no_link_takes_both_islands_rather_than_nothing() -> None:
    placer = halves("a")
    placer.place(whole(2))
    assert placer.place(whole(6)).gpus == (2, 3, 4, 5, 6, 7)


def test_gpus_of_two_islands_are_refused_to_a_linked_pod() -> None:
    on = halves("gpu-7").fleet
    before = state(on)
    with pytest.raises(Conflict, match="GpuNode 'gpu-7'") as refused:
        on.take(Placement(linked(2), 0, (3, 4)))
    assert (refused.value.field, state(on)) == ("islands", before)


def test_a_node_that_names_no_islands_is_one() -> None:
    placer = Placer(Fleet([GpuNode("n", 64_000, 262_144, 8, "A100")]), BestFit())
    assert placer.place(linked(8)) is not None


def test_a_move_makes_an_island_whole_again() -> None:
    placer = halves("a")
    lonely = [Placement(whole(1), 0, (1,)), Placement(whole(1), 0, (6,))]
    for each in lonely:
        placer.put_back(each)
    plan = defragment(placer, [Running(each) for each in lonely], [linked(4)])
    assert (plan.moves, plan.gain_milli) == (1, 4000)
    carry_out(placer, plan)
    assert placer.fleet.linked_free.tolist() == [2]
