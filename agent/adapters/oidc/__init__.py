"""Tokens of an OpenID provider, at the doors that speak HTTP: who is it, by whose word, and is that word still good.

The library verifies the signature and the registered claims (RFC 7519, OpenID Connect Core 3.1.3.7); time is an
argument. What comes of it is an account and no more: whose it is, and whether that person's answer counts, is for the
directory. Groups are only taken from an issuer that the settings trust for them, and only those that they name.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import BadSignatureError, ClaimError, ExpiredTokenError, JoseError

from agent.adapters.oidc.keys import Fetch, KeysUnreadable, fetch, keys_of
from agent.domain.identity import Claims, Issuer
from agent.domain.proposal import Refusal

__all__ = ["DOOR", "TOKEN_BYTES_MAX", "KeysUnreadable", "Tokens"]

DOOR = "oidc"
TOKEN_BYTES_MAX = 8192  # what servers take as a header; a token with more is somebody's attack
ID_TOKEN_TYPES = (
    None,
    "JWT",
)  # an access token or a logout token of the same issuer says another thing (RFC 8725, 3.11)


class Tokens:
    """Reads what a door was handed. Which issuer's keys a token is held against says its `iss`; that it was signed by
    them is checked before anything else in it is believed."""

    def __init__(
        self, issuers: Sequence[Issuer], fetch: Fetch = fetch, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = {issuer.issuer: keys_of(issuer, fetch, seconds) for issuer in issuers}

    def claims(self, token: str, now: datetime) -> Claims | Refusal:
        """Whose token it is, or why it is nobody's. Raises KeysUnreadable."""
        named = self._named(token)
        if isinstance(named, Refusal):
            return named
        issuer, kid = named
        keys = self._keys[issuer.issuer].current(kid)
        try:
            read = jwt.decode(token, keys, algorithms=list(issuer.algorithms))
        except BadSignatureError:
            return _refusal("token.issuer", "The issuer that the token names has not signed it.")
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            return _refusal("token.malformed", f"The token cannot be read: {_said(error)}.")
        if read.header.get("typ") not in ID_TOKEN_TYPES:
            return _refusal("token.typ", "The token is of another type than those by which people are known.")
        return _checked(issuer, read.claims, now)

    def _named(self, token: str) -> tuple[Issuer, str | None] | Refusal:
        """The issuer and the key that the token names."""
        if len(token.encode()) > TOKEN_BYTES_MAX:
            return _refusal("token.malformed", f"The token has more than {TOKEN_BYTES_MAX} bytes.")
        header, said = _unverified(token)
        if header is None or said is None:
            return _refusal("token.malformed", "The token cannot be read.")
        named, kid = said.get("iss"), header.get("kid")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            return _refusal("token.iss", "The token is of no issuer that the settings trust.")
        return issuer, kid if isinstance(kid, str) else None


def _unverified(token: str) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Header and claims as anybody could have written them: enough to know against which keys to check."""
    parts = token.split(".")
    if len(parts) != 3:
        return None, None
    return _part(parts[0]), _part(parts[1])


def _part(segment: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(urlsafe_b64decode(segment.encode("ascii") + b"=" * (-len(segment) % 4)))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _checked(issuer: Issuer, said: Mapping[str, Any], now: datetime) -> Claims | Refusal:
    rules = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=issuer.leeway_s,
        iss={"essential": True, "value": issuer.issuer},
        aud={"essential": True, "value": issuer.audience},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        rules.validate(dict(said))
    except ExpiredTokenError:
        return _refusal("token.expired", "The token's time is over.")
    except ClaimError as error:
        return _refusal(f"token.{error.claim}", f"The token is not for this: {_said(error)}.")
    audience = said["aud"]
    if isinstance(audience, list) and len(audience) > 1 and said.get("azp") != issuer.audience:
        return _refusal("token.azp", "The token was made out to several and not to this service.")
    if not isinstance(said["sub"], str) or not said["sub"]:
        return _refusal("token.sub", "The token names nobody.")
    return Claims(door=DOOR, account=f"{issuer.issuer}#{said['sub']}", groups=_groups(issuer, said))


def _groups(issuer: Issuer, said: Mapping[str, Any]) -> tuple[str, ...]:
    if issuer.groups_claim is None:
        return ()
    told = said.get(issuer.groups_claim)
    named = told if isinstance(told, list) else []
    return tuple(sorted({issuer.groups[name] for name in named if isinstance(name, str) and name in issuer.groups}))


def _said(error: Exception) -> str:
    return str(getattr(error, "description", "") or error).rstrip(".")


def _refusal(code: str, message: str) -> Refusal:
    return Refusal(
        code=code, message=message, remedy="Log in again, or have the issuer's entry in the settings looked at."
    )
