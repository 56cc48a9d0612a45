"""The JSON door: who may look, whose answer counts, and what comes of every way of pretending."""

import hmac
import json
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from joserfc import jwt

from agent.domain.approval import RequestState
from tests.agent.store.desk_world import request
from tests.agent.web.issuer import AUDIENCE, NAME, new_key
from tests.agent.web.web_site import WebSite


def code(answer: httpx.Response) -> str:
    return str(answer.json().get("code"))


def test_what_waits_is_listed_shown_and_approved(site: WebSite) -> None:
    asked = site.asks()
    listed = site.http.get("/v1/requests", headers=site.as_())
    assert [each["id"] for each in listed.json()["requests"]] == [asked.id]
    shown = site.http.get(f"/v1/requests/{asked.id}", headers=site.as_()).json()
    assert (shown["digest"], shown["still_wanted"], shown["state"]) == (asked.digest, ["gpu-oncall"], "pending")
    answered = site.answer(asked, reason="seen on the node")
    assert answered.status_code == 200 and answered.json()["state"] == "approved" and site.woken == 1
    (given,) = answered.json()["answers"]
    assert (given["by"], given["door"], given["account"]) == ("alice", "oidc", f"{NAME}#alice-1")
    assert site.http.get("/v1/requests", headers=site.as_()).json() == {"requests": []}


def test_a_no_needs_a_reason_and_ends_it(site: WebSite) -> None:
    asked = site.asks()
    refused = site.answer(asked, decision="reject")
    assert (refused.status_code, code(refused)) == (422, "reason_missing")
    assert site.answer(asked, decision="reject", reason="demo at noon").json()["state"] == "rejected"


@pytest.mark.parametrize(
    ("subject", "status", "why"),
    [("mallory-1", 403, "unlinked"), ("dave-1", 403, "not_in_group")],
)
def test_who_does_not_count_is_told_and_is_on_the_record(site: WebSite, subject: str, status: int, why: str) -> None:
    asked = site.asks()
    refused = site.answer(asked, subject)
    assert (refused.status_code, code(refused)) == (status, why)
    assert site.codes() == [why] and site.state(asked) is RequestState.PENDING


def test_a_stranger_with_a_good_token_sees_nothing(site: WebSite) -> None:
    asked = site.asks()
    for path in ("/v1/requests", f"/v1/requests/{asked.id}", "/requests", f"/requests/{asked.id}"):
        answer = site.http.get(path, headers=site.as_("mallory-1"))
        assert answer.status_code == 403 and "gpu-3" not in answer.text


def test_an_answer_counts_once_and_for_what_was_seen(site: WebSite) -> None:
    asked = site.asks()
    other = site.answer(asked, digest="0" * 64)
    assert (other.status_code, code(other)) == (409, "stale_digest")
    assert site.answer(asked).status_code == 200
    again = site.answer(asked)
    assert (again.status_code, code(again)) == (409, "not_pending")
    unknown = asked.model_copy(update={"id": "apr-none"})
    gone = site.answer(unknown)
    assert (gone.status_code, code(gone)) == (404, "unknown_request")
    late = site.answer(asked, tier=1)
    assert (late.status_code, code(late)) == (409, "stale_tier")


def test_a_no_after_the_last_yes_ends_it(site: WebSite) -> None:
    asked = site.asks()
    assert site.answer(asked).json()["state"] == "approved"
    assert 'value="reject"' in site.http.get(f"/requests/{asked.id}", headers=site.as_()).text
    assert site.answer(asked, decision="reject", reason="demo at noon").json()["state"] == "rejected"
    assert 'value="reject"' not in site.http.get(f"/requests/{asked.id}", headers=site.as_()).text


def test_a_field_that_comes_twice_counts_for_nothing(site: WebSite) -> None:
    asked = site.asks()
    body = f'{{"decision": "reject", "decision": "approve", "digest": "{asked.digest}"}}'
    headers = {**site.as_(), "Content-Type": "application/json"}
    answer = site.http.post(f"/v1/requests/{asked.id}/answer", content=body, headers=headers)
    assert answer.status_code == 400 and "twice" in answer.text and site.state(asked) is RequestState.PENDING


def test_a_yes_is_taken_back_before_it_is_used(site: WebSite) -> None:
    asked = site.asks()
    assert site.answer(asked).json()["state"] == "approved"
    assert site.answer(asked, decision="withdraw", reason="not yet").status_code == 200
    assert site.state(asked) is not RequestState.APPROVED


def test_of_many_at_once_each_person_counts_once(site: WebSite) -> None:
    asked = site.asks(request(groups={"gpu-oncall": 2}))
    with ThreadPoolExecutor(16) as pool:
        codes = [r.status_code for r in pool.map(lambda _: site.answer(asked, "alice-1"), range(16))]
    assert sorted(codes) == [200, *[409] * 15] and site.state(asked) is RequestState.PENDING
    assert site.answer(asked, "bob-1").json()["state"] == "approved"


# --- tokens that are not believed -----------------------------------------------------------------------------------


def part(document: Any) -> str:
    return urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def forged(site: WebSite, how: str) -> str:
    now, mine = int(site.clock.now().timestamp()), new_key("k1")
    good, ours = site.token(), site.issuer.keys[-1]
    claims = {"iss": NAME, "aud": AUDIENCE, "sub": "alice-1", "iat": now - 10, "exp": now + 300}
    confused = f"{part({'alg': 'HS256', 'kid': 'k1'})}.{part(claims)}"
    mac = hmac.digest(ours.as_pem(private=False), confused.encode(), "sha256")
    made = {
        "none": f"{part({'alg': 'none'})}.{part(claims)}.",
        "none, with the signature of another": f"{part({'alg': 'none'})}.{good.split('.', 1)[1]}",
        "HS256 with the public key": f"{confused}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}",
        "own key, their id": jwt.encode({"alg": "RS256", "kid": "k1"}, claims, mine, algorithms=["RS256"]),
        "own key brought along": jwt.encode(
            {"alg": "RS256", "kid": "x", "jwk": mine.as_dict(private=False)}, claims, mine, algorithms=["RS256"]
        ),
        "own keys elsewhere": jwt.encode(
            {"alg": "RS256", "kid": "x", "jku": "https://evil.example/jwks"}, claims, mine, algorithms=["RS256"]
        ),
        "claims changed": f"{good.split('.')[0]}.{part({**claims, 'sub': 'bob-1'})}.{good.split('.')[2]}",
        "another issuer": site.token(iss="https://id.example.org"),
        "another service": site.token(aud="grafana"),
        "several services": site.token(aud=[AUDIENCE, "grafana"], azp="grafana"),
        "over": site.token(exp=now - 60),
        "not yet": site.token(nbf=now + 61),
        "of tomorrow": site.token(iat=now + 86_400),
        "without an end": site.token(exp=None),
        "an access token": site.token(header={"typ": "at+jwt"}),
        "a logout token": site.token(header={"typ": "logout+jwt"}),
        "nobody": site.token(sub=None),
        "a number": site.token(sub=7),
        "a list of issuers": site.token(iss=[NAME]),
        "deep": f"{part({'alg': 'RS256'})}.{urlsafe_b64encode(b'[' * 4000).decode()}.AAAA",
        "no token": "x",
        "nine kilobytes": "x" * 9000,
        "no letters": "ÿ.ÿ.ÿ",
    }
    return made[how]


FORGED = {
    "none": "token.malformed",
    "none, with the signature of another": "token.malformed",
    "HS256 with the public key": "token.malformed",
    "own key, their id": "token.issuer",
    "own key brought along": "token.malformed",
    "own keys elsewhere": "token.malformed",
    "claims changed": "token.issuer",
    "another issuer": "token.iss",
    "another service": "token.aud",
    "several services": "token.azp",
    "over": "token.expired",
    "not yet": "token.nbf",
    "of tomorrow": "token.iat",
    "without an end": "token.exp",
    "an access token": "token.typ",
    "a logout token": "token.typ",
    "nobody": "token.sub",
    "a number": "token.sub",
    "a list of issuers": "token.iss",
    "deep": "token.malformed",
    "no token": "token.malformed",
    "nine kilobytes": "token.malformed",
    "no letters": "token.malformed",
}


@pytest.mark.parametrize(("how", "why"), FORGED.items(), ids=list(FORGED))
def test_a_token_that_is_not_believed(site: WebSite, how: str, why: str) -> None:
    asked = site.asks()
    bearer = {"Authorization": f"Bearer {forged(site, how)}".encode()}
    body = {"decision": "approve", "digest": asked.digest}
    refused = site.http.post(f"/v1/requests/{asked.id}/answer", json=body, headers=bearer)  # type: ignore[arg-type]
    assert (refused.status_code, code(refused)) == (401, why)
    assert refused.headers["www-authenticate"] == "Bearer"
    assert site.state(asked) is RequestState.PENDING
    assert [reason.split(":")[0] for reason in site.refused()] == [why]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YWxpY2U6eA=="}, {"Authorization": "Bearer"}])
def test_without_a_token_nobody_is_there(site: WebSite, headers: dict[str, str]) -> None:
    site.asks()
    for path in ("/v1/requests", "/requests"):
        assert site.http.get(path, headers=headers).status_code == 401


def test_two_tokens_are_none(site: WebSite) -> None:
    asked = site.asks()
    both = [("Authorization", site.as_()["Authorization"]), ("Authorization", site.as_("bob-1")["Authorization"])]
    assert site.http.get(f"/v1/requests/{asked.id}", headers=both).status_code == 401


def test_ten_megabytes_of_token_are_turned_away_and_the_door_goes_on(site: WebSite) -> None:
    asked = site.asks()
    try:
        answer = site.http.get("/v1/requests", headers={"Authorization": "Bearer " + "x" * 10_000_000})
        assert answer.status_code in (400, 401, 431)
    except httpx.TransportError:
        pass  # the server hangs up before all of it is sent
    assert site.answer(asked).status_code == 200


@pytest.mark.parametrize(("late_s", "believed"), [(-59, True), (59, True), (60, False), (-71, False)])
def test_clocks_may_differ_by_the_leeway_and_no_more(site: WebSite, late_s: int, believed: bool) -> None:
    """A token of which 300 s are left, seen so much after its end; or one made at 10 s ago by a clock so far ahead."""
    site.asks()
    bearer = site.as_()
    site.clock.pass_by(seconds=300 + late_s if late_s > 0 else late_s)
    assert (site.http.get("/v1/requests", headers=bearer).status_code == 200) is believed


def test_forgeries_fill_no_log_and_are_counted(site: WebSite) -> None:
    for _ in range(30):
        site.http.get("/v1/requests", headers={"Authorization": "Bearer x"})
    assert len(site.refused()) == 3
    site.clock.pass_by(minutes=10)
    site.http.get("/v1/requests", headers={"Authorization": "Bearer x"})
    *_, counted, again = site.refused()
    assert len(site.refused()) == 5 and counted.startswith("and 27 more since") and again == site.refused()[0]


# --- what is sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "line 1 column 1"),
        (b"[]", "body"),
        (b'{"decision": "approve"}', "digest"),
        (b'{"decision": "break_glass", "digest": "%s", "reason": "x"}', "decision"),
        (b'{"decision": "edit", "digest": "%s", "reason": "x", "changes": {}}', "decision"),
        (b'{"decision": "approve", "digest": "abc"}', "digest"),
        (b'{"decision": "approve", "digest": "%s", "by": "bob"}', "by"),
        (b'{"decision": "approve", "digest": "%s", "tier": "0"}', "tier"),
        (b'{"decision": "approve", "digest": "%s", "reason": "\\ud800"}', "body"),
        (b'{"decision": "approve", "digest": "%s", "reason": ' + b"[" * 9000, "body"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_place(site: WebSite, body: bytes, place: str) -> None:
    asked = site.asks()
    sent = body.replace(b"%s", asked.digest.encode())
    headers = {**site.as_(), "Content-Type": "application/json"}
    refused = site.http.post(f"/v1/requests/{asked.id}/answer", content=sent, headers=headers)
    assert (refused.status_code, refused.json()["place"]) == (400, place), refused.text
    assert site.state(asked) is RequestState.PENDING


def test_a_body_without_an_end_is_not_read_to_it(site: WebSite) -> None:
    asked = site.asks()
    refused = site.answer(asked, reason="x" * 100_000)
    assert refused.status_code == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_another_site_can_make_a_browser_post_is_no_answer(site: WebSite, kind: str) -> None:
    asked = site.asks()
    body = json.dumps({"decision": "approve", "digest": asked.digest})
    headers = {**site.as_(), "Content-Type": kind}
    assert site.http.post(f"/v1/requests/{asked.id}/answer", content=body, headers=headers).status_code == 415
    crossed = site.answer(asked, headers={"Sec-Fetch-Site": "cross-site"})
    assert (crossed.status_code, code(crossed)) == (403, "form")
    assert site.state(asked) is RequestState.PENDING


def test_a_desk_that_cannot_record_counts_nothing(site: WebSite) -> None:
    asked = site.asks()
    site.outages.begin("approvals", "down", site.clock.now().replace(year=9999))
    refused = site.answer(asked)
    assert refused.status_code == 503 and refused.headers["retry-after"] == "10"
    assert site.http.get(f"/requests/{asked.id}", headers=site.as_()).status_code == 503
