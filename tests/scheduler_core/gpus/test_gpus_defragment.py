"""A few moves make room: nothing is lost, gangs stay together, and a plan that wins nothing is none."""

import itertools

import pytest
from fleet_language import asks, cpu_only, fleet, fleets, node, share, whole
from hypothesis import given, settings, strategies as st
from test_gpus_fleet import state

from scheduler_core.errors import Invalid
from scheduler_core.gpus import Ask, BestFit, Fleet, GpuNode, Placement, Placer, Plan, Running, carry_out, defragment


def placer_with(*placements: Placement, nodes: list[GpuNode]) -> Placer:
    placer = Placer(fleet(*nodes), BestFit())
    for each in placements:
        placer.put_back(each)
    return placer


LONELY = [Placement(share(400), 0, (0,)), Placement(share(400), 1, (0,))]
TWO = [node("a", gpus=1), node("b", gpus=1)]


def test_two_lonely_parts_are_put_together_for_a_whole_one() -> None:
    placer = placer_with(*LONELY, nodes=TWO)
    before = state(placer.fleet)
    plan = defragment(placer, [Running(each) for each in LONELY], [whole(1)])
    assert state(placer.fleet) == before
    assert (plan.moves, plan.gain_milli) == (1, 1000)
    carry_out(placer, plan)
    assert sorted(placer.fleet.left.ravel().tolist()) == [0, 200]


def test_cpu_is_freed_for_gpus_that_lack_it() -> None:
    eater = Placement(cpu_only(cpu=15_000), 0)
    placer = placer_with(eater, nodes=[node("gpus", gpus=4), node("cpus", gpus=0, cpu=16_000)])
    plan = defragment(placer, [Running(eater)], [whole(4, cpu=16_000)])
    assert [(step.evicted, step.placed_again[0].node) for step in plan.steps] == [((eater,), 1)]


def test_what_has_no_other_place_is_not_evicted() -> None:
    full = [Placement(share(700), 0, (0,)), Placement(share(700), 1, (0,))]
    assert defragment(placer_with(*full, nodes=TWO), [Running(each) for each in full], [whole(1)]) == Plan()


@pytest.mark.parametrize("running", [[], [Running(each, stays=True) for each in LONELY]])
def test_what_is_not_to_be_moved_is_not_moved(running: list[Running]) -> None:
    assert defragment(placer_with(*LONELY, nodes=TWO), running, [whole(1)]) == Plan()


def test_a_gang_moves_whole_or_not_at_all() -> None:
    gang = [Placement(share(600), 0, (0,)), Placement(share(600), 1, (0,))]
    nodes = [node("a", gpus=1), node("b", gpus=1), node("c", gpus=1, cpu=900)]
    together = [Running(each, gang="llama") for each in gang]
    assert defragment(placer_with(*gang, nodes=nodes), together, [whole(1)]) == Plan(), "neither has room beside it"
    roomy = [*nodes[:2], node("c", gpus=1)]
    beside = Placement(share(300), 2, (0,))
    plan = defragment(placer_with(*gang, beside, nodes=roomy), together, [whole(1)], noise_percent=0)
    assert [set(step.evicted) for step in plan.steps] == [set(gang)]
    assert defragment(placer_with(*gang, beside, nodes=roomy), together, [whole(1)], moves_max=1) == Plan()


def test_no_more_moves_than_allowed_and_none_for_less_than_noise() -> None:
    nodes = [node(f"n{i}", gpus=1) for i in range(8)]
    lonely = [Placement(share(400), row, (0,)) for row in range(8)]
    placer, running = placer_with(*lonely, nodes=nodes), [Running(each) for each in lonely]
    assert defragment(placer, running, [whole(1)] * 8).moves == 4
    assert defragment(placer, running, [whole(1)] * 8, moves_max=2).moves == 2
    assert defragment(placer, running, [whole(1)] * 8, noise_percent=60) == Plan()
    with pytest.raises(Invalid, match="moves_max"):
        defragment(placer, running, [], moves_max=-1)


def most_by_one_move(on: Fleet, running: list[Placement], ask: Ask) -> bool:
    """Could any single pod leave for another place so that `ask` fits? By trying all of it."""
    placer = Placer(on, BestFit())
    for gone in running:
        placer.take_away(gone)
        for row, gpu in itertools.product(on.fitting(ask, _rows(on)).tolist(), [0]):
            put = placer.on(ask, row)
            placer.put_back(put)
            fits = len(on.fitting(gone.ask, _rows(on))) > gpu
            placer.take_away(put)
            if fits and row == gone.node:
                placer.put_back(gone)
                return True
        placer.put_back(gone)
    return False


def _rows(on: Fleet):
    import numpy as np

    return np.arange(len(on))


@settings(max_examples=120, deadline=None)
@given(fleets, st.lists(asks, min_size=1, max_size=14), asks)
def test_a_plan_is_found_when_one_move_is_enough_and_comes_true(
    nodes: list[GpuNode], pods: list[Ask], waiting: Ask
) -> None:
    placer = Placer(Fleet(nodes), BestFit())
    running = [placed for pod in pods if (placed := placer.place(pod)) is not None]
    if not waiting.demand_milli or len(placer.fleet.fitting(waiting, _rows(placer.fleet))):
        return
    before = state(placer.fleet)
    plan = defragment(placer, [Running(each) for each in running], [waiting], noise_percent=0)
    assert state(placer.fleet) == before
    assert bool(plan.steps) == most_by_one_move(placer.fleet, running, waiting)
    allocated = placer.fleet.allocated_milli
    carry_out(placer, plan)  # `Conflict` if anything had no room
    assert placer.fleet.allocated_milli == allocated + plan.gain_milli
    for step in plan.steps:
        assert sorted(p.ask.key for p in step.evicted) == sorted(p.ask.key for p in step.placed_again)
