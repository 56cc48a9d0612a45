"""What a token may say of groups, and where the keys come from while the provider rotates, dawdles or is away."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from agent.adapters.oidc.keys import AGAIN_S, FETCH_S, FRESH_S, GOOD_FOR_S
from agent.domain.approval import RequestState
from agent.domain.identity import Issuer
from tests.agent.web.issuer import AUDIENCE, NAME, local_issuer, new_key
from tests.agent.web.web_site import WebSite

TRUSTED = {"groups_claim": "groups", "groups": {"sre-gpu": "gpu-oncall"}}


@pytest.fixture
def trusting(tmp_path: Path) -> Iterator[WebSite]:
    """Dave is in no group that is asked; this issuer may say that he is in one."""
    with local_issuer() as issuer:
        made = WebSite(tmp_path, issuer, **TRUSTED)
        yield made
        made.close()


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        (["sre-gpu"], True),
        (["sre-gpu", "wheel", 7, None, ["x"]], True),
        (["gpu-oncall"], False),
        ("sre-gpu", False),
        ({"sre-gpu": True}, False),
        ([["sre-gpu"]], False),
        ([{"name": "sre-gpu"}], False),
        (["sre-gpu "], False),
        (["SRE-GPU"], False),
        ([f"team-{n}" for n in range(200)], False),
        (True, False),
        (None, False),
    ],
)
def test_only_the_groups_that_the_settings_translate_count(trusting: WebSite, told: Any, counts: bool) -> None:
    asked = trusting.asks()
    bearer = trusting.as_("dave-1", groups=told)
    answer = trusting.answer(asked, headers=bearer)
    assert (answer.status_code == 200) is counts, answer.text
    assert counts or answer.json()["code"] == "not_in_group"


def test_an_issuer_that_is_not_trusted_for_groups_says_air(site: WebSite) -> None:
    asked = site.asks()
    refused = site.answer(asked, headers=site.as_("dave-1", groups=["gpu-oncall", "sre-gpu"]))
    assert (refused.status_code, refused.json()["code"]) == (403, "not_in_group")


def test_a_trusted_group_makes_nobody_of_an_account_that_is_not_linked(trusting: WebSite) -> None:
    refused = trusting.answer(trusting.asks(), headers=trusting.as_("mallory-1", groups=["sre-gpu"]))
    assert (refused.status_code, refused.json()["code"]) == (403, "unlinked")


# --- keys -----------------------------------------------------------------------------------------------------------


def looks(site: WebSite, **how: Any) -> int:
    return site.http.get("/v1/requests", headers=site.as_(**how)).status_code


def test_a_key_that_is_new_is_fetched_at_once_and_one_that_is_gone_is_not_believed_for_long(site: WebSite) -> None:
    old = site.issuer.keys[0]
    assert looks(site) == 200 and site.issuer.asked == 1
    assert looks(site) == 200 and site.issuer.asked == 1
    site.issuer.keys.append(new_key("k2"))
    site.seconds += AGAIN_S
    assert looks(site) == 200 and site.issuer.asked == 2
    site.issuer.keys.remove(old)
    assert looks(site, key=old) == 200, "not asked again yet"
    site.seconds += FRESH_S + 1
    assert looks(site, key=old) == 401 and looks(site) == 200


def test_key_ids_that_nobody_has_are_asked_for_seldom(site: WebSite) -> None:
    assert looks(site) == 200
    for number in range(20):
        assert looks(site, header={"kid": f"made-up-{number}"}) == 401
    assert site.issuer.asked == 1
    site.seconds += AGAIN_S
    assert [looks(site, header={"kid": f"made-up-{number}"}) for number in range(20)] == [401] * 20
    assert site.issuer.asked == 2


def test_while_the_provider_is_away_its_last_keys_are_good_for_a_while(site: WebSite) -> None:
    assert looks(site) == 200
    site.issuer.answers = 500
    site.seconds += FRESH_S + 1
    assert looks(site) == 200
    site.seconds = GOOD_FOR_S
    assert looks(site) == 200
    site.seconds = GOOD_FOR_S + 1
    asked = site.asks()
    refused = site.answer(asked)
    assert refused.status_code == 503 and site.state(asked) is RequestState.PENDING
    site.issuer.answers, site.seconds = 200, site.seconds + AGAIN_S
    assert site.answer(asked).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"keys": []}',
        b'{"keys": [{"kty": "oct", "k": "AAAA"}]}',
        b'{"keys": [{"kty": "RSA"}]}',
        b'{"keys": ["x"]}',
        b"[" * 100_000,
        b'{"keys": [' + b" " * 300_000 + b"]}",
    ],
)
def test_what_is_no_set_of_public_keys_opens_no_door(site: WebSite, body: bytes) -> None:
    site.issuer.body = body
    assert looks(site) == 503


def test_a_redirect_is_not_followed(site: WebSite) -> None:
    site.issuer.answers = 302
    assert looks(site) == 503 and site.issuer.asked == 1


def test_a_provider_that_drips_holds_up_no_alert_and_nobody_for_long(site: WebSite) -> None:
    """Twelve people wait for a provider that sends a byte every half second; an alert comes in meanwhile."""
    site.issuer.dawdles_s = 0.5
    bearer = site.as_()
    with ThreadPoolExecutor(12) as pool:
        began = time.monotonic()
        waiting = [
            pool.submit(httpx.get, f"{site.serving.url}/v1/requests", headers=bearer, timeout=30) for _ in "x" * 12
        ]
        time.sleep(0.5)
        alert = {"version": "4", "status": "firing", "alerts": []}
        sent = time.monotonic()
        assert site.http.post("/v1/alertmanager", json=alert).status_code == 202
        assert time.monotonic() - sent < FETCH_S - 0.6, "held up by the provider it takes FETCH_S, less the half second"
        assert {each.result().status_code for each in waiting} == {503}
        assert time.monotonic() - began < 8 * FETCH_S, "each with a try of its own they take 12"
    assert site.issuer.asked == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"keys_file": "jwks.json", "jwks_uri": "https://id.example.com/jwks"},
        {"jwks_uri": "http://id.example.com/jwks"},
        {"jwks_uri": "http://127.0.0.1.evil.example/jwks"},
        {"jwks_uri": "http://127.0.0.1@evil.example/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
    ],
)
def test_keys_come_from_one_place_and_in_the_clear_from_this_machine_only(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Issuer(issuer=NAME, audience=AUDIENCE, **wrong)  # type: ignore[arg-type]
