"""Real tokens, signed by real keys: what is believed of them, and what is not."""

import hmac
import json
import os
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from agent.adapters.oidc import KeysUnreadable, Tokens
from agent.domain.approval import Person
from agent.domain.identity import Claims, Directory, Issuer
from agent.domain.proposal import Refusal

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
ISSUER, US, SUBJECT = "https://id.example.com", "watchkeeper", "248289761001"
OURS = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
THEIRS = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
ALICE = Person(name="alice", groups=("gpu-oncall",), links={"oidc": (f"{ISSUER}#{SUBJECT}",)})


def keys(folder: Path, *public: Any) -> Path:
    file = folder / "jwks.json"
    file.write_text(json.dumps({"keys": list(public)}))
    return file


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(issuer=ISSUER, audience=US, keys_file=keys(tmp_path, OURS.as_dict(private=False)))


def token(key: Any = OURS, header: dict[str, Any] | None = None, **claims: Any) -> str:
    at = int(NOW.timestamp())
    said = {"iss": ISSUER, "aud": US, "sub": SUBJECT, "iat": at - 60, "exp": at + 300, **claims}
    said = {name: value for name, value in said.items() if value is not None}
    made = {"alg": "RS256", "kid": "k1", **(header or {})}
    return jwt.encode(made, said, key, algorithms=[made["alg"]])


def test_a_good_token_is_an_account_and_the_settings_say_whose(issuer: Issuer) -> None:
    claims = Tokens([issuer]).claims(token(groups=["gpu-oncall", "admins"]), NOW)
    assert claims == Claims(door="oidc", account=f"{ISSUER}#{SUBJECT}")
    assert Directory(people=(ALICE,)).person_of(claims) == ALICE


def test_whom_nobody_linked_does_not_count_whatever_the_token_says_of_groups(issuer: Issuer) -> None:
    trusted = issuer.model_copy(update={"groups_claim": "groups", "groups": {"sre": "gpu-oncall"}})
    claims = Tokens([trusted]).claims(token(sub="somebody-else", groups=["sre"]), NOW)
    assert isinstance(claims, Claims) and claims.groups == ("gpu-oncall",)
    found = Directory(people=(ALICE,)).person_of(claims)
    assert isinstance(found, Refusal) and found.code == "unlinked"


@pytest.mark.parametrize(
    ("trust", "told", "groups"),
    [
        ({}, ["platform-leads"], ("gpu-oncall",)),
        ({"groups": {"leads": "platform-leads"}}, ["leads"], ("gpu-oncall",)),
        ({"groups_claim": "groups"}, ["platform-leads"], ("gpu-oncall",)),
        (
            {"groups_claim": "groups", "groups": {"leads": "platform-leads"}},
            ["leads", "wheel", 7],
            ("gpu-oncall", "platform-leads"),
        ),
        ({"groups_claim": "groups", "groups": {"leads": "platform-leads"}}, "leads", ("gpu-oncall",)),
    ],
)
def test_groups_come_from_the_settings_or_from_an_issuer_trusted_for_them(
    issuer: Issuer, trust: dict[str, Any], told: Any, groups: tuple[str, ...]
) -> None:
    claims = Tokens([issuer.model_copy(update=trust)]).claims(token(groups=told), NOW)
    assert isinstance(claims, Claims)
    person = Directory(people=(ALICE,)).person_of(claims)
    assert isinstance(person, Person) and person.groups == groups


AT = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("forged", "code"),
    [
        (token(THEIRS), "token.issuer"),
        (token(iss="https://id.example.org"), "token.iss"),
        (token(aud="another-service"), "token.aud"),
        (token(aud=[US, "another-service"]), "token.azp"),
        (token(aud=[US, "another-service"], azp="another-service"), "token.azp"),
        (token(exp=AT - 60), "token.expired"),
        (token(exp=AT - 3600), "token.expired"),
        (token(exp=None), "token.exp"),
        (token(exp="tomorrow"), "token.exp"),
        (token(nbf=AT + 61), "token.nbf"),
        (token(iat=AT + 61), "token.iat"),
        (token(iat=None), "token.iat"),
        (token(sub=None), "token.sub"),
        (token(sub=""), "token.sub"),
        (token(aud=None), "token.aud"),
        (token()[:-8] + "AAAAAAAA", "token.issuer"),
        ("not.a.token", "token.malformed"),
        ("", "token.malformed"),
        ("x" * 9000, "token.malformed"),
    ],
)
def test_what_is_not_believed(issuer: Issuer, forged: str, code: str) -> None:
    found = Tokens([issuer]).claims(forged, NOW)
    assert isinstance(found, Refusal) and found.code == code, found


def test_no_algorithm_and_a_shared_secret_are_not_believed(issuer: Issuer, tmp_path: Path) -> None:
    """The classic forgeries: `none`, and the public key used as the secret of an HMAC."""
    head = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    bare = f"{head}.{token().split('.')[1]}."
    signed = f"eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIn0.{token().split('.')[1]}"  # {"alg":"HS256","kid":"k1"}
    mac = hmac.digest(OURS.as_pem(private=False), signed.encode(), "sha256")
    confused = f"{signed}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    for forged in (bare, confused):
        found = Tokens([issuer]).claims(forged, NOW)
        assert isinstance(found, Refusal) and found.code in ("token.malformed", "token.issuer")
    with pytest.raises(KeysUnreadable, match="no public key"):
        Tokens([issuer.model_copy(update={"keys_file": keys(tmp_path, {"kty": "oct", "k": "AAAA"})})]).claims(
            confused, NOW
        )


@pytest.mark.parametrize(("late_s", "believed"), [(59, True), (60, False)])
def test_clocks_may_differ_by_the_leeway_and_no_more(issuer: Issuer, late_s: int, believed: bool) -> None:
    at = NOW + timedelta(seconds=300 + late_s)
    assert isinstance(Tokens([issuer]).claims(token(), at), Claims) is believed
    early = NOW - timedelta(seconds=late_s + 60)
    assert isinstance(Tokens([issuer]).claims(token(), early), Claims) is (late_s + 60 <= 120)


def test_keys_rotate_without_a_restart_and_without_them_nobody_is_known(issuer: Issuer, tmp_path: Path) -> None:
    tokens = Tokens([issuer])
    assert isinstance(tokens.claims(token(), NOW), Claims)
    newer = ECKey.generate_key("P-256", {"kid": "k2", "use": "sig", "alg": "ES256"})
    file = keys(tmp_path, newer.as_dict(private=False))
    os.utime(file, ns=(1, 1))
    assert isinstance(tokens.claims(token(), NOW), Refusal)
    assert isinstance(tokens.claims(token(newer, {"alg": "ES256", "kid": "k2"}), NOW), Claims)
    file.unlink()
    with pytest.raises(KeysUnreadable):
        tokens.claims(token(), NOW)


def test_two_issuers_do_not_speak_for_each_other(issuer: Issuer, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    second = Issuer(
        issuer="https://two.example.com", audience=US, keys_file=keys(folder, THEIRS.as_dict(private=False))
    )
    tokens = Tokens([issuer, second])
    assert isinstance(tokens.claims(token(THEIRS, iss="https://two.example.com"), NOW), Claims)
    crossed = tokens.claims(token(THEIRS), NOW)
    assert isinstance(crossed, Refusal) and crossed.code == "token.issuer"
