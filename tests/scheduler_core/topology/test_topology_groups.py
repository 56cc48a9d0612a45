"""Several pod sets of one workload: one after another, and leaders beside their workers."""

import pytest
from topology_language import GPU, data_centre, gang, hosts, one_rack, refused

from scheduler_core.errors import SchedulerError
from scheduler_core.model import PodShape
from scheduler_core.topology import Failure, assign

BIG = PodShape(requests={GPU: 4})


def test_what_one_pod_set_takes_the_next_does_not_have() -> None:
    rack = one_rack(4, 3)
    found = assign(rack, [gang(4, name="one", required="host"), gang(3, name="two", required="host")])
    assert (hosts(found["one"]), hosts(found["two"])) == ({"x1": 4}, {"x2": 3})
    failure = assign(rack, [gang(4, name="one", required="host"), gang(4, name="two", required="host")])
    assert isinstance(failure, Failure) and failure.pod_set == "two"
    assert rack.free.tolist() == one_rack(4, 3).free.tolist(), "the capacity is only read"


def test_leader_and_workers_stand_in_one_rack() -> None:
    centre = data_centre({"b1": {"r1": {"x1": 4}, "r2": {"x2": 3, "x3": 3}}})
    alone = assign(centre, [gang(4, name="workers", required="rack")])
    assert hosts(alone["workers"]) == {"x1": 4}
    asks = [gang(1, name="leader", required="rack", group="g"), gang(4, name="workers", required="rack", group="g")]
    led = assign(centre, asks)
    assert {part.domain[:2] for each in led.values() for part in each.parts} == {("b1", "r2")}


def test_the_leader_takes_a_place_that_leaves_enough_for_its_workers() -> None:
    """Workers of three GPUs, a leader of four: on x2 it would cost two of five places, on x1 or x3 one."""
    rack = data_centre({"b1": {"r1": {"x2": 6, "x1": 7, "x3": 4}}})
    workers = gang(4, name="workers", required="rack", group="g", shape=PodShape(requests={GPU: 3}))
    leader = gang(1, name="leader", required="rack", group="g", shape=BIG)
    found = assign(rack, [leader, workers])
    assert hosts(found["leader"]) == {"x1": 1}
    assert hosts(found["workers"]) == {"x1": 1, "x2": 2, "x3": 1}


def test_leader_and_workers_take_the_tightest_host_that_holds_them() -> None:
    asks = [gang(1, name="leader", required="rack", group="g"), gang(3, name="workers", required="rack", group="g")]
    found = assign(one_rack(8, 4), asks)
    assert (hosts(found["leader"]), hosts(found["workers"])) == ({"x2": 1}, {"x2": 3})


def test_without_room_for_the_leader_the_group_waits() -> None:
    asks = [
        gang(1, name="leader", required="rack", group="g", shape=BIG),
        gang(2, name="w", required="rack", group="g"),
    ]
    failure = refused(one_rack(3, 3), *asks)
    assert failure.message == 'topology "default" allows to fit only 6 out of 2 pod(s)', "as Kueue words it"
    assert (failure.pod_set, failure.fits, failure.wanted) == ("leader", 0, 1), "it is the leader that has no place"
    assert failure.binding == GPU


def test_workers_that_fit_only_without_their_leader() -> None:
    asks = [gang(1, name="leader", required="rack", group="g"), gang(4, name="workers", required="rack", group="g")]
    failure = refused(one_rack(4), *asks)
    assert (failure.pod_set, failure.fits, failure.wanted) == ("workers", 3, 4)
    assert failure.binding == GPU


def test_a_leader_without_gpus_stands_on_a_host_full_of_workers() -> None:
    rack = data_centre({"b1": {"r1": {"x1": 4}}})
    leader = gang(1, name="leader", required="host", group="g", shape=PodShape())
    found = assign(rack, [leader, gang(4, name="workers", required="host", group="g")])
    assert hosts(found["leader"]) == {"x1": 1} and hosts(found["workers"]) == {"x1": 4}


def test_a_leader_below_the_slices_level() -> None:
    centre = data_centre({"b1": {"r1": {"x1": 2, "x2": 2}, "r2": {"x3": 2, "x4": 2, "x5": 1}}})
    workers = gang(4, name="workers", required="rack", group="g", slices={"rack": 4})
    found = assign(centre, [workers, gang(1, name="leader", required="rack", group="g")])
    assert {part.domain[1] for each in found.values() for part in each.parts} == {"r2"}


@pytest.mark.parametrize(
    ("asks", "told"),
    [
        ([gang(2, name="a", group="g"), gang(3, name="b", group="g")], "PodSet 'a': count: a leader is one pod, not 2"),
        (
            [gang(1, name=each, group="g") for each in "abc"],
            "PodSet 'c': topology_request.group: holds a leader and its workers, no third",
        ),
        (
            [gang(1, name="a", required="rack", group="g"), gang(3, name="b", required="host", group="g")],
            "PodSet 'a': topology_request: differs from that of 'b' in its group",
        ),
        ([gang(1, name="a"), gang(1, name="a")], "PodSet 'a': name: is taken"),
    ],
)
def test_groups_that_make_no_sense(asks: list, told: str) -> None:
    with pytest.raises(SchedulerError) as error:
        assign(one_rack(4), asks)
    assert str(error.value) == told
