"""Flavors that select the same nodes do not give the same room away twice."""

from topology_language import BLOCK, GPU, HOST, RACK, THREE, host

from scheduler_core.topology import Assignment, Capacity, Forest, Part, Topology
from scheduler_core.topology.shared import felt, overlaps

NODES = [host("x1", 4, labels={"pool": "a"}), host("x2", 4, labels={"pool": "a", "new": "yes"}), host("x3", 4)]


def flavor(levels: tuple[str, ...], **labels: str) -> Capacity:
    return Capacity.of(Forest.of(Topology("default", levels), NODES, labels))


def test_what_stands_on_a_shared_host_takes_room_in_both_forests() -> None:
    flavors = {"old": flavor(THREE, pool="a"), "new": flavor((HOST,), new="yes"), "racks": flavor((BLOCK, RACK))}
    others = overlaps(flavors)
    assert others == {"new": ("old",), "old": ("new",)}, "racks know of no hosts"
    stand = Assignment("main", (Part(("b1", "r1", "x1"), 1), Part(("b1", "r1", "x2"), 3)))
    there = dict(felt(flavors, others, "old", stand))
    assert there == {"old": stand, "new": Assignment("main", (Part(("x2",), 3),))}
    for name, assignment in there.items():
        flavors[name].take(assignment, {GPU: 1})
    assert [flavors[name].free[flavors[name].resources.index(GPU)].tolist() for name in there] == [[3, 1], [1]]


def test_flavors_apart_have_nothing_in_common() -> None:
    flavors = {"a": flavor(THREE, new="yes"), "b": flavor(THREE, pool="b")}
    assert overlaps(flavors) == {}
    stand = Assignment("main", (Part(("b1", "r1", "x2"), 1),))
    assert list(felt(flavors, {}, "a", stand)) == [("a", stand)]
