"""What is no JSON that we could keep."""

from fnmatch import fnmatchcase

import pytest

from agent.adapters.inbound.delivery import Malformed
from agent.adapters.inbound.limits import Limits
from agent.adapters.inbound.wire import json_document


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"{", "line 1 column 2: not JSON: Expecting property name enclosed in double quotes"),
        (b'{"a": NaN}', "body: not JSON: NaN is no JSON number"),
        (b"1e999", "body: not JSON: Out of range float values are not JSON compliant"),
        (b"\xff\xfe", "byte 0: not UTF-8 text"),
        (b'"\\ud800"', "body: not UTF-8 text"),
        (b"[" * 100 + b"]" * 100, "body: nested more than 64 deep"),
        (b"[" * 100_000, "body: nested more than 64 deep"),
        (b"1" * 5000, "body: not JSON: Exceeds the limit (4300 digits) for integer string conversion*"),
        (b" " * 200_001, "body: more than 200000 bytes"),
    ],
)
def test_json_that_is_none(body: bytes, complaint: str) -> None:
    with pytest.raises(Malformed) as caught:
        json_document(body, Limits(max_body_bytes=200_000))
    assert fnmatchcase(str(caught.value), complaint)
