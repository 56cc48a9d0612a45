"""What an agent says at its address while it is not in charge, and how well it says it is."""

from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from agent.adapters.inbound.front import Aside, Front
from agent.adapters.telemetry.health import STUCK_AFTER_S, Health
from agent.adapters.telemetry.instruments import Instruments
from agent.ports import ClusterUnavailable

START = datetime(2026, 11, 2, 9, tzinfo=UTC)


class Time:
    """Both clocks."""

    def __init__(self) -> None:
        self.s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.s)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def health(time: Time) -> Health:
    return Health(time, lambda: time.s, Instruments("0"))


def aside(**more: object) -> Aside:
    return Aside(lambda: {"leadership": {"role": "standby"}}, Instruments("0").text, **more)  # type: ignore[arg-type]


def test_a_standby_is_ready_and_takes_nothing() -> None:
    door = TestClient(aside().app())
    ready = door.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "leadership": {"role": "standby"}})
    for path in ("/v1/alertmanager", "/v1/logs", "/slack/events"):
        refused = door.post(path, json={})
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:watchkeeper:problem:standby")
        assert (refused.headers["Retry-After"], refused.headers["Connection"]) == ("10", "close")
    assert "watchkeeper_build_info" in door.get("/metrics").text


def test_who_has_just_won_is_not_ready_and_says_what_it_is() -> None:
    answer = TestClient(aside(not_ready=lambda: "the agent is taking charge").app()).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "the agent is taking charge"
    assert answer.json()["leadership"] == {"role": "standby"}


def test_what_stands_behind_the_address_is_exchanged_while_it_serves() -> None:
    front = Front(aside(dead=lambda: "stuck").app())
    door = TestClient(front)
    assert door.get("/healthz").status_code == 503
    front.current = aside().app()
    assert door.get("/healthz").status_code == 200


def test_a_loop_that_stands_still_is_dead_and_one_whose_servers_are_away_is_not(health: Health, time: Time) -> None:
    health.looked("apiserver", ClusterUnavailable("no answer"))
    time.s = STUCK_AFTER_S
    assert health.dead() is None
    time.s += 1
    assert "601 s" in str(health.dead())
    health.turned()
    assert health.dead() is None


def test_since_when_a_server_is_away_and_when_it_was_seen_last(health: Health, time: Time) -> None:
    health.looked("apiserver", None)
    assert health.has_seen("apiserver") and not health.has_seen("prometheus")
    time.s = 30
    health.looked("apiserver", ClusterUnavailable("no\nanswer"))
    time.s = 60
    health.looked("apiserver", ClusterUnavailable("no answer yet"))
    assert health.details()["apiserver"] == {
        "answers": False,
        "since": "2026-11-02T09:00:30Z",
        "seen_at": "2026-11-02T09:00:00Z",
        "fault": "no answer yet",
    }
    health.looked("apiserver", None)
    assert health.details()["apiserver"]["since"] == "2026-11-02T09:01:00Z"  # type: ignore[index]
