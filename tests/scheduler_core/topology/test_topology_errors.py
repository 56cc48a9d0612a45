"""Bad input is a typed error that names the object and the field."""

from collections.abc import Callable

import pytest
from topology_language import BLOCK, GPU, GPU_EACH, HOST, RACK, THREE, data_centre, gang, host, one_rack

from scheduler_core.errors import Conflict, Duplicate, Invalid, SchedulerError, Unknown
from scheduler_core.model import Node, PodShape
from scheduler_core.topology import (
    Ask,
    Assignment,
    Capacity,
    Failure,
    Forest,
    Mode,
    Part,
    Slice,
    Topology,
    TopologyRequest,
    assign,
    has_levels,
    spelled_out,
)


def ask(**request: object) -> Callable[[], object]:
    one = Ask(count=4, shape=GPU_EACH, topology=TopologyRequest(**request))  # type: ignore[arg-type]
    return lambda: assign(one_rack(9), [one])


def forest(*nodes: Node) -> Callable[[], object]:
    return lambda: Forest.of(Topology("default", THREE), nodes)


@pytest.mark.parametrize(
    ("act", "kind", "told"),
    [
        (ask(mode=Mode.REQUIRED), Invalid, "PodSet 'main': topology_request.level: required needs one"),
        (
            ask(mode=Mode.PREFERRED, level="row"),
            Unknown,
            "PodSet 'main': topology_request.level: topology 'default' has no level 'row'",
        ),
        (
            ask(level="row"),
            Unknown,
            "PodSet 'main': topology_request.level: topology 'default' has no level 'row'",
        ),
        (
            ask(slices=(Slice("row", 2),)),
            Unknown,
            "PodSet 'main': topology_request.slice_level: topology 'default' has no level 'row'",
        ),
        (ask(slices=(Slice(RACK, 0),)), Invalid, "PodSet 'main': topology_request.slice_size: 0 is below 1"),
        (
            ask(slices=(Slice(RACK, 3),)),
            Invalid,
            "PodSet 'main': topology_request.slice_size: 3 does not divide the count 4",
        ),
        (
            ask(slices=(Slice(RACK, 4), Slice(HOST, 3))),
            Invalid,
            "PodSet 'main': topology_request.slice_size: 3 does not divide the 4 of the layer above",
        ),
        (
            ask(slices=(Slice(RACK, 4), Slice(RACK, 2))),
            Invalid,
            "PodSet 'main': topology_request.slice_level: layers go from coarse to fine",
        ),
        (
            ask(slices=tuple(Slice(BLOCK, 4) for _ in range(4))),
            Invalid,
            "PodSet 'main': topology_request.slices: at most 3 layers are possible",
        ),
        (
            ask(mode=Mode.REQUIRED, level=HOST, slices=(Slice(RACK, 2),)),
            Invalid,
            "PodSet 'main': topology_request.slice_level: lies above the level of the pod set",
        ),
        (lambda: gang(-1), Invalid, "PodSet 'main': count: -1 is below 0"),
        (
            lambda: gang(1, shape=PodShape(requests={GPU: -1})),
            Invalid,
            "PodSet 'main': requests.nvidia.com/gpu: -1 is below 0",
        ),
        (forest(host("x1", 1), host("x1", 1)), Duplicate, "Node 'x1': name: is taken"),
        (
            forest(host("x1", 1), host("y1", 1, labels={HOST: "x1"})),
            Duplicate,
            "Node 'y1': labels.kubernetes.io/hostname: 'x1' is also that of node 'x1'",
        ),
        (lambda: host("x1", -1), Invalid, "Node 'x1': allocatable.nvidia.com/gpu: -1 is below 0"),
    ],
)
def test_bad_input(act: Callable[[], object], kind: type[SchedulerError], told: str) -> None:
    with pytest.raises(kind) as error:
        act()
    assert str(error.value) == told


def at(*path: str, count: int = 1) -> Assignment:
    return Assignment("main", (Part(path, count),))


def test_what_is_not_there_is_not_taken_and_nothing_changes() -> None:
    rack = one_rack(2, 1)
    before = rack.free.copy()
    two = Assignment("main", (Part(("b1", "r1", "x1"), 2), Part(("b1", "r1", "x2"), 2)))
    with pytest.raises(Conflict, match="topology: b1/r1/x2 has no nvidia"):
        rack.take(two, {GPU: 1})
    with pytest.raises(Unknown, match="PodSet 'main': topology: no leaf b1/r9"):
        rack.take(at("b1", "r9"), {GPU: 1})
    with pytest.raises(Conflict, match="Topology 'default': requests: no node has tpu"):
        rack.take(at("b1", "r1", "x1"), {"tpu": 1})
    with pytest.raises(Invalid, match="PodSet 'main': topology: -1 pods"):
        rack.take(at("b1", "r1", "x1", count=-1), {GPU: 1})
    with pytest.raises(Invalid, match="is not of the lowest level"):
        rack.use(at("b1", "r1"), {GPU: 1})
    assert (rack.free == before).all()


def test_what_is_used_beyond_what_there_is_can_be_given_back() -> None:
    rack = one_rack(2, 1)
    before = rack.free.copy()
    rack.use(at("b1", "r1", "x1", count=3), {GPU: 1})
    rack.use(at("b1", "r1", "gone"), {GPU: 1, "tpu": 2})
    assert rack.free[rack.resources.index(GPU)].tolist() == [-1, 1]
    assert (rack.emptied().free == before).all()
    rack.give(at("b1", "r1", "gone"), {GPU: 1, "tpu": 2})
    rack.give(at("b1", "r1", "x1", count=3), {GPU: 1})
    assert (rack.free == before).all()


def test_pods_of_no_workload_stay_when_all_workloads_are_thought_away() -> None:
    rack = one_rack(4)
    rack.occupy([("x1", {GPU: 1})])
    rack.use(at("b1", "r1", "x1", count=2), {GPU: 1})
    gpus = rack.resources.index(GPU)
    assert (rack.free[gpus].tolist(), rack.emptied().free[gpus].tolist()) == ([1], [3])


def test_what_happens_in_a_fork_stays_in_it() -> None:
    rack = one_rack(4)
    fork = rack.fork()
    fork.occupy([("x1", {GPU: 1})])
    gpus = rack.resources.index(GPU)
    assert (fork.emptied().free[gpus].tolist(), rack.emptied().free[gpus].tolist()) == ([3], [4])


def test_quantities_beyond_all_measure_stay_whole_numbers() -> None:
    huge = 1 << 80
    nodes = [host(f"x{number}", 8, also={"memory": huge}) for number in range(40)]
    centre = Capacity.of(Forest.of(Topology("default", THREE), nodes))
    memory = centre.resources.index("memory")
    before = centre.free.copy()
    most = PodShape(requests={GPU: 7, "memory": 1 << 30})
    failure = assign(centre, [gang(41, required="block", shape=most)])
    assert isinstance(failure, Failure) and (failure.fits, failure.binding, failure.fits_in_sum) == (40, GPU, True)
    assert isinstance(assign(centre, [gang(1, shape=PodShape(requests={"memory": huge}))]), Failure)
    centre.use(at("b1", "r1", "x1", count=3), {"memory": huge})
    assert centre.free[memory].min() < 0
    centre.give(at("b1", "r1", "x1", count=3), {"memory": huge})
    assert (centre.free == before).all()


def test_racks_that_an_admission_names_are_spelled_out_to_hosts() -> None:
    centre = data_centre({"b1": {"r1": {"x1": 2, "x2": 1}, "r2": {"x3": 4}}})
    parts = (Part(("b1", "r1"), 3), Part(("b1", "r2", "x3"), 1), Part(("b9", "r1"), 1))
    known = spelled_out(centre, Assignment("main", parts), GPU_EACH)
    assert [(part.domain[-1], part.count) for part in known.parts] == [("x1", 2), ("x2", 1), ("x3", 1), ("r1", 1)]
    assert known.parts[-1] == parts[-1], "what is gone stays as it is told"
    over = spelled_out(centre, at("b1", "r1", count=5), GPU_EACH)
    assert over.count == 5, "what is held is never less than is told"
    centre.use(over, {GPU: 1})


def test_a_flavor_without_a_level_can_not_be_asked() -> None:
    topology = Topology("default", (BLOCK, RACK))
    assert has_levels(topology, TopologyRequest(mode=Mode.REQUIRED, level=RACK))
    assert not has_levels(topology, TopologyRequest(mode=Mode.REQUIRED, level=RACK, slices=(Slice(HOST, 2),)))
    assert not has_levels(topology, TopologyRequest(mode=Mode.PREFERRED, level=HOST))


def test_nodes_outside_the_forest_change_nothing() -> None:
    bare = Node("bare", {GPU: 8})
    centre = Capacity.of(Forest.of(Topology("default", THREE), [host("x1", 1), bare]))
    centre.occupy([("bare", {GPU: 1})])
    assert centre.free[centre.resources.index(GPU)].tolist() == [1]
