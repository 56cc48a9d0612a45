"""Each answer of an API server that is no success, as the fault that it means. The bodies are as a 1.37 wrote them."""

import json
from typing import Any

import pytest

from agent.adapters.kubernetes.live.refusals import MESSAGE_CHARS, RETRY_AFTER_AT_MOST_S, NotServed, fault_in, fault_of
from agent.ports import (
    ClusterFault,
    ClusterUnavailable,
    Conflict,
    FieldConflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    ServerError,
    TooManyRequests,
    Unauthorized,
)


def status(code: int, message: str = "no", causes: Any = ()) -> bytes:
    details = {"causes": list(causes)} if causes else {}
    said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    return json.dumps({**said, "details": details}).encode()


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (400, Invalid),
        (401, Unauthorized),
        (403, Forbidden),
        (409, Conflict),
        (410, Gone),
        (413, Invalid),
        (422, Invalid),
        (429, TooManyRequests),
        (500, ServerError),
        (502, ServerError),
        (503, ClusterUnavailable),
        (504, ClusterUnavailable),
        (418, ClusterFault),
        (302, ClusterFault),
    ],
)
def test_each_status_has_its_fault_and_keeps_its_number(code: int, fault: type[ClusterFault]) -> None:
    found = fault_of(code, status(code), {}, "GET /api/v1/nodes/n1")
    assert type(found) is fault and found.status == code
    assert str(found) == "GET /api/v1/nodes/n1: no"


def test_a_missing_object_is_told_from_a_missing_kind() -> None:
    named = json.dumps({"kind": "Status", "message": "no", "details": {"name": "n1", "kind": "nodes"}}).encode()
    assert type(fault_of(404, named, {}, "GET")) is NotFound
    assert type(fault_of(404, status(404), {}, "GET")) is NotServed
    assert type(fault_of(404, b"404 page not found", {}, "GET")) is NotServed


def test_an_apply_over_anothers_field_names_the_field_and_its_owner() -> None:
    cause = {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "kubectl" using apps/v1',
        "field": ".spec.replicas",
    }
    found = fault_of(409, status(409, "Apply failed with 1 conflict", [cause]), {}, "PATCH")
    assert isinstance(found, FieldConflict)
    assert found.owners == {".spec.replicas": 'conflict with "kubectl" using apps/v1'}


def test_a_patch_with_the_uid_of_an_object_that_is_gone_is_a_conflict() -> None:
    cause = {"reason": "FieldValueInvalid", "message": "field is immutable", "field": "metadata.uid"}
    assert type(fault_of(422, status(422, causes=[cause]), {}, "PATCH")) is Conflict
    other = {**cause, "field": "spec.replicas"}
    assert type(fault_of(422, status(422, causes=[other]), {}, "PATCH")) is Invalid


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("1", 1.0), (" 10 ", 10.0), ("99999", RETRY_AFTER_AT_MOST_S), ("-1", None), ("Mon, 1 Jan", None), ("", None)],
)
def test_how_long_to_wait_is_the_servers_word_within_reason(header: str, seconds: float | None) -> None:
    for code in (429, 503):
        found = fault_of(code, status(code), {"retry-after": header}, "GET")
        assert isinstance(found, TooManyRequests | ClusterUnavailable) and found.retry_after_s == seconds


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"[1]", b'{"kind": "Other"}', b"\xff\xfe"])
def test_an_answer_that_no_api_server_wrote_is_a_fault_all_the_same(body: bytes) -> None:
    found = fault_of(502, body, {}, "GET /x")
    assert isinstance(found, ServerError) and str(found).startswith("GET /x: ")


def test_odd_details_are_passed_over() -> None:
    for details in ({"causes": "none"}, {"causes": [1, None]}, [], "x"):
        body = json.dumps({"kind": "Status", "message": "no", "details": details}).encode()
        assert type(fault_of(409, body, {}, "PUT")) is Conflict


def test_a_long_message_is_cut() -> None:
    found = fault_of(403, status(403, "admission webhook says " + "no " * 1_000), {}, "PATCH")
    assert isinstance(found, Forbidden) and len(str(found)) <= MESSAGE_CHARS + len("PATCH: …")


def test_an_error_in_a_watch_has_its_code() -> None:
    assert type(fault_in({"kind": "Status", "code": 410, "message": "too old"}, "watch")) is Gone
    assert type(fault_in({"code": "x"}, "watch")) is ServerError
