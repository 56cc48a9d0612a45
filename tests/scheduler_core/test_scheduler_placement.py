"""Where the pods go: which nodes are preferred, and that what can be placed is placed."""

from itertools import product

import pytest
from hypothesis import given, strategies as st
from schedule_language import GPU, cluster

from scheduler_core import (
    Node,
    NodeTerm,
    Pod,
    PodSet,
    PodShape,
    Refusal,
    Requirement,
    Settings,
    Taint,
    Toleration,
    Unknown,
    place_pods,
)
from scheduler_core.eligibility import Barrier, barrier
from scheduler_core.placement import Demand, place
from scheduler_core.policies import POLICIES, policy
from tests.tried import tried


def put(rooms, pods, gpus=1, name="bestfit"):
    """Pods of so many GPUs onto nodes with so many free; how many pods each node got."""
    nodes = {node: Node(node, {GPU: free}) for node, free in rooms.items()}
    demand = Demand("d", PodShape(requests={GPU: gpus}), pods)
    placed = place(nodes, {node: each.allocatable for node, each in nodes.items()}, [demand], policy(name))
    return None if placed is None else {node: placed["d"].count(node) for node in sorted(set(placed["d"]))}


@pytest.mark.parametrize(
    ("rooms", "pods", "gpus", "expected"),
    [
        ({"a": 8, "b": 4}, 1, 4, {"b": 1}),  # the node that is filled exactly
        ({"a": 8, "b": 5}, 1, 4, {"b": 1}),  # else the one left with least
        ({"a": 19, "b": 10, "c": 10}, 20, 1, {"b": 10, "c": 10}),  # exact fits before greedy ones
        ({"a": 20, "b": 18, "c": 10}, 18, 1, {"b": 18}),  # fewest nodes
        ({"a": 10, "b": 4, "c": 4, "d": 4, "e": 2}, 12, 1, {"a": 10, "e": 2}),  # 10 + 2, not 4 + 4 + 4
        ({"b": 8, "a": 8}, 1, 8, {"a": 1}),  # ties by name
        ({"a": 8, "b": 8, "c": 3}, 3, 4, {"a": 2, "b": 1}),  # a node too small for a pod is left alone
        ({"a": 7, "b": 7}, 4, 4, None),  # 14 free, 16 wanted
        ({"a": 7, "b": 7}, 3, 4, None),  # enough in total, but in pieces
    ],
)
def test_bestfit(rooms, pods, gpus, expected):
    assert put(rooms, pods, gpus) == expected


def test_binpack_fills_the_fullest_node_and_spread_the_emptiest():
    assert put({"a": 8, "b": 5, "c": 6}, 3, name="binpack") == {"b": 3}
    assert put({"a": 8, "b": 5, "c": 6}, 3, name="spread") == {"a": 3}
    assert put({"a": 3, "b": 3}, 4, name="spread") == {"a": 2, "b": 2}


def test_a_gang_may_have_pods_that_ask_for_nothing_beside_pods_that_ask_for_processors():
    node = Node("n", {"cpu": 4000})
    demands = [Demand("head", PodShape(requests={}), 1), Demand("worker", PodShape(requests={"cpu": 1000}), 2)]
    assert place({"n": node}, {"n": node.allocatable}, demands, policy("bestfit")) == {
        "head": ("n",),
        "worker": ("n", "n"),
    }


def test_an_unknown_policy_is_named():
    with pytest.raises(Unknown, match=r"Policy 'roulette'.*bestfit, binpack, spread"):
        Settings(policy="roulette")


def test_a_pod_without_gpus_stays_off_gpu_nodes():
    world = cluster().node("a-gpu", 8, resources={"cpu": 64}).node("z-cpu", 0, resources={"cpu": 64})
    assert place_pods(world.snapshot, [Pod(name="web", requests={"cpu": 4})]) == {"web": "z-cpu"}


def test_a_node_that_counts_pods_holds_no_more_of_them():
    world = cluster().node("a", 8, resources={"pods": 1}).node("b", 8, resources={"pods": 2})
    pods = [Pod(name=f"p{index}", requests={GPU: 1}) for index in range(4)]
    assert isinstance(place_pods(world.snapshot, pods), Refusal)
    assert sorted(place_pods(world.snapshot, pods[:3]).values()) == ["a", "b", "b"]


NODE = Node("n", {}, labels={"zone": "a", "size": "8"}, taints=(Taint("gpu", "yes"),))
ANY = (Toleration(operator="Exists"),)


def needs(*requirements):
    return PodShape(tolerations=ANY, required_node_affinity=(NodeTerm(requirements),))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (PodShape(tolerations=ANY), None),
        (PodShape(), Barrier.TAINT),
        (PodShape(tolerations=(Toleration("gpu", value="yes"),)), None),
        (PodShape(tolerations=(Toleration("gpu", value="no"),)), Barrier.TAINT),
        (PodShape(tolerations=(Toleration("gpu", "Exists", effect="NoExecute"),)), Barrier.TAINT),
        (PodShape(tolerations=ANY, node_selector={"zone": "b"}), Barrier.SELECTOR),
        (PodShape(tolerations=ANY, excluded_nodes=frozenset({"n"})), Barrier.EXCLUDED),
        (needs(Requirement("zone", "In", ("a", "c"))), None),
        (needs(Requirement("zone", "NotIn", ("a",))), Barrier.AFFINITY),
        (needs(Requirement("rack", "NotIn", ("a",))), None),
        (needs(Requirement("rack", "Exists")), Barrier.AFFINITY),
        (needs(Requirement("rack", "DoesNotExist")), None),
        (needs(Requirement("size", "Gt", ("7",)), Requirement("size", "Lt", ("9",))), None),
        (needs(Requirement("size", "Gt", ("8",))), Barrier.AFFINITY),
    ],
)
def test_what_keeps_a_pod_off_a_node(shape, expected):
    assert barrier(NODE, shape) == expected


def test_a_cordon_is_a_taint_that_can_be_tolerated_and_a_node_not_ready_is_not():
    cordoned, broken = Node("n", {}, unschedulable=True), Node("n", {}, ready=False)
    assert barrier(cordoned, PodShape()) is Barrier.CORDONED
    assert barrier(cordoned, PodShape(tolerations=ANY)) is None
    assert barrier(broken, PodShape(tolerations=ANY)) is Barrier.NOT_READY


def test_pods_of_a_gang_are_refused_one_by_one_while_it_would_stay_too_small():
    world = cluster().nodes(4).gang("g", pods=3).running("g", "gpu-0")
    members = [Pod(name=f"g-main-{index}", gang="g", requests={GPU: 8}) for index in (1, 2)]
    alone = place_pods(world.snapshot, members[:1])
    assert isinstance(alone, Refusal)
    assert (alone.code, alone.remedy) == ("BelowMinimum", "place 1 more of its pods at the same time")
    assert place_pods(world.snapshot, members) == {"g-main-1": "gpu-1", "g-main-2": "gpu-2"}


def test_single_pods_are_refused_with_the_reason_a_gang_would_get():
    world = cluster().node("a", 4).node("b", 4)
    refused = place_pods(world.snapshot, [Pod(name="p", requests={GPU: 8})])
    assert isinstance(refused, Refusal)
    assert (refused.code, "the largest node it may use has 4" in refused.message) == ("PodTooLarge", True)


# -- a reference that tries everything ---------------------------------------------------------------------------------


def can_be_placed(rooms, pods):
    """Every pod on every node: is there a way?"""
    for where in product(range(len(rooms)), repeat=len(pods)):
        used = [0] * len(rooms)
        for size, node in zip(pods, where, strict=True):
            used[node] += size
        if all(u <= room for u, room in zip(used, rooms, strict=True)):
            return True
    return False


@tried(150)
@given(
    st.lists(st.integers(0, 8), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=2),
    st.sampled_from([name for name, _ in POLICIES]),
)
def test_what_can_be_placed_is_placed_and_nothing_else(rooms, sets, name):
    nodes = {f"n{index}": Node(f"n{index}", {GPU: room}) for index, room in enumerate(rooms)}
    demands = [Demand(f"d{index}", PodShape(requests={GPU: gpus}), count) for index, (gpus, count) in enumerate(sets)]
    placed = place(nodes, {node: each.allocatable for node, each in nodes.items()}, demands, policy(name))
    assert (placed is not None) == can_be_placed(rooms, [gpus for gpus, count in sets for _ in range(count)])
    if placed is not None:
        assert [len(placed[each.key]) for each in demands] == [each.count for each in demands]
        for node, each in nodes.items():
            assert sum(d.shape.requests[GPU] * placed[d.key].count(node) for d in demands) <= each.allocatable[GPU]


def test_unlike_pod_sets_are_searched_where_greed_fails():
    """Best fit puts the 3 on the node of 4, where it leaves least; then only two of the three 2s find room."""
    world = cluster().node("a", 5).node("b", 4)
    world.gang_of("g", PodSet(name="x", count=1, requests={GPU: 3}), PodSet(name="y", count=3, requests={GPU: 2}))
    world.run()
    assert world.nodes_of("g") == ["a", "a", "b", "b"]
