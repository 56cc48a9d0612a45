"""A few moves make room: nothing is lost, gangs stay together, and a plan that wins nothing is none."""

from collections import Counter

import pytest
from fleet_language import asks, cpu_only, fleet, fleets, node, share, whole
from hypothesis import given, strategies as st
from test_gpus_fleet import state

from scheduler_core.errors import Invalid
from scheduler_core.gpus import Ask, BestFit, Fleet, GpuNode, Placement, Placer, Plan, Running, carry_out, defragment
from tests.tried import tried


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


def test_whoever_finds_room_beside_the_one_that_moved_made_room_for_starts_without_a_move() -> None:
    eater = Placement(cpu_only(cpu=15_000), 0)
    placer = placer_with(eater, nodes=[node("gpus", gpus=4), node("cpus", gpus=0, cpu=16_000)])
    plan = defragment(placer, [Running(eater)], [whole(1, cpu=4_000)] * 6)
    assert (plan.moves, plan.gain_milli) == (1, 4000)


def test_what_fits_as_things_are_is_no_gain_of_a_move() -> None:
    eater = Placement(cpu_only(cpu=15_000), 0)
    placer = placer_with(eater, nodes=[node("gpus", gpus=4), node("cpus", gpus=0, cpu=16_000)])
    assert defragment(placer, [Running(eater)], [whole(1, cpu=500)] * 4) == Plan()


def test_two_that_have_no_other_place_change_places() -> None:
    """The one with much CPU sits beside a free GPU that lacks it; the one with little where CPU is idle."""
    much, little = Placement(whole(1, cpu=15_000), 0, (0,)), Placement(whole(1, cpu=1_000), 1, (0,))
    placer = placer_with(much, little, nodes=[node("tight", gpus=2), node("idle", gpus=1, cpu=64_000, model="B")])
    waiting = [whole(1, cpu=8_000, models=("A",))]
    plan = defragment(placer, [Running(much), Running(little)], waiting)
    (step,) = plan.steps
    assert {each.ask: each.node for each in step.placed_again} == {much.ask: 1, little.ask: 0}
    assert [each.node for each in step.started] == [0]
    assert defragment(placer, [Running(much), Running(little, stays=True)], waiting) == Plan()


def test_the_move_that_wins_more_comes_first() -> None:
    lonely, eater = Placement(share(400), 0, (0,)), Placement(cpu_only(cpu=15_000), 1)
    nodes = [node("a", gpus=1), node("b", gpus=4), node("c", gpus=0), node("d", gpus=1)]
    beside = Placement(share(500), 3, (0,))
    placer = placer_with(lonely, eater, beside, nodes=nodes)
    running = [Running(lonely), Running(eater), Running(beside, stays=True)]
    plan = defragment(placer, running, [whole(1, cpu=4_000)] * 6, moves_max=1)
    assert ([step.evicted for step in plan.steps], plan.gain_milli) == ([(eater,)], 4000)
    assert defragment(placer, running, [whole(1, cpu=4_000)] * 6).gain_milli == 5000


def can_start_by_one_move(on: Fleet, running: list[Placement], ask: Ask) -> bool:
    """Could any single pod leave for another place so that `ask` fits where it was? By trying all of it."""
    placer = Placer(on, BestFit())
    for gone in running:
        placer.take_away(gone)
        put = placer.place_at(ask, gone.node)
        fits = put is not None and len(on.fitting(gone.ask, placer.rows)) > 0
        if put is not None:
            placer.take_away(put)
        placer.put_back(gone)
        if fits:
            return True
    return False


@tried(150)
@given(fleets, st.lists(st.tuples(asks, st.sampled_from([None, None, "llama"])), min_size=1, max_size=14), asks)
def test_a_plan_is_found_whenever_one_move_is_enough(
    nodes: list[GpuNode], pods: list[tuple[Ask, str | None]], waiting: Ask
) -> None:
    placer = Placer(Fleet(nodes), BestFit())
    running = [Running(placed, gang) for pod, gang in pods if (placed := placer.place(pod)) is not None]
    if not waiting.demand_milli or len(placer.fleet.fitting(waiting, placer.rows)):
        return
    single = [each.placement for each in running if each.gang is None]
    plan = defragment(placer, running, [waiting], noise_percent=0)
    assert plan.steps or not can_start_by_one_move(placer.fleet, single, waiting)


def test_what_has_moved_stays_where_it_is() -> None:
    eater = Placement(cpu_only(cpu=15_000), 0)
    placer = placer_with(eater, nodes=[node("gpus", gpus=4), node("a", gpus=0), node("b", gpus=0)])
    plan = defragment(placer, [Running(eater)], [whole(1, cpu=12_000)] * 3)
    assert (plan.moves, plan.gain_milli) == (1, 1000)


def test_who_waits_still_waits_when_the_first_try_fails() -> None:
    """The lighter one has only a place beside itself, and what waits would take that."""
    light, heavy = Placement(share(600, cpu=9_000, models=("A",)), 0, (0,)), Placement(share(700), 1, (0,))
    nodes = [node("a"), node("b", cpu=8_000), node("c", gpus=1, model="C")]
    placer = placer_with(light, heavy, nodes=nodes)
    plan = defragment(placer, [Running(light), Running(heavy)], [whole(2, models=("A",))])
    assert [step.evicted for step in plan.steps] == [(heavy,)]


def test_a_gang_whose_nodes_one_waiting_pod_would_use_counts_it_once() -> None:
    gang = [Placement(share(400), row, (0,)) for row in range(4)]
    lonely, beside = Placement(share(500), 4, (0,)), Placement(share(300), 5, (0,))
    placer = placer_with(*gang, lonely, beside, nodes=[node(f"n{i}", gpus=1) for i in range(10)])
    for row in range(6, 10):
        placer.put_back(Placement(share(100), row, (0,)))
    running = [*(Running(each, gang="llama") for each in gang), Running(lonely), Running(beside, stays=True)]
    assert [step.evicted for step in defragment(placer, running, [whole(1)]).steps] == [(lonely,)]


@tried(200)
@given(
    fleets,
    st.lists(st.tuples(asks, st.sampled_from([None, None, "llama", "bert"]), st.booleans()), min_size=1, max_size=16),
    st.lists(asks, min_size=1, max_size=6),
    st.integers(0, 6),
)
def test_whatever_is_planned_comes_true_and_nobody_is_left_out(
    nodes: list[GpuNode], pods: list[tuple[Ask, str | None, bool]], waiting: list[Ask], moves_max: int
) -> None:
    placer = Placer(Fleet(nodes), BestFit())
    running = [
        Running(placed, gang, stays and gang is None)
        for pod, gang, stays in pods
        if (placed := placer.place(pod)) is not None
    ]
    before = state(placer.fleet)
    plan = defragment(placer, running, waiting, moves_max, noise_percent=0)
    assert state(placer.fleet) == before
    assert defragment(placer, running, waiting, moves_max, noise_percent=0) == plan
    assert plan.moves <= moves_max
    evicted = [gone for step in plan.steps for gone in step.evicted]
    for each in running:
        moves = Counter(evicted)[each.placement], Counter(r.placement for r in running)[each.placement]
        assert moves[0] <= moves[1], "a pod moves once"
        assert not each.stays or moves[0] < moves[1]
    for gang in ("llama", "bert"):
        members = Counter(each.placement for each in running if each.gang == gang)
        others = Counter(each.placement for each in running if each.gang != gang)
        for step in plan.steps:
            gone = Counter(step.evicted)
            assert members <= gone or gone <= others + members - members, "whole or not at all"
    started = Counter(each.ask.key for step in plan.steps for each in step.started)
    assert started <= Counter(ask.key for ask in waiting)
    assert not any(len(placer.fleet.fitting(p.ask, placer.rows)) for step in plan.steps for p in step.started)
    allocated = placer.fleet.allocated_milli
    carry_out(placer, plan)  # `Conflict` if anything had no room
    assert placer.fleet.allocated_milli == allocated + plan.gain_milli
    for step in plan.steps:
        assert sorted(p.ask.key for p in step.evicted) == sorted(p.ask.key for p in step.placed_again)
        assert step.started
