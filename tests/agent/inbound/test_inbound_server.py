"""The HTTP door over a real inbox: what it answers, what it stores, what it has recorded as refused."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from agent.adapters.inbound.limits import Limits
from agent.adapters.inbound.server import RETRY_AFTER_S, Doors
from agent.adapters.simulated.clock import SimulatedClock
from agent.adapters.store.database import Database
from agent.adapters.store.inbox import SqlInbox
from agent.domain.signal import Signal
from agent.ports import StoreUnavailable

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
ALERT = {
    "status": "firing",
    "labels": {"alertname": "GPUXidError"},
    "startsAt": "2026-11-02T08:58:00Z",
    "fingerprint": "f",
}
BAD_ALERT = {**ALERT, "labels": {}}
EVENT = {
    "kind": "Event",
    "metadata": {"uid": "u"},
    "involvedObject": {"kind": "Node", "name": "n"},
    "reason": "TaskHung",
}
CLOUDEVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "org.example.deploy", "data": {}}
GAUGE = 'DCGM_FI_DEV_XID_ERRORS{Hostname="gpu-3",gpu="0"} 79\n'


class House:
    """The door, its inbox, and what it told the others."""

    def __init__(self, folder: Path) -> None:
        self.clock = SimulatedClock(NOW)
        self.inbox = SqlInbox(Database(folder / "w.db", "memory"), self.clock)
        self.woken = 0
        self.refused: list[tuple[str, str, str]] = []
        self.not_ready: str | None = None
        self.doors = Doors(
            self.inbox,
            self.clock,
            wake=self.wake,
            on_refused=lambda *said: self.refused.append(said),
            not_ready=lambda: self.not_ready,
            limits=Limits(max_body_bytes=10_000),
        )

    def wake(self) -> None:
        self.woken += 1

    @property
    def client(self) -> TestClient:
        return TestClient(self.doors.app())

    def stored(self) -> list[Signal]:
        return self.inbox.take(100)


class FullInbox:
    """An inbox whose disk is full until it is mended."""

    def __init__(self, inbox: SqlInbox) -> None:
        self.inbox = inbox
        self.full = True

    def put(self, signal: Signal) -> bool:
        if self.full:
            raise StoreUnavailable("disk full")
        return self.inbox.put(signal)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    yield House(tmp_path)


def webhook(*alerts: Any) -> Any:
    return {"version": "4", "alerts": list(alerts)}


@pytest.mark.parametrize(
    ("door", "content_type", "body", "kind"),
    [
        ("alertmanager", "application/json", json.dumps(webhook(ALERT)), "alert"),
        ("cloudevents", "application/cloudevents+json", json.dumps(CLOUDEVENT), "other"),
        ("cloudevents", "application/cloudevents-batch+json", json.dumps([CLOUDEVENT]), "other"),
        ("events", "application/json; charset=utf-8", json.dumps(EVENT), "k8s.event"),
        ("logs", "application/x-ndjson", '{"node":"n","line":"x"}\n', "log.line"),
        ("metrics", "text/plain; version=0.0.4", GAUGE, "gpu.xid"),
    ],
)
def test_each_door_stores_once_wakes_once_and_takes_a_redelivery(
    house: House, door: str, content_type: str, body: str, kind: str
) -> None:
    client = house.client
    answers = [client.post(f"/v1/{door}", content=body, headers={"content-type": content_type}) for _ in range(2)]
    assert [(a.status_code, a.json()["new"]) for a in answers] == [(202, 1), (202, 0)]
    assert [signal.body.type for signal in house.stored()] == [kind]
    assert (house.woken, house.refused) == (1, [])


def test_binary_cloudevents_may_carry_anything(house: House) -> None:
    headers = {"content-type": "image/png", "ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"}
    assert house.client.post("/v1/cloudevents", content=b"\x89PNG", headers=headers).status_code == 202


def test_a_malformed_alert_is_a_problem_and_the_others_are_stored(house: House) -> None:
    answer = house.client.post("/v1/alertmanager", json=webhook(ALERT, BAD_ALERT))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json() == {
        "type": "urn:watchkeeper:problem:malformed-input",
        "title": "Malformed input",
        "status": 400,
        "detail": "alerts[1].labels.alertname: missing (1 accepted, 1 refused)",
        "instance": "/v1/alertmanager",
        "place": "alerts[1].labels.alertname",
        "accepted": 1,
        "refused": [{"place": "alerts[1].labels.alertname", "reason": "missing"}],
        "refused_count": 1,
    }
    assert len(house.stored()) == house.woken == 1
    assert house.refused == [("alertmanager", "alerts[1].labels.alertname", "missing")]


@pytest.mark.parametrize(
    ("door", "headers", "body", "status", "place"),
    [
        ("alertmanager", {"content-type": "application/json"}, b"{", 400, "line 1 column 2"),
        ("alertmanager", {"content-type": "application/json"}, b"\xff", 400, "byte 0"),
        ("alertmanager", {"content-type": "application/json"}, b'{"version":"5"}', 400, "version"),
        ("alertmanager", {"content-type": "text/html"}, b"", 415, "Content-Type"),
        (
            "alertmanager",
            {"content-type": "application/json", "content-encoding": "gzip"},
            b"",
            415,
            "Content-Encoding",
        ),
        ("alertmanager", {"content-type": "application/json"}, b" " * 10_001, 413, "body"),
        ("cloudevents", {"content-type": "image/png"}, b"", 415, "Content-Type"),
        ("events", {"content-type": "application/json"}, b'{"kind":"Pod"}', 400, "kind"),
        ("logs", {"content-type": "application/x-ndjson"}, b'{"line":"x"}', 400, "line 1.node"),
        ("metrics", {"content-type": "text/plain"}, b"}{", 400, "line 1"),
        ("metrics", {"content-type": "text/plain"}, b"\xff", 400, "byte 0"),
    ],
)
def test_a_refusal_names_the_place_and_is_recorded(
    house: House, door: str, headers: dict[str, str], body: bytes, status: int, place: str
) -> None:
    answer = house.client.post(f"/v1/{door}", content=body, headers=headers)
    assert (answer.status_code, answer.json()["status"], answer.json()["place"]) == (status, status, place)
    assert answer.headers["content-type"] == "application/problem+json"
    assert [(said_door, said_place or "body") for said_door, said_place, _ in house.refused] == [(door, place)]
    assert house.stored() == [] and house.woken == 0


def test_many_refusals_are_counted_and_only_the_first_are_named(house: House) -> None:
    answer = house.client.post("/v1/logs", content=b"{}\n" * 250, headers={"content-type": "application/x-ndjson"})
    assert (len(answer.json()["refused"]), answer.json()["refused_count"]) == (100, 250)
    assert len(house.refused) == 101 and house.refused[-1] == ("logs", "", "and 150 more in the same delivery")


def test_an_inbox_that_cannot_store_asks_for_a_repetition_and_loses_nothing(house: House) -> None:
    full = FullInbox(house.inbox)
    house.doors.inbox = full  # type: ignore[assignment]
    client = house.client

    def push() -> Any:
        return client.post("/v1/metrics", content=GAUGE, headers={"content-type": "text/plain"})

    answer = push()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, str(RETRY_AFTER_S))
    assert (house.refused, house.woken) == ([], 0)
    full.full = False
    assert push().json() == {"accepted": 1, "new": 1}


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("Bearer s3cret", 202), ("bearer s3cret", 202), ("Bearer wrong", 401), ("Basic s3cret", 401), (None, 401)],
)
def test_a_token_where_one_is_configured(house: House, authorization: str | None, status: int) -> None:
    house.doors.token = "s3cret"
    headers = {"authorization": authorization} if authorization else {}
    answer = house.client.post("/v1/alertmanager", json=webhook(ALERT), headers=headers)
    assert answer.status_code == status
    assert len(house.stored()) == (status == 202)


def test_health_and_readiness(house: House) -> None:
    client = house.client
    assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 200)
    house.not_ready = "no policy is loaded"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "no policy is loaded")
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/alertmanager", 405), ("POST", "/v1/nothing", 404)])
def test_what_is_not_there_is_a_problem_too(house: House, method: str, path: str, status: int) -> None:
    answer = house.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_a_fault_of_ours_is_a_problem_without_its_entrails(house: House) -> None:
    house.doors.inbox = None  # type: ignore[assignment]
    client = TestClient(house.doors.app(), raise_server_exceptions=False)
    answer = client.post("/v1/alertmanager", json=webhook(ALERT))
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:watchkeeper:problem:internal")
    assert "NoneType" not in answer.text


def test_who_is_not_in_charge_any_more_stores_nothing(house: House) -> None:
    """Its doors are still those of who led, until its loop has seen that another does."""
    house.doors.in_charge = lambda: False
    answer = house.client.post("/v1/alertmanager", json=webhook(ALERT))
    assert (answer.status_code, answer.headers["Retry-After"], answer.headers["Connection"]) == (503, "10", "close")
    assert (house.stored(), house.refused) == ([], [])
    house.doors.in_charge = lambda: True
    assert house.client.post("/v1/alertmanager", json=webhook(ALERT)).status_code == 202
