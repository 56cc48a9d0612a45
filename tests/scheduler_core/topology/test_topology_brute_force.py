"""Against exhaustive search on small forests: found iff there is one, and as few domains as can be.

The reference tries every way to put so many pods on each host, and judges it by the rules alone.
"""

from collections.abc import Iterator
from itertools import combinations, product

from hypothesis import given, strategies as st
from topology_language import GPU, LABELS, Blocks, data_centre, gang, hosts

from scheduler_core.model import PodShape
from scheduler_core.topology import Failure, assign
from scheduler_core.topology.exact import exact_values
from tests.tried import tried

LEVELS = ("block", "rack", "host")
Ways = tuple[int, ...]


@st.composite
def forests(draw: st.DrawFn, hosts_at_most: int = 5, room_at_most: int = 4) -> Blocks:
    count = draw(st.integers(1, hosts_at_most))
    blocks: dict[str, dict[str, dict[str, int]]] = {}
    for number in range(count):
        block, rack = draw(st.sampled_from(["b1", "b2"])), draw(st.sampled_from(["r1", "r2"]))
        blocks.setdefault(block, {}).setdefault(rack, {})[f"x{number}"] = draw(st.integers(0, room_at_most))
    return blocks


def flat(blocks: Blocks) -> list[tuple[tuple[str, str, str], int]]:
    found = [
        ((b, r, h), room) for b, racks in blocks.items() for r, in_it in racks.items() for h, room in in_it.items()
    ]
    return sorted(found)


def ways(blocks: Blocks, pods: int) -> Iterator[Ways]:
    """All ways to place so many pods, whatever the topology."""
    rooms = [room for _, room in flat(blocks)]
    return (each for each in product(*(range(room + 1) for room in rooms)) if sum(each) == pods)


def by(blocks: Blocks, way: Ways, level: str) -> dict[tuple[str, ...], int]:
    depth = LEVELS.index(level) + 1
    sums: dict[tuple[str, ...], int] = {}
    for (path, _), pods in zip(flat(blocks), way, strict=True):
        if pods:
            sums[path[:depth]] = sums.get(path[:depth], 0) + pods
    return sums


def keeps_slices(blocks: Blocks, way: Ways, slices: dict[str, int]) -> bool:
    return all(pods % size == 0 for level, size in slices.items() for pods in by(blocks, way, level).values())


SLICES = st.sampled_from([{}, {"rack": 2}, {"host": 2}, {"rack": 3}, {"rack": 4, "host": 2}, {"block": 4, "rack": 2}])


@given(forests(), st.integers(1, 8), st.sampled_from(LEVELS), SLICES)
@tried(400)
def test_required_is_found_exactly_if_there_is_a_way(
    blocks: Blocks, pods: int, level: str, slices: dict[str, int]
) -> None:
    if slices:
        size = next(iter(slices.values()))
        pods = max(1, pods // size) * size
        level = min((level, next(iter(slices))), key=LEVELS.index)
    found = assign(data_centre(blocks), [gang(pods, required=level, slices=slices)])
    good = [w for w in ways(blocks, pods) if len(by(blocks, w, level)) == 1 and keeps_slices(blocks, w, slices)]
    assert isinstance(found, Failure) == (not good)
    if not isinstance(found, Failure):
        stand = hosts(found["main"])
        assert tuple(stand.get(path[-1], 0) for path, _ in flat(blocks)) in good


@given(forests(), st.integers(1, 8), SLICES)
@tried(200)
def test_unconstrained_is_found_exactly_if_there_is_a_way(blocks: Blocks, pods: int, slices: dict[str, int]) -> None:
    if slices:
        size = next(iter(slices.values()))
        pods = max(1, pods // size) * size
    found = assign(data_centre(blocks), [gang(pods, slices=slices)])
    good = [w for w in ways(blocks, pods) if keeps_slices(blocks, w, slices)]
    assert isinstance(found, Failure) == (not good)
    if not isinstance(found, Failure):
        assert tuple(hosts(found["main"]).get(path[-1], 0) for path, _ in flat(blocks)) in good


@given(forests(hosts_at_most=6), st.integers(1, 10), st.sampled_from(LEVELS))
@tried(300)
def test_preferred_takes_the_nearest_level_and_the_fewest_domains_there(blocks: Blocks, pods: int, level: str) -> None:
    found = assign(data_centre(blocks), [gang(pods, preferred=level)])
    good = list(ways(blocks, pods))
    assert isinstance(found, Failure) == (not good)
    if isinstance(found, Failure):
        return
    way = tuple(hosts(found["main"]).get(path[-1], 0) for path, _ in flat(blocks))
    assert way in good
    climb = LEVELS[LEVELS.index(level) :: -1]
    nearest = next((each for each in climb if any(len(by(blocks, w, each)) == 1 for w in good)), None)
    if nearest is not None:
        assert len(by(blocks, way, nearest)) == 1
    else:
        assert len(by(blocks, way, "block")) == min(len(by(blocks, w, "block")) for w in good)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=7), st.integers(1, 40))
@tried(400)
def test_of_equally_few_hosts_those_that_are_filled(rooms: list[int], pods: int) -> None:
    rack = {"b1": {"r1": {f"x{number}": room for number, room in enumerate(rooms)}}}
    found = assign(data_centre(rack), [gang(pods, required="rack")])
    assert isinstance(found, Failure) == (sum(rooms) < pods)
    if isinstance(found, Failure):
        return
    stand = hosts(found["main"])
    fewest = next(k for k in range(1, len(rooms) + 1) if any(sum(each) >= pods for each in combinations(rooms, k)))
    assert len(stand) == fewest
    left_over = sum(rack["b1"]["r1"][name] for name in stand) - pods
    assert (left_over == 0) == any(sum(each) == pods for each in combinations(rooms, fewest))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(1, 100))
@tried(400)
def test_exact_values_are_those_of_a_subset(rooms: list[int], need: int) -> None:
    rooms.sort(reverse=True)
    k = next((k for k in range(1, len(rooms) + 1) if sum(rooms[:k]) >= need), None)
    if k is None:
        return
    found = exact_values(rooms, need, k)
    fits = any(sum(each) == need for each in combinations(rooms, k))
    assert (found is not None) == (fits and sum(rooms[:k]) != need)
    if found is not None:
        assert sum(found.values()) == k and sum(room * count for room, count in found.items()) == need
        assert all(0 < count <= rooms.count(room) for room, count in found.items())


@given(
    forests(hosts_at_most=4),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from(LEVELS),
    st.sampled_from([None, "rack"]),
)
@tried(400)
def test_leader_and_workers_are_found_exactly_if_there_is_a_way(
    blocks: Blocks, pods: int, leader_gpus: int, level: str, sliced: str | None
) -> None:
    slices: dict[str, int] = {}
    if sliced is not None:
        pods, slices, level = pods * 2, {"rack": 2}, min((level, "rack"), key=LEVELS.index)
    leader = gang(1, name="leader", required=level, group="g", shape=PodShape(requests={GPU: leader_gpus}))
    workers = gang(pods, name="workers", required=level, group="g", slices=slices)
    if pods == 1:
        return  # which of two single pods leads is a matter of order
    found = assign(data_centre(blocks), [leader, workers])
    depth = LEVELS.index(level) + 1
    good = []
    for number, (path, room) in enumerate(flat(blocks)):
        if room >= leader_gpus:
            for way in ways(blocks, pods):
                together = {each[:depth] for (each, _), count in zip(flat(blocks), way, strict=True) if count}
                fits = way[number] + leader_gpus <= room
                if fits and together == {path[:depth]} and keeps_slices(blocks, way, slices):
                    good.append((path[-1], way))
    assert isinstance(found, Failure) == (not good)
    if not isinstance(found, Failure):
        way = tuple(hosts(found["workers"]).get(path[-1], 0) for path, _ in flat(blocks))
        assert (next(iter(hosts(found["leader"]))), way) in good


def test_labels_are_those_of_the_levels() -> None:
    assert tuple(LABELS) == LEVELS


@given(
    forests(hosts_at_most=4),
    st.integers(2, 5),
    st.integers(1, 3),
    st.sampled_from(["block", "rack", "host", None]),
    st.booleans(),
)
@tried(300)
def test_a_group_that_may_spread_is_found_exactly_if_there_is_a_way(
    blocks: Blocks, pods: int, leader_gpus: int, level: str | None, sliced: bool
) -> None:
    slices: dict[str, int] = {}
    if sliced:
        pods, slices, level = pods * 2, {"rack": 2}, level and min((level, "rack"), key=LEVELS.index)
    leader = gang(1, name="leader", preferred=level, group="g", shape=PodShape(requests={GPU: leader_gpus}))
    workers = gang(pods, name="workers", preferred=level, group="g", slices=slices)
    found = assign(data_centre(blocks), [leader, workers])
    good = [
        (path[-1], way)
        for number, (path, room) in enumerate(flat(blocks))
        for way in ways(blocks, pods)
        if way[number] + leader_gpus <= room and keeps_slices(blocks, way, slices)
    ]
    assert isinstance(found, Failure) == (not good)
    if not isinstance(found, Failure):
        way = tuple(hosts(found["workers"]).get(path[-1], 0) for path, _ in flat(blocks))
        assert (next(iter(hosts(found["leader"]))), way) in good
