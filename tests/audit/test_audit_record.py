"""What is a record, in which bytes, and what is refused with its place."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest
import rfc8785
from hypothesis import given, strategies as st

from audit import canonical
from audit.errors import RecordRefused
from audit.log import Log
from audit.record import MAX_PAYLOAD_BYTES, Record, canonical_bytes, checked, parse, timestamp
from audit.writing import quickly, written

characters = st.characters(codec="utf-8")
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(characters),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(characters), inner, max_size=4),
    max_leaves=12,
)


def record(**parts: Any) -> Record:
    given_parts = {"index": 0, "kind": "intent", "at": "2026-01-31T12:00:00Z", "actor": "agent"} | parts
    return checked(Record(**given_parts))


def test_the_bytes_hold_everything_that_is_attested() -> None:
    body = canonical_bytes(
        record(index=7, attributes={"target": "gpu-7"}, payload={"b": 1.0, "a": "ü"}, unique_key="k")
    )
    assert body.decode() == (
        '{"actor":"agent","at":"2026-01-31T12:00:00.000000Z","attributes":{"target":"gpu-7"},"index":7,'
        '"kind":"intent","payload":{"a":"ü","b":1},"schema":1,"unique_key":"k"}'
    )


@given(json_values)
def test_a_record_survives_its_bytes(payload: Any) -> None:
    whole = record(payload=payload)
    body = canonical_bytes(whole)
    assert parse(body) == whole
    assert body == rfc8785.dumps(json.loads(body, parse_int=float) | {"index": 0, "schema": 1})


@given(json_values)
def test_the_readers_own_canonical_form_is_that_of_the_library(value: Any) -> None:
    body = rfc8785.dumps(value)
    assert canonical.encode(value).encode() == body
    assert canonical.read(body) == value


@given(json_values)
def test_what_is_stored_is_what_the_library_writes_however_it_was_written(payload: Any) -> None:
    whole = record(index=7, payload=payload, unique_key="k")
    read, body = written(whole, quickly(whole.payload))
    assert body == canonical_bytes(whole, rfc8785.dumps)
    assert read == whole


class Word(StrEnum):
    ONE = "one"


odd_values = st.recursive(
    json_values
    | st.integers()
    | st.floats()
    | st.text(st.characters())  # lone surrogates, too
    | st.sampled_from([Word.ONE, object, b"bytes", {1, 2}, float("nan"), 1.0, -0.0, 2**53, 10**15])
    | st.integers(28, 36).map(lambda depth: json.loads("[" * depth + "]" * depth)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(characters) | st.integers(0, 3) | st.none() | st.just(Word.ONE), inner, max_size=3)
        | st.dictionaries(st.text(characters), inner, max_size=3).map(MappingProxyType)
    ),
    max_leaves=8,
)


def exact(value: Any) -> Any:
    """Told apart by type as well: Python calls 1, 1.0 and True equal."""
    if isinstance(value, dict):
        return {exact(key): exact(member) for key, member in value.items()}
    return [exact(item) for item in value] if isinstance(value, list) else (type(value), repr(value))


@given(odd_values)
def test_what_is_copied_in_c_is_what_is_copied_by_hand(value: Any) -> None:
    found = canonical.plain_and_written(value)
    try:
        by_hand = canonical.plain(value, "")
    except RecordRefused:
        assert found is None
        return
    if found is not None:
        assert exact(found[0]) == exact(by_hand)
        assert found[1] == quickly(by_hand)


def test_what_a_log_is_mostly_given_is_copied_in_c() -> None:
    given_values: list[Any] = [{"b": [1, 0.5, True, None, "ü"], "a": {"word": Word.ONE}}, "text", 7, []]
    assert all(canonical.plain_and_written(value) is not None for value in given_values)
    within, beyond = (json.loads("[" * depth + "]" * depth) for depth in (canonical.MAX_DEPTH, canonical.MAX_DEPTH + 1))
    assert canonical.plain_and_written(within) is not None
    assert canonical.plain_and_written(beyond) is None


def test_where_pythons_form_is_another_the_library_writes() -> None:
    whole = record(payload={"\ue000": 1.0, "\U00010000": 1e20, "small": 1e-6, "ü": "\x7f\x1f/"})
    _, body = written(whole, quickly(whole.payload))
    assert body == canonical_bytes(whole, rfc8785.dumps) != canonical_bytes(whole, quickly)


@pytest.mark.parametrize(
    "number", [1e21, 1e20, 123456789012345680000.0, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308, -0.0]
)
def test_numbers_are_written_as_ecmascript_does(number: float) -> None:
    assert canonical.encode(number).encode() == rfc8785.dumps(number)
    assert canonical.read(rfc8785.dumps(number)) == number


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b"1.0", b"1e3", b"-0", b"9007199254740993", b"1E-7", b"NaN",
        b"1e999", b'"\\u0041"', b'"\\/"', b'"\xff"', b"\xef\xbb\xbf1", b"[1]\n", b"", b"[" * 100_000, b"9" * 5000,
        '{"\ue000":1,"😀":1}'.encode(),
    ],
)  # fmt: skip
def test_other_bytes_of_a_value_are_not_canonical(body: bytes) -> None:
    with pytest.raises(RecordRefused):
        canonical.read(body)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("parts", "place", "reason"),
    [
        ({"payload": {"a": [float("nan")]}}, "/payload/a/0", "nan"),
        ({"payload": {"a/b": float("inf")}}, "/payload/a~1b", "inf"),
        ({"payload": 2**53}, "/payload", "2^53-1"),
        ({"payload": nested(33)}, "/payload" + "/0" * 32, "deeper than 32"),
        ({"payload": nested(100_000)}, "/payload" + "/0" * 32, "deeper than 32"),
        ({"payload": {1: 2}}, "/payload", "int where a string"),
        ({"payload": b"x"}, "/payload", "bytes is not JSON"),
        ({"payload": {"a": {1, 2}}}, "/payload/a", "set is not JSON"),
        ({"payload": "\ud800"}, "/payload", "surrogate"),
        ({"payload": {"\ud800": 1}}, "/payload", "surrogate"),
        ({"kind": "Intent"}, "/kind", "form"),
        ({"kind": "intent\n"}, "/kind", "form"),
        ({"kind": ""}, "/kind", "form"),
        ({"actor": ""}, "/actor", "empty"),
        ({"actor": "x" * 257}, "/actor", "257 bytes where 256"),
        ({"actor": None}, "/actor", "NoneType"),
        ({"attributes": {"a": 1}}, "/attributes/a", "int where a string"),
        ({"attributes": {"a": "ü" * 513}}, "/attributes/a", "1026 bytes where 1024"),
        ({"attributes": {"A": "x"}}, "/attributes", "form"),
        ({"attributes": {f"a{n}": "x" for n in range(33)}}, "/attributes", "more than 32"),
        ({"unique_key": ""}, "/unique_key", "empty"),
        ({"unique_key": "k" * 513}, "/unique_key", "513 bytes"),
        ({"at": "2026-01-31T12:00:00"}, "/at", "without a zone"),
        ({"at": "yesterday"}, "/at", "RFC 3339"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "/at", "years"),
    ],
)
def test_what_is_no_record_is_refused_with_its_place_and_nothing_is_written(
    log: Log, parts: dict[str, Any], place: str, reason: str
) -> None:
    whole = {"kind": "intent", "actor": "agent", "at": "2026-01-31T12:00:00Z"} | parts
    with pytest.raises(RecordRefused) as refusal:
        log.append(**whole)
    assert refusal.value.place == place
    assert reason in refusal.value.reason
    assert log.size() == 0


def test_a_payload_may_have_one_mebibyte_and_no_more(log: Log) -> None:
    log.append("intent", actor="agent", payload="x" * (MAX_PAYLOAD_BYTES - 2))
    with pytest.raises(RecordRefused) as refusal:
        log.append("intent", actor="agent", payload="x" * (MAX_PAYLOAD_BYTES - 1))
    assert refusal.value.place == "/payload"
    assert log.size() == 1


def test_times_of_one_moment_have_one_form() -> None:
    form = "2026-01-31T11:00:00.000000Z"
    assert timestamp("2026-01-31T12:00:00+01:00") == timestamp(datetime(2026, 1, 31, 11, tzinfo=UTC)) == form
    assert timestamp("0999-01-31T11:00:00Z") == "0999-01-31T11:00:00.000000Z"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"schema": 3}, "/schema"), ({"schema": 2}, ""), ({"schema": True}, "/schema"), ({"schema": "1"}, "/schema"),
        ({"index": -1}, "/index"), ({"index": True}, "/index"), ({"index": "0"}, "/index"),
        ({"kind": 1}, "/kind"), ({"at": "2026-01-31T12:00:00Z"}, "/at"), ({"unique_key": 1}, "/unique_key"),
        ({"attributes": {"a": 1}}, "/attributes"), ({"attributes": []}, "/attributes"), ({"extra": 1}, ""),
    ],
)  # fmt: skip
def test_a_reader_refuses_what_no_writer_wrote(change: dict[str, Any], place: str) -> None:
    value = json.loads(canonical_bytes(record())) | change
    with pytest.raises(RecordRefused) as refusal:
        parse(rfc8785.dumps(value))
    assert refusal.value.place == place
