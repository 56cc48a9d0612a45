"""What digests are taken of: RFC 8785, whichever of two ways wrote it, and nothing that JSON cannot say."""

from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings, strategies as st

from agent.domain.base import canonical, digest_of

_NUMBERS = (
    st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-1e-4, 1e-4)
    | st.sampled_from([0.0, -0.0, 1.0, 1e15, 1e16, 1e20, 1e21, 1e-4, 1e-6, 1e-7, 123456789012345678.0])
)
_TEXT = st.text(st.characters(codec="utf-8")) | st.sampled_from(["\ue000", "\U00010000", '\x7f\x1f\\"/\u2028', "ü"])
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(_VALUES)
def test_both_ways_write_the_same(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value", [{1: "a"}, {None: 1}, {True: 1}, 2**53, -(2**53), float("nan"), float("inf"), "\ud800", {"a": {1, 2}}, b""]
)
def test_what_json_cannot_say_has_no_digest(value: Any) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        digest_of({"deep": [value]})


def test_a_tuple_is_a_list() -> None:
    assert digest_of({"a": (1, 2)}) == digest_of({"a": [1, 2]})
