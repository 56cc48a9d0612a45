"""Nodes are lost under an admitted gang: the lost pods move, the others stay, and what held still holds."""

from collections.abc import Mapping

import pytest
from topology_language import BLOCK, GPU_EACH, RACK, data_centre, gang, hosts

from scheduler_core.errors import Invalid
from scheduler_core.topology import Ask, Assignment, Capacity, Cause, Failure, Part, assign, grow, repair

WHERE = {
    "x1": ("b1", "r1", "x1"),
    "x2": ("b1", "r1", "x2"),
    "x3": ("b1", "r2", "x3"),
    "x4": ("b1", "r2", "x4"),
    "x5": ("b2", "r3", "x5"),
    "x6": ("b2", "r3", "x6"),
}


def centre(**free: int) -> Capacity:
    """What is free beside what the gang under repair has."""
    blocks: dict[str, dict[str, dict[str, int]]] = {}
    for name, gpus in free.items():
        block, rack, _ = WHERE[name]
        blocks.setdefault(block, {}).setdefault(rack, {})[name] = gpus
    return data_centre(blocks)


def stood(pod_set: str = "main", **counts: int) -> dict[str, Assignment]:
    return {pod_set: Assignment(pod_set, tuple(Part(WHERE[name], count) for name, count in counts.items()))}


def repaired(capacity: Capacity, ask: Ask, had: Mapping[str, Assignment], *lost: str) -> dict[str, int]:
    before = capacity.free.copy()
    found = repair(capacity, [ask], had, lost)
    assert not isinstance(found, Failure), found.message
    assert (capacity.free == before).all(), "the capacity is only read"
    return hosts(found[ask.name].whole)


def test_only_the_lost_pods_move() -> None:
    capacity = centre(x2=2, x3=9)
    ask = gang(4, required="rack")
    assert repaired(capacity, ask, stood(x1=2, x2=2), "x1") == {"x2": 4}
    found = repair(capacity, [ask], stood(x1=2, x2=2), ["x1"])
    assert not isinstance(found, Failure) and hosts(found["main"].added) == {"x2": 2}


def test_required_stays_in_its_rack_even_if_only_another_has_room() -> None:
    failure = repair(centre(x2=1, x3=9), [gang(4, required="rack")], stood(x1=2, x2=2), ["x1"])
    assert isinstance(failure, Failure)
    assert (
        failure.message
        == 'topology "default" allows to fit only 1 out of 2 pod(s). Total nodes: 2; excluded: topologyDomain: 1'
    )


def test_a_gang_that_lost_everything_starts_anew() -> None:
    assert repaired(centre(x2=1, x3=2), gang(2, required="host"), stood(x1=2), "x1") == {"x3": 2}


def test_preferred_stays_near_as_long_as_it_can() -> None:
    ask, had = gang(4, preferred="rack"), stood(x1=2, x2=2)
    assert repaired(centre(x2=2, x4=2, x5=2), ask, had, "x1") == {"x2": 4}
    assert repaired(centre(x2=0, x4=9, x5=2), ask, had, "x1") == {"x2": 2, "x4": 2}, "its block first"
    assert repaired(centre(x2=0, x4=1, x5=1), ask, had, "x1") == {"x2": 2, "x4": 1, "x5": 1}


def test_the_lost_node_is_not_chosen_again_even_if_it_still_looks_well() -> None:
    assert repaired(centre(x1=8, x2=0, x3=2), gang(4), stood(x1=2, x2=2), "x1") == {"x2": 2, "x3": 2}


def test_several_nodes_at_once() -> None:
    assert repaired(centre(x2=4), gang(6, required="block"), stood(x1=2, x2=2, x3=2), "x1", "x3") == {"x2": 6}


def test_a_broken_slice_is_completed_where_the_rest_of_it_is() -> None:
    ask = gang(4, required="block", slices={"rack": 2})
    had = stood(x1=1, x2=1, x3=1, x4=1)
    assert repaired(centre(x1=9, x2=9, x4=1), ask, had, "x3") == {"x1": 1, "x2": 1, "x4": 2}
    failure = repair(centre(x1=9, x2=9, x4=0), [ask], had, ["x3"])
    assert isinstance(failure, Failure) and ("topologyDomain", 2) in failure.excluded


def test_two_broken_slices_are_completed_each_in_its_rack() -> None:
    ask = gang(4, required="block", slices={"rack": 2})
    had = stood(x1=1, x2=1, x3=1, x4=1)
    assert repaired(centre(x2=2, x4=2), ask, had, "x1", "x3") == {"x2": 2, "x4": 2}


def test_a_slice_lost_whole_may_go_to_another_rack() -> None:
    ask = gang(4, required="block", slices={"rack": 2})
    assert repaired(centre(x1=0, x4=2), ask, stood(x1=2, x3=2), "x3") == {"x1": 2, "x4": 2}
    assert repaired(centre(x1=2, x5=9), ask, stood(x1=2, x3=2), "x3") == {"x1": 4}, "but not to another block"


def test_slices_lost_beside_a_broken_one_go_with_it_if_they_can() -> None:
    ask = gang(6, required="block", slices={"rack": 2})
    had = stood(x1=3, x2=1, x3=2)
    assert repaired(centre(x2=5, x3=2), ask, had, "x1") == {"x2": 4, "x3": 2}, "though x3 would be the tighter fit"
    assert repaired(centre(x2=2, x3=9), ask, had, "x1") == {"x2": 2, "x3": 4}, "one pod completes, two go elsewhere"


def test_pods_that_go_with_a_broken_slice_go_together() -> None:
    """Three pods are lost, and x3 has room for them: one completes a pair, the other pair stands beside it."""
    ask = gang(8, required="block", slices={"rack": 2})
    assert repaired(centre(x3=3, x4=1), ask, stood(x4=5, x1=3), "x1") == {"x4": 5, "x3": 3}


def test_what_is_no_slice_any_more_is_not_mended_by_adding_pods() -> None:
    ask = gang(6, required="block", slices={"rack": 3})
    failure = repair(centre(x1=9, x3=9), [ask], stood(x1=1, x3=4, x2=1), ["x2"])
    assert isinstance(failure, Failure) and failure.cause is Cause.STALE


def test_the_innermost_layer_is_mended_first() -> None:
    ask = gang(8, required="block", slices={"rack": 4, "host": 2})
    had = stood(x1=2, x2=2, x3=2, x4=2)
    assert repaired(centre(x1=9, x2=9, x4=2), ask, had, "x3") == {"x1": 2, "x2": 2, "x4": 4}
    assert isinstance(repair(centre(x1=9, x2=9, x4=1), [ask], had, ["x3"]), Failure), "a pair needs one host"


def test_the_rack_of_a_broken_slice_before_the_block() -> None:
    ask = gang(4, required="block", slices={"block": 4, "rack": 2})
    had = stood(x1=1, x2=1, x3=1, x4=1)
    assert repaired(centre(x1=9, x2=9, x4=1), ask, had, "x3") == {"x1": 1, "x2": 1, "x4": 2}


def test_a_leader_moves_to_its_workers() -> None:
    asks = [gang(1, name="leader", required="rack", group="g"), gang(4, name="workers", required="rack", group="g")]
    had = {**stood("leader", x1=1), **stood("workers", x2=4)}
    found = repair(centre(x2=1, x3=9), asks, had, ["x1"])
    assert not isinstance(found, Failure) and hosts(found["leader"].whole) == {"x2": 1}
    assert hosts(found["workers"].added) == {}
    assert isinstance(repair(centre(x2=0, x3=9), asks, had, ["x1"]), Failure)


def test_slices_are_the_workers_and_not_their_leaders() -> None:
    """A LeaderWorkerSet's annotations stand on both templates."""
    asks = [
        gang(1, name="leader", required="rack", group="g", slices={"rack": 2}),
        gang(4, name="workers", required="rack", group="g", slices={"rack": 2}),
    ]
    found = assign(centre(x1=3, x2=2), asks)
    assert not isinstance(found, Failure) and found["leader"].count == 1
    mended = repair(centre(x2=2), asks, {**stood("leader", x1=1), **stood("workers", x2=4)}, ["x1"])
    assert not isinstance(mended, Failure) and hosts(mended["leader"].whole) == {"x2": 1}


def test_a_node_that_is_gone_but_not_told_of_makes_the_assignment_stale() -> None:
    failure = repair(centre(x1=9), [gang(4)], stood(x2=2, x3=2), ["x2"])
    assert isinstance(failure, Failure) and failure.cause is Cause.STALE and "x3" in failure.message


def test_hosts_alone_name_where_pods_stand_as_kueue_writes_it() -> None:
    had = {"main": Assignment("main", (Part(("x1",), 2), Part(("x2",), 2)))}
    assert repaired(centre(x2=2), gang(4, required="rack"), had, "x1") == {"x2": 4}


def test_a_gang_grows_beside_what_it_has() -> None:
    ask, had = gang(6, required="rack", slices={"rack": 2}), stood(x1=2, x2=2)
    found = grow(centre(x1=1, x2=1, x3=9), [ask], had)
    assert not isinstance(found, Failure) and hosts(found["main"].whole) == {"x1": 3, "x2": 3}
    assert hosts(found["main"].added) == {"x1": 1, "x2": 1}
    assert isinstance(grow(centre(x1=1, x2=0, x3=9), [ask], had), Failure)


def test_a_gang_that_shrinks_keeps_its_first_pods() -> None:
    had = stood(x1=2, x2=2, x3=2)["main"]
    assert hosts(had.first(3)) == {"x1": 2, "x2": 1}
    assert had.first(9) == had and had.first(0).parts == ()


def test_nothing_lost_nothing_moves() -> None:
    assert repaired(centre(x1=0), gang(2), stood(x1=2), "x9") == {"x1": 2}


def test_racks_as_leaves_have_no_nodes_to_replace() -> None:
    racks = data_centre({"b1": {"r1": {"x1": 1}}}, levels=(BLOCK, RACK))
    with pytest.raises(Invalid, match="Topology 'default': levels: a node can be replaced only below"):
        repair(racks, [gang(1, shape=GPU_EACH)], {}, ["x1"])
