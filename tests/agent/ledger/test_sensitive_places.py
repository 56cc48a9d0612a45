"""Which texts of a record are kept apart: held against a walk that asks of every member what it is."""

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given, strategies as st

from agent.adapters.ledger.sensitive import SENSITIVE, sensitive_places
from audit.sealing import MAX_PLACES, pointer

KIND = "diagnosis"
NAMES = SENSITIVE[KIND]
keys = st.sampled_from([*sorted(NAMES), "facts", "node", "a/b~c", ""])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-1, 1) | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=20,
)


def texts_below(value: Any, way: tuple[str | int, ...], *, named: bool) -> Iterator[str]:
    if isinstance(value, str) and named:
        yield pointer(way)
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield from texts_below(value[key], (*way, key), named=named or key in NAMES)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from texts_below(item, (*way, index), named=named)


@given(values)
def test_every_text_below_such_a_name_and_no_other(payload: Any) -> None:
    assert sensitive_places(KIND, "agent", {}, payload) == list(texts_below(payload, (), named=False))


def test_never_more_than_a_record_can_seal() -> None:
    assert len(sensitive_places(KIND, "agent", {}, {"text": ["word"] * (MAX_PLACES + 1)})) == MAX_PLACES
