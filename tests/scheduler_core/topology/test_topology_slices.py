"""Slices stay within one domain of their level, in one layer or in several."""

import pytest
from topology_language import HOST, KUEUE, RACK, data_centre, gang, one_rack, placed, refused

from scheduler_core.topology import assign

RACKS = {"b1": {"r1": {"x1": 1, "x2": 4}, "r2": {"x3": 3, "x4": 4}}}


def test_pairs_on_hosts_as_in_the_kep() -> None:
    rack = one_rack(6, 5, 4, 3, 2)
    assert placed(rack, gang(12, required="rack", slices={"host": 2})) == {"x1": 6, "x3": 4, "x5": 2}
    assert placed(rack, gang(10, slices={"host": 2})) == {"x2": 2, "x3": 4, "x4": 2, "x5": 2}


def test_a_slice_is_never_split_over_racks() -> None:
    two = data_centre({"b1": {"r1": {"x1": 3}, "r2": {"x2": 3}}})
    assert placed(two, gang(4, required="block", slices={"rack": 2})) == {"x1": 2, "x2": 2}
    failure = refused(two, gang(6, required="block", slices={"rack": 2}))
    assert failure.message == 'topology "default" allows to fit only 2 out of 3 slice(s)'
    assert (failure.fits, failure.fits_without_topology) == (4, True)


def test_slices_of_several_racks_are_spread_over_as_few_of_them_as_hold_them() -> None:
    centre = data_centre({"b1": {"r1": {"x1": 5}, "r2": {"x2": 9}, "r3": {"x3": 4}}})
    assert placed(centre, gang(12, preferred="block", slices={"rack": 4})) == {"x2": 8, "x3": 4}, "r3 holds one tightly"


def test_the_tightest_rack_is_the_one_with_room_for_the_fewest_slices() -> None:
    """Three pairs fit in r1 and two in r2, though r2 has more room for single pods."""
    centre = data_centre({"b1": {"r1": {"x1": 2, "x2": 2, "x3": 2}, "r2": {"x4": 3, "x5": 3, "x6": 1}}})
    assert placed(centre, gang(4, required="rack", slices={"host": 2})) == {"x4": 2, "x5": 2}


def test_within_its_rack_a_slice_takes_as_few_hosts_as_it_can() -> None:
    """Kueue fills the smallest host first there, and splits what one host holds whole."""
    ask = gang(8, required="block", slices={"rack": 4})
    assert placed(data_centre(RACKS), ask) == {"x2": 4, "x4": 4}
    assert placed(data_centre(RACKS), ask, settings=KUEUE) == {"x1": 1, "x2": 3, "x3": 3, "x4": 1}


def test_layers_of_slices_hold_at_every_level() -> None:
    """Kueue's example: 64 pods in slices of 32 to a block and 16 to a rack, eight to a host."""
    block = {f"r{rack}": {f"x{rack}{number}": 8 for number in range(4)} for rack in range(2)}
    found = assign(data_centre({"b1": block}), [gang(64, required="block", slices={"block": 32, "rack": 16})])
    assert [part.count for part in found["main"].at(1)] == [32, 32]
    assert {part.count for part in found["main"].parts} == {8}


def test_room_that_an_inner_slice_cannot_use_does_not_count() -> None:
    odd = data_centre({"b1": {"r1": {"x1": 3, "x2": 3, "x3": 3}}})
    assert placed(odd, gang(6, required="block", slices={"rack": 6, "host": 2})) == {"x1": 2, "x2": 2, "x3": 2}
    failure = refused(odd, gang(8, required="block", slices={"rack": 8, "host": 2}))
    wanted = (
        f'topology "default" doesn\'t allow to fit; 0/1 slice(s) fit on level {RACK}; 3/4 slice(s) fit on level {HOST}'
    )
    assert failure.message == wanted


def test_slices_without_a_level_go_where_there_is_room() -> None:
    blocks = {"b1": {"r1": {"x1": 2}}, "b2": {"r2": {"x2": 4}}, "b3": {"r3": {"x3": 3}}}
    assert placed(data_centre(blocks), gang(4, slices={"rack": 2})) == {"x2": 4}
    assert placed(data_centre(blocks), gang(6, slices={"rack": 2})) == {"x1": 2, "x2": 2, "x3": 2}


@pytest.mark.parametrize("mode", [{"required": "rack"}, {"preferred": "rack"}])
def test_slices_at_the_level_of_the_pod_set(mode: dict[str, str]) -> None:
    centre = data_centre({"b1": {"r1": {"x1": 2, "x2": 2}, "r2": {"x3": 9}}})
    assert placed(centre, gang(4, slices={"rack": 4}, **mode)) == {"x1": 2, "x2": 2}
