"""What would let a pod set in: done, it fits; with less, it does not. Against exhaustive search on small forests."""

from itertools import product

from hypothesis import given, strategies as st
from topology_language import GPU, HOST, LABELS, RACK, data_centre, gang, one_rack, refused

from scheduler_core.model import Node, PodShape
from scheduler_core.topology import Capacity, Failure, Forest, Topology, assign
from scheduler_core.topology.assignment import Assignment, Part
from scheduler_core.topology.relief import Barred, Relief, TooLarge, relief, with_freed
from tests.tried import tried

CPU = "cpu"


def told(failure: Failure) -> Relief | TooLarge | Barred:
    assert failure.search is not None
    return relief(failure.search)


def used(capacity: Capacity, **taken: int) -> Capacity:
    """GPUs in use by host, whether there is room or not."""
    for host, gpus in taken.items():
        (path,) = [path for path in capacity.forest.leaves.paths if path[-1] == host]
        capacity.use(Assignment("other", (Part(path, 1),)), {GPU: gpus, "pods": 0})
    return capacity


def freed(found: Relief) -> dict[str, int]:
    return {path[-1]: amount for path, resource, amount in found.free if resource == GPU}


PAIRS = PodShape(requests={GPU: 2})


def test_what_is_left_over_on_nodes_counts() -> None:
    """3, 3 and 2 of 8 are free: three pairs fit, and one GPU beside a single one makes the fourth."""
    rack = used(one_rack(8, 8, 8), x1=5, x2=5, x3=6)
    found = told(refused(rack, gang(4, required="rack", shape=PAIRS)))
    assert isinstance(found, Relief) and (freed(found), found.add) == ({"x1": 1}, 1)


def test_a_pod_larger_than_any_node_can_never_be_helped_by_freeing() -> None:
    found = told(refused(used(one_rack(4, 6), x2=6), gang(2, required="rack", shape=PodShape(requests={GPU: 8}))))
    assert found == TooLarge("main", GPU, 8, 6)
    found = told(refused(one_rack(4), gang(1, shape=PodShape(requests={"tpu": 1}))))
    assert found == TooLarge("main", "tpu", 1, 0)


def test_a_domain_that_could_not_hold_it_empty_needs_nodes() -> None:
    centre = data_centre({"b1": {"r1": {"x1": 4, "x2": 2}, "r2": {"x3": 4}}})
    found = told(refused(used(centre, x1=1), gang(8, required="rack")))
    assert isinstance(found, Relief)
    assert (found.domain, found.free, found.add, found.most) == (("b1", "r1"), (), 3, 6)


def test_the_domain_where_least_must_come_free() -> None:
    """r1 has more room, r2 could be helped with less: r1 is too small to hold the gang at all."""
    centre = data_centre({"b1": {"r1": {"x1": 5}, "r2": {"x2": 8}}})
    found = told(refused(used(centre, x2=5), gang(6, required="rack")))
    assert isinstance(found, Relief) and (found.domain, freed(found)) == (("b1", "r2"), {"x2": 3})


def test_nodes_that_keep_it_out_are_no_remedy() -> None:
    shape = PodShape(requests={GPU: 1}, node_selector={"kind": "other"})
    assert told(refused(one_rack(4), gang(1, required="rack", shape=shape))) == Barred("main")


def test_a_slice_needs_its_rest_in_its_own_rack() -> None:
    """Slices of 4 to a rack: 3 and 3 are free, so one more in either rack makes one slice, two make both."""
    centre = used(data_centre({"b1": {"r1": {"x1": 4}, "r2": {"x2": 4}}}), x1=1, x2=1)
    found = told(refused(centre, gang(8, required="block", slices={"rack": 4})))
    assert isinstance(found, Relief) and freed(found) == {"x1": 1, "x2": 1}


def test_the_leader_is_paid_for_too() -> None:
    centre = used(one_rack(4, 4), x1=4, x2=1)
    asks = (gang(3, name="workers", required="rack", group="g"), gang(1, name="leader", required="rack", group="g"))
    found = told(refused(centre, *asks))
    assert isinstance(found, Relief) and sum(freed(found).values()) == 1


def test_an_over_full_node_owes_before_it_has_room() -> None:
    found = told(refused(used(one_rack(4, 4), x1=6, x2=3), gang(2, required="host")))
    assert isinstance(found, Relief) and freed(found) == {"x2": 1}
    found = told(refused(used(one_rack(4), x1=6), gang(1, required="host")))
    assert isinstance(found, Relief) and freed(found) == {"x1": 3}


# -- against exhaustive search -----------------------------------------------------------------------------------------

HOSTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("rs"), st.integers(0, 5), st.integers(0, 5)),
    min_size=1,
    max_size=4,
)
SLICES = st.sampled_from([{}, {}, {"rack": 2}, {"host": 2}, {"rack": 4, "host": 2}])


def centre_of(hosts: list[tuple[str, str, int, int]]) -> Capacity:
    blocks: dict[str, dict[str, dict[str, int]]] = {}
    for number, (block, rack, gpus, _) in enumerate(hosts):
        blocks.setdefault(block, {}).setdefault(rack, {})[f"x{number}"] = gpus
    return used(
        data_centre(blocks), **{f"x{n}": taken for n, (_, _, gpus, taken) in enumerate(hosts) if gpus and taken}
    )


def least_to_free(capacity: Capacity, hosts: list[tuple[str, str, int, int]], asks: list) -> int | None:
    """Over all ways to free GPUs that are there and in use, the one that frees least and lets it in."""
    taken = [min(each[3], 99) if each[2] else 0 for each in hosts]
    best: int | None = None
    for way in product(*(range(each + 1) for each in taken)):
        if best is not None and sum(way) >= best:
            continue
        after = capacity.fork()
        for number, amount in enumerate(way):
            at = next(row for row, path in enumerate(after.forest.leaves.paths) if path[-1] == f"x{number}")
            after.free[after.row_of[GPU], at] += amount
        if not isinstance(assign(after, asks), Failure):
            best = sum(way)
    return best


@given(
    HOSTS,
    st.integers(1, 6),
    st.integers(1, 3),
    st.sampled_from(["block", "rack", "host", None]),
    st.booleans(),
    SLICES,
    st.integers(0, 2),
)
@tried(600)
def test_doing_it_lets_the_gang_in_and_doing_less_does_not(hosts, pods, each, level, required, slices, leader) -> None:
    if slices:
        size = next(iter(slices.values()))
        pods = max(1, pods // size) * size
        level = "block" if level == "host" else level
    shape = PodShape(requests={GPU: each})
    mode = {} if level is None else {"required" if required else "preferred": level}
    if slices and level == "rack" and "host" in slices and "rack" not in slices:
        mode = {"required": "rack"}
    asks = [gang(pods, name="workers", slices=slices, shape=shape, group="g" if leader else None, **mode)]
    if leader:
        asks.append(gang(1, name="leader", shape=PodShape(requests={GPU: leader}), group="g", **mode))
    capacity = centre_of(hosts)
    found = assign(capacity, asks)
    if not isinstance(found, Failure):
        return
    remedy, least = told(found), least_to_free(capacity, hosts, asks)
    if not isinstance(remedy, Relief) or not remedy.free:
        assert least is None, (remedy, least)
        return
    assert not isinstance(assign(with_freed(capacity, remedy), asks), Failure)
    if leader in (0, each):  # else a leader's GPU counts as another part of a pod than a worker's
        assert sum(amount for _, _, amount in remedy.free) == least


@given(HOSTS, st.integers(1, 6), st.integers(1, 3), st.sampled_from(["block", "rack", None]))
@tried(200)
def test_nodes_added_there_let_the_gang_in_and_fewer_do_not(hosts, pods, each, level) -> None:
    shape = PodShape(requests={GPU: each})
    ask = gang(pods, shape=shape, **({"required": level} if level else {}))
    capacity = centre_of(hosts)
    found = assign(capacity, [ask])
    if not isinstance(found, Failure):
        return
    remedy = told(found)
    if isinstance(remedy, Relief):
        assert not isinstance(assign(with_node(capacity, remedy, remedy.add * each), [ask]), Failure)
        assert isinstance(assign(with_node(capacity, remedy, remedy.add * each - 1), [ask]), Failure)


def with_node(capacity: Capacity, remedy: Relief, gpus: int) -> Capacity:
    block, rack = (*remedy.domain, "a", "new")[:2] if len(remedy.domain) != 1 else (remedy.domain[0], "new")
    node = Node("new", {GPU: gpus}, {LABELS["block"]: block, RACK: rack, HOST: "new"})
    nodes = [node for members in capacity.forest.nodes for node in members]
    more = Capacity.of(Forest.of(capacity.forest.topology, [*nodes, node]))
    for row, path in enumerate(capacity.forest.leaves.paths):
        at = more.forest.domain(path)
        assert at is not None
        for resource in capacity.resources:
            more.free[more.row_of[resource], at[1]] = capacity.free[capacity.row_of[resource], row]
    return more


TWO = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=3
)


@given(TWO, st.integers(1, 4), st.integers(1, 2), st.integers(1, 2))
@tried(200)
def test_of_two_resources_nothing_that_is_told_can_be_left_out(hosts, pods, gpus, cpus) -> None:
    nodes = [
        Node(f"x{n}", {GPU: g, CPU: c}, {LABELS["block"]: "b", RACK: "r", HOST: f"x{n}"})
        for n, (g, c, _, _) in enumerate(hosts)
    ]
    capacity = Capacity.of(Forest.of(Topology("default", (LABELS["block"], RACK, HOST)), nodes))
    for n, (_, _, g, c) in enumerate(hosts):
        capacity.use(Assignment("other", (Part((f"x{n}",), 1),)), {GPU: min(g, hosts[n][0]), CPU: min(c, hosts[n][1])})
    ask = gang(pods, required="rack", shape=PodShape(requests={GPU: gpus, CPU: cpus}))
    found = assign(capacity, [ask])
    if not isinstance(found, Failure) or not isinstance(remedy := told(found), Relief) or not remedy.free:
        return
    assert not isinstance(assign(with_freed(capacity, remedy), [ask]), Failure)
    for path, resource, _ in remedy.free:
        after = with_freed(capacity, remedy)
        at = after.forest.domain(path)
        assert at is not None
        after.free[after.row_of[resource], at[1]] -= 1
        assert isinstance(assign(after, [ask]), Failure)
