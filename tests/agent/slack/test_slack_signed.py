"""What is signed as Slack signs gets in, and nothing else."""

import time
from urllib.parse import urlencode

import pytest
from slack_sdk.signature import Clock, SignatureVerifier
from slack_server import SECRET, post, pressed, signed
from slack_site import Site

from agent.domain.approval import RequestState
from tests.agent.store.desk_world import request


def test_the_example_that_slack_publishes() -> None:
    """docs.slack.dev/authentication/verifying-requests-from-slack"""

    class Then(Clock):
        def now(self) -> float:
            return 1531420618.0

    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
        "&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
        "%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121"
        ".803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    verifier = SignatureVerifier(SECRET, Then())
    assert verifier.is_valid(body, "1531420618", signature)
    assert not verifier.is_valid(body + " ", "1531420618", signature)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": "v1=00"},
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "v0=\u00e9".encode("latin-1").decode("latin-1")},
        {"X-Slack-Request-Timestamp": "yesterday"},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "-1"},
        {"X-Slack-Request-Timestamp": "1e9"},
        {"X-Slack-Request-Timestamp": "9" * 400},
    ],
)
def test_what_is_not_signed_gets_in_nowhere(site: Site, headers: dict[str, str]) -> None:
    asked = site.asks(request())
    body = pressed(site.slack.buttons()[0], "UALICE")
    raw = [(name.encode(), value.encode("latin-1")) for name, value in (signed(body) | headers).items()]
    assert site.http.post("/slack/events", content=body, headers=raw).status_code == 401
    assert site.slack.views() == [] and site.state(asked) is RequestState.PENDING


@pytest.mark.parametrize(("ago_s", "status"), [(290, 200), (302, 401), (-290, 200), (-310, 401)])
def test_a_request_is_good_for_five_minutes_either_way(site: Site, ago_s: int, status: int) -> None:
    site.asks(request())
    body = pressed(site.slack.buttons()[0], "UALICE")
    assert post(site.http, body, signed(body, at=time.time() - ago_s)).status_code == status


def test_a_body_that_was_changed_on_the_way_is_refused(site: Site) -> None:
    site.asks(request())
    body = pressed(site.slack.buttons()[0], "UALICE")
    assert post(site.http, body.replace("UALICE", "UBOBXX"), signed(body)).status_code == 401
    assert post(site.http, body, signed(body, secret="another")).status_code == 401


@pytest.mark.parametrize("payload", ['"text"', "[]", "1", "null", "{", '{"team": 1}', '{"user": "U"}', "[" * 30_000])
def test_a_body_in_no_form_of_slacks_is_turned_away_and_not_stumbled_over(site: Site, payload: str) -> None:
    body = urlencode({"payload": payload})
    unsigned = {"X-Slack-Request-Timestamp": str(int(time.time())), "X-Slack-Signature": "v0=" + "0" * 64}
    assert site.http.post("/slack/events", content=body, headers=unsigned).status_code == 401
    assert post(site.http, body).status_code in (400, 401, 404)


def test_a_body_of_megabytes_is_not_read(site: Site) -> None:
    body = "payload=" + "x" * 1_100_000
    answer = post(site.http, body)
    assert (answer.status_code, answer.json()["detail"]) == (413, "more than 1000000 bytes")
