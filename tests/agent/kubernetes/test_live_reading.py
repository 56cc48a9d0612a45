"""JSON that nests deeper than anybody needs is read all the same, and costs nobody else anything."""

import json

import pytest

from agent.adapters.kubernetes.live.reading import LEVELS, cut, levelled, parsed


def _nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def test_what_is_no_deeper_than_the_limit_stays_as_it_is() -> None:
    assert cut(_nested(LEVELS)) == _nested(LEVELS)


@pytest.mark.parametrize("levels", [LEVELS + 1, 3_000, 100_000])
def test_what_lies_deeper_is_null_and_the_rest_is_there(levels: int) -> None:
    found = parsed(b'{"before":[1,{}],"deep":' + _nested(levels) + b',"after":"x"}')
    assert (found["before"], found["after"]) == ([1, {}], "x")
    if levels > 1_000:
        assert json.dumps(found["deep"]).count("null") == 1


def test_brackets_in_texts_and_keys_are_no_levels() -> None:
    text = json.dumps({"[[[{": '}]"\\', "b": ["{", "\\\\", '\\"[']}).encode()
    assert json.loads(cut(text, 2)) == json.loads(text)
    assert json.loads(cut(b'{"a":"]","b":[["["],{}],"c":{}}', 2)) == {"a": "]", "b": [None, None], "c": {}}


def test_an_object_is_levelled_like_its_text() -> None:
    assert levelled({"a": 1, "b": json.loads(_nested(300))})["a"] == 1


@pytest.mark.parametrize("broken", [b"", b"[" * 5_000, b"\xff{}", b'{"a":' * 5_000 + b"}"])
def test_what_is_no_json_is_said_to_be_none(broken: bytes) -> None:
    with pytest.raises(ValueError):
        parsed(broken)
