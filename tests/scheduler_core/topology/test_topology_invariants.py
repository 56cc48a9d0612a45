"""Room is never exceeded, a gang is whole or absent, undo restores, the same input gives the same output."""

import random

from hypothesis import given, strategies as st
from topology_language import GPU, THREE, gang, host

from scheduler_core.model import PodShape
from scheduler_core.topology import (
    Ask,
    Assignment,
    Capacity,
    Failure,
    Forest,
    Topology,
    TopologySettings,
    assign,
    repair,
)
from tests.tried import tried

SHAPES = [PodShape(requests={GPU: each, "cpu": cpu}) for each in (0, 1, 2, 4) for cpu in (1, 3)]


def centre_of(seed: int, size: int) -> Capacity:
    draw = random.Random(seed)
    nodes = [
        host(
            f"x{number}",
            draw.randint(0, 8),
            block=f"b{draw.randint(1, 2)}",
            rack=f"r{draw.randint(1, 3)}",
            also={"cpu": draw.randint(0, 20), "pods": draw.randint(1, 12)},
        )
        for number in range(size)
    ]
    return Capacity.of(Forest.of(Topology("default", THREE), draw.sample(nodes, len(nodes))))


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    level = draw(st.sampled_from(["block", "rack", "host"]))
    mode = draw(st.sampled_from(["required", "preferred", "none"]))
    size = draw(st.sampled_from([1, 2, 3]))
    sliced = draw(st.sampled_from([None, "rack", "host"]))
    where = {} if mode == "none" else {mode: level}
    if sliced is not None and mode != "none" and (level, sliced) == ("host", "rack"):
        sliced = "host"
    slices = {sliced: size} if sliced is not None else None
    return gang(size * draw(st.integers(0, 8)), shape=draw(st.sampled_from(SHAPES)), slices=slices, **where)


@given(st.integers(0, 10_000), st.integers(1, 14), st.lists(asks(), min_size=1, max_size=6), st.booleans())
@tried(200)
def test_gangs_come_and_go(seed: int, size: int, wanted: list[Ask], balanced: bool) -> None:
    centre, twin = centre_of(seed, size), centre_of(seed, size)
    chosen = TopologySettings(balanced=balanced)
    start = centre.free.copy()
    there: list[tuple[Assignment, Ask]] = []
    for ask in wanted:
        before = centre.free.copy()
        found = assign(centre, [ask], chosen)
        assert (centre.free == before).all(), "looking changes nothing"
        assert found == assign(twin, [ask], chosen), "the order of the nodes does not matter, nor does the past"
        if isinstance(found, Failure):
            assert found.wanted == ask.count and found.message
            continue
        assert found["main"].count == ask.count, "whole or absent"
        for capacity in (centre, twin):
            capacity.take(found["main"], ask.shape.requests)
        there.append((found["main"], ask))
        assert (centre.free >= 0).all(), "never more than there is"
    for assignment, ask in there:
        centre.give(assignment, ask.shape.requests)
    assert (centre.free == start).all(), "undone to the last unit"


@given(st.integers(0, 10_000), st.integers(2, 14), asks())
@tried(200)
def test_repairs_keep_what_held(seed: int, size: int, ask: Ask) -> None:
    centre = centre_of(seed, size)
    found = assign(centre, [ask])
    if isinstance(found, Failure) or not found["main"].parts:
        return
    had = found["main"]
    centre.take(had, ask.shape.requests)
    lost = had.parts[seed % len(had.parts)]
    mended = repair(centre, [ask], {"main": had}, [lost.domain[-1]])
    if isinstance(mended, Failure):
        return
    whole, added = mended["main"].whole, mended["main"].added
    assert whole.count == ask.count and added.count == lost.count
    stayed = {part.domain: part.count for part in had.parts if part != lost}
    assert lost.domain not in {part.domain for part in whole.parts}
    assert all(part.count >= stayed.get(part.domain, 0) for part in whole.parts)
    assert set(stayed) <= {part.domain for part in whole.parts}, "survivors stay"
    centre.take(added, ask.shape.requests)
    assert (centre.free >= 0).all()
    for layer in ask.topology.slices:
        level = THREE.index(layer.level)
        assert all(part.count % layer.size == 0 for part in whole.at(level))
    if ask.topology.mode == "required" and stayed:
        assert len(whole.at(THREE.index(str(ask.topology.level)))) == 1


@given(st.integers(0, 10_000), st.integers(1, 14), asks())
@tried(100)
def test_a_failure_tells_the_truth(seed: int, size: int, ask: Ask) -> None:
    centre = centre_of(seed, size)
    failure = assign(centre, [ask])
    if not isinstance(failure, Failure):
        return
    assert failure.fits < ask.count
    fewer = Ask(count=failure.fits, shape=ask.shape, topology=ask.topology)
    assert not isinstance(assign(centre, [fewer]), Failure), "as many as it says do fit"
    loose = Ask(count=ask.count, shape=ask.shape)
    assert isinstance(assign(centre, [loose]), Failure) != failure.fits_without_topology
