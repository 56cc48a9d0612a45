"""What fits where on a fleet, and that taking and giving back leave no trace."""

import numpy as np
import pytest
from fleet_language import asks, cpu_only, fits, fleet, fleets, node, share, whole
from hypothesis import given, strategies as st

from scheduler_core.errors import Conflict, Duplicate, Invalid, SchedulerError, Unknown
from scheduler_core.gpus import Ask, BestFit, Fleet, GpuNode, Placement, Placer
from tests.tried import tried


def state(of: Fleet) -> list[list[int]]:
    arrays = (
        of.cpu_left,
        of.memory_left,
        of.total_left,
        of.most_left,
        of.free,
        of.linked_free,
        of.left.ravel(),
        of.kinds.ravel(),
    )
    return [*(array.tolist() for array in arrays), of.slices.ravel().tolist(), [of.allocated_milli]]


@tried(150)
@given(fleets, st.lists(asks, max_size=20), asks)
def test_what_fits_is_what_the_definition_says(nodes: list[GpuNode], before: list[Ask], ask: Ask) -> None:
    on = Fleet(nodes)
    placer = Placer(on, BestFit())
    for each in before:
        placer.place(each)
    expected = [row for row in range(len(on)) if fits(on, ask, row)]
    assert on.fitting(ask, np.arange(len(on))).tolist() == expected


@tried(100)
@given(fleets, st.lists(asks, max_size=12), st.randoms(use_true_random=False))
def test_giving_back_in_any_order_restores_the_state_exactly(nodes: list[GpuNode], pods: list[Ask], chance) -> None:
    on = Fleet(nodes)
    placer = Placer(on, BestFit())
    empty = state(on)
    placed = [placement for pod in pods if (placement := placer.place(pod)) is not None]
    full = state(on)
    chance.shuffle(placed)
    for placement in placed:
        placer.take_away(placement)
    assert state(on) == empty
    for placement in reversed(placed):
        placer.put_back(placement)
    assert state(on) == full


def test_a_sharing_pod_needs_one_gpu_with_that_much_left() -> None:
    on = fleet(node(gpus=2))
    for gpu in (0, 1):
        on.take(Placement(share(600), 0, (gpu,)))
    rows = np.array([0])
    assert on.total_left[0] == 800
    assert len(on.fitting(share(500), rows)) == 0
    assert len(on.fitting(share(400), rows)) == 1
    assert len(on.fitting(whole(1), rows)) == 0


def test_a_pod_without_gpus_may_land_on_a_gpu_node() -> None:
    assert fleet(node(gpus=2)).fitting(cpu_only(), np.array([0])).tolist() == [0]


@pytest.mark.parametrize(
    ("placement", "field"),
    [
        (Placement(share(600), 0, (0,)), "gpus"),
        (Placement(whole(1), 0, (5,)), "gpus"),
        (Placement(whole(2), 0, (1, 1)), "gpus"),
        (Placement(share(100, cpu=99_000), 0, (1,)), "cpu_milli, memory_mib"),
        (Placement(share(100, models=("B",)), 0, (1,)), "model"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(placement: Placement, field: str) -> None:
    on = fleet(node("gpu-7", gpus=2))
    on.take(Placement(share(500), 0, (0,)))
    before = state(on)
    with pytest.raises(Conflict, match="GpuNode 'gpu-7'") as refused:
        on.take(placement)
    assert refused.value.field == field
    assert state(on) == before


@pytest.mark.parametrize(
    ("make", "kind", "field"),
    [
        (lambda: Ask(-1), "Ask", "cpu_milli"),
        (lambda: Ask(1000, -5), "Ask", "memory_mib"),
        (lambda: Ask(1000, 0, 1, 1.0), "Ask", "gpu_milli"),
        (lambda: Ask(1000, 0, 1, 1500), "Ask", "gpu_milli"),
        (lambda: Ask(1000, 0, 2, 500), "Ask", "gpu_milli"),
        (lambda: Ask(1000, 0, 2, 0), "Ask", "gpu_milli"),
        (lambda: Ask(1000, 0, 0, 500), "Ask", "gpu_milli"),
        (lambda: Ask("4", 0), "Ask", "cpu_milli"),
        (lambda: Ask(1000, 0, 1, -500), "Ask", "gpu_milli"),
        (lambda: Ask(1000, 0, -1, 1000), "Ask", "gpus"),
        (lambda: Ask(1000, models=("",)), "Ask", "models"),
        (lambda: Ask(1000, models="A100"), "Ask", "models"),
        (lambda: GpuNode("n", 1000, 1000, 8, "A", islands=(4, "4")), "GpuNode", "islands"),
        (lambda: Ask(1000, mig="9g.1tb"), "Ask", "mig"),
        (lambda: Ask(1000, gpus=1, gpu_milli=1000, mig="3g.20gb"), "Ask", "mig"),
        (lambda: GpuNode("n", 1000, 1000, -1, "A"), "GpuNode", "gpus"),
        (lambda: GpuNode("n", 1000, 1000, 65, "A"), "GpuNode", "gpus"),
        (lambda: GpuNode("n", 1000, 1000, 1, ""), "GpuNode", "model"),
        (lambda: GpuNode("", 1000, 1000, 1, "A"), "GpuNode", "name"),
        (lambda: GpuNode("n", 1000, 1000, 1, "A", mig="Z9"), "GpuNode", "mig"),
        (lambda: GpuNode("n", 1000, 1000, 8, "A", islands=(4, 3)), "GpuNode", "islands"),
        (lambda: GpuNode("n", 1000, 1000, 4, "A", islands=(4, 0)), "GpuNode", "islands"),
        (lambda: GpuNode("n", 1000, 1000, 4, "A", islands=(5, -1)), "GpuNode", "islands"),
        (lambda: Ask(1000, 0, 1, 1000, linked=True), "Ask", "linked"),
        (lambda: fleet(node("n"), node("n")), "GpuNode", "name"),
    ],
)
def test_bad_input_names_the_object_and_the_field(make, kind: str, field: str) -> None:
    with pytest.raises(SchedulerError) as wrong:
        make()
    assert isinstance(wrong.value, Invalid | Unknown | Duplicate)
    assert (wrong.value.kind, wrong.value.field) == (kind, field)


def test_a_model_that_no_node_has_fits_nowhere() -> None:
    assert Placer(fleet(node(model="A")), BestFit()).place(share(100, models=("H100",))) is None


def test_a_fleet_without_nodes_places_nothing() -> None:
    assert Placer(fleet(), BestFit()).place(cpu_only()) is None
