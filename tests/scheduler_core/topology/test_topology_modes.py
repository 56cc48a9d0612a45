"""Required, preferred, unconstrained: which domains a gang gets. Examples from KEP-2724 and from our own design."""

import pytest
from topology_language import BLOCK, KUEUE, RACK, data_centre, gang, one_rack, placed, refused

from scheduler_core.topology import Algorithm, Part, TopologySettings, assign

TWO_BLOCKS = {
    "b1": {"r1": {"x1": 4, "x2": 4}, "r2": {"x3": 2}},
    "b2": {"r3": {"x4": 3, "x5": 3}},
}


def test_a_required_gang_goes_to_the_domain_with_the_least_room_that_holds_it() -> None:
    assert placed(data_centre(TWO_BLOCKS), gang(6, required="rack")) == {"x4": 3, "x5": 3}
    assert placed(data_centre(TWO_BLOCKS), gang(2, required="rack")) == {"x3": 2}
    assert placed(data_centre(TWO_BLOCKS), gang(7, required="rack")) == {"x1": 4, "x2": 3}
    assert placed(data_centre(TWO_BLOCKS), gang(9, required="block")) == {"x1": 4, "x2": 4, "x3": 1}


def test_a_required_gang_that_no_domain_holds_is_not_split() -> None:
    assert refused(data_centre(TWO_BLOCKS), gang(9, required="rack")).closest == ("b1", "r1")


def test_a_preferred_gang_climbs_until_one_domain_holds_it() -> None:
    centre = data_centre(TWO_BLOCKS)
    assert placed(centre, gang(3, preferred="host")) == {"x4": 3}
    assert placed(centre, gang(8, preferred="host")) == {"x1": 4, "x2": 4}
    assert placed(centre, gang(10, preferred="rack")) == {"x1": 4, "x2": 4, "x3": 2}


def test_a_preferred_gang_beyond_every_domain_takes_as_few_of_the_widest_as_hold_it() -> None:
    assert placed(data_centre(TWO_BLOCKS), gang(12, preferred="rack")) == {"x1": 4, "x2": 4, "x4": 3, "x5": 1}
    three = data_centre({"b1": {"r": {"x1": 5}}, "b2": {"r": {"x2": 4}}, "b3": {"r": {"x3": 2}}})
    assert placed(three, gang(7, preferred="host")) == {"x1": 5, "x3": 2}


def test_below_the_chosen_domain_the_fewest_racks_and_then_the_fewest_hosts_are_used() -> None:
    racks = {"r1": {"x1": 2, "x2": 2}, "r2": {"x3": 3, "x4": 1}, "r3": {"x5": 2, "x6": 3}}
    assert placed(data_centre({"b1": racks}), gang(5, required="block")) == {"x5": 2, "x6": 3}


@pytest.mark.parametrize(
    ("free", "pods", "want"),
    [
        ((3, 3, 2, 1), 7, {"x1": 3, "x2": 3, "x4": 1}),  # KEP-2724: the last host is the tightest that holds the rest
        ((8, 8, 8, 4), 20, {"x1": 8, "x2": 8, "x4": 4}),
        ((5, 3, 3), 3, {"x2": 3}),
        ((5, 5), 5, {"x1": 5}),  # equals: the earlier name
    ],
)
def test_best_fit(free: tuple[int, ...], pods: int, want: dict[str, int]) -> None:
    assert placed(one_rack(*free), gang(pods, required="rack")) == want
    assert placed(one_rack(*free), gang(pods, required="rack"), settings=KUEUE) == want


@pytest.mark.parametrize(
    ("free", "pods", "exact", "greedy"),
    [
        ((19, 10, 10), 20, {"x2": 10, "x3": 10}, {"x1": 19, "x2": 1}),
        ((8, 7, 5, 4), 12, {"x1": 8, "x4": 4}, {"x1": 8, "x4": 4}),
        ((9, 7, 5, 4), 12, {"x2": 7, "x3": 5}, {"x1": 9, "x4": 3}),
        ((9, 9, 6, 6, 5), 21, {"x1": 9, "x3": 6, "x4": 6}, {"x1": 9, "x2": 9, "x5": 3}),
        ((9, 6, 1), 12, {"x1": 9, "x2": 3}, {"x1": 9, "x2": 3}),  # nothing fits exactly: greed
    ],
)
def test_an_exact_fit_in_as_few_domains_comes_before_the_greedy_one(
    free: tuple[int, ...], pods: int, exact: dict[str, int], greedy: dict[str, int]
) -> None:
    assert placed(one_rack(*free), gang(pods, required="rack")) == exact
    assert placed(one_rack(*free), gang(pods, required="rack"), settings=KUEUE) == greedy


def test_exact_fits_are_looked_for_among_blocks_and_racks_too() -> None:
    blocks = {"b1": {"r": {"x1": 19}}, "b2": {"r": {"x2": 10}}, "b3": {"r": {"x3": 10}}}
    assert placed(data_centre(blocks), gang(20, preferred="rack")) == {"x2": 10, "x3": 10}


def test_an_unconstrained_gang_fills_the_smallest_gaps() -> None:
    assert placed(one_rack(3, 3, 2, 1), gang(7)) == {"x1": 3, "x2": 1, "x3": 2, "x4": 1}  # KEP-2724
    assert placed(one_rack(5, 4, 2, 0), gang(3)) == {"x2": 3}, "one host that holds all of it, the tightest"
    racks = {"b1": {"r1": {"x1": 3, "x2": 3}, "r2": {"x3": 1, "x4": 2}}}
    assert placed(data_centre(racks), gang(5)) == {"x1": 2, "x3": 1, "x4": 2}, "though one rack would hold it"
    best_fit = TopologySettings(unconstrained=Algorithm.BEST_FIT)
    assert placed(one_rack(3, 3, 2, 1), gang(7), settings=best_fit) == {"x1": 3, "x2": 3, "x4": 1}


def test_levels_need_not_end_at_hosts() -> None:
    centre = data_centre(TWO_BLOCKS, levels=(BLOCK, RACK))
    found = assign(centre, [gang(6, required="rack")])
    assert found["main"].parts == (Part(("b2", "r3"), 6),)


def test_equal_racks_of_different_blocks_are_different_racks() -> None:
    centre = data_centre({"b1": {"r1": {"x1": 2}}, "b2": {"r1": {"x2": 2}}})
    assert refused(centre, gang(3, required="rack")).fits == 2


def test_a_gang_of_no_pods_is_placed_nowhere() -> None:
    assert placed(one_rack(1), gang(0, required="rack")) == {}


@pytest.mark.parametrize(
    ("blocks", "pods", "slices", "want"),
    [  # KEP-2724, "Balanced placement": rooms by rack and host, racks preferred
        ({"b": {"r1": {"a": 15}, "r2": {"b": 15}}}, 25, None, {"a": 13, "b": 12}),
        ({"b": {"r1": {"a": 15, "b": 13, "c": 10}}}, 23, None, {"a": 12, "b": 11}),
        ({"b": {"r1": {"a": 20, "b": 10}, "r2": {"c": 15, "d": 15}}}, 22, None, {"c": 11, "d": 11}),
        ({"b": {"r1": {"a": 20, "b": 10}, "r2": {"c": 15, "d": 15}}}, 20, None, {"a": 20}),
        ({"b": {"r1": {"a": 10, "b": 5}, "r2": {"c": 5, "d": 5, "e": 5}}}, 15, None, {"c": 5, "d": 5, "e": 5}),
        ({"b1": {"r1": {"a": 15}, "r2": {"b": 15}}, "b2": {"r": {"c": 15, "d": 15}}}, 25, None, {"c": 13, "d": 12}),
        ({"b": {"r1": {"a": 15}, "r2": {"b": 15}, "r3": {"c": 15, "d": 15}}}, 25, {"host": 5}, {"c": 15, "d": 10}),
    ],
)
def test_balanced_placement(
    blocks: dict[str, dict[str, dict[str, int]]], pods: int, slices: dict[str, int] | None, want: dict[str, int]
) -> None:
    even = TopologySettings(balanced=True)
    assert placed(data_centre(blocks), gang(pods, preferred="rack", slices=slices), settings=even) == want


def test_balanced_placement_over_many_hosts_takes_the_roomiest_without_a_long_search() -> None:
    blocks = {"b1": {"r1": {f"x{number:03}": 990 + number % 11 for number in range(300)}}}
    even = TopologySettings(balanced=True)
    found = placed(data_centre(blocks), gang(99_200, preferred="rack"), settings=even)
    rooms = blocks["b1"]["r1"]
    assert (sum(found.values()), len(found)) == (99_200, 100)
    assert set(found) == set(sorted(rooms, key=lambda name: (-rooms[name], name))[: len(found)])


def test_balanced_placement_falls_back_where_one_domain_above_does_not_hold_it() -> None:
    blocks = {"b1": {"r1": {"a": 5}}, "b2": {"r2": {"b": 4}}}
    even = TopologySettings(balanced=True)
    assert placed(data_centre(blocks), gang(8, preferred="rack"), settings=even) == {"a": 5, "b": 3}
