"""Tokens of an OpenID provider, at the doors that speak HTTP: who is it, by whose word, and is that word still good.

The library verifies the signature and the registered claims (RFC 7519, OpenID Connect Core 3.1.3.7); time is an
argument. What comes of it is an account and no more: whose it is, and whether that person's answer counts, is for the
directory. Groups are only taken from an issuer that the settings trust for them, and only those that they name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import BadSignatureError, ClaimError, ExpiredTokenError, JoseError
from joserfc.jwk import KeySet

from agent.domain.identity import Claims, Issuer
from agent.domain.proposal import Refusal

DOOR = "oidc"
TOKEN_BYTES_MAX = 8192  # what servers take as a header; a token with more is somebody's attack
KEY_TYPES = frozenset({"RSA", "EC"})  # a shared secret among public keys would let its reader sign


class KeysUnreadable(Exception):
    """The issuer's keys are not there, or are none; the door stays shut."""


class Tokens:
    """Reads what a door was handed. The keys are read again when their file changes: providers rotate them."""

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        self._issuers = tuple(issuers)
        self._keys: dict[str, tuple[int, KeySet]] = {}

    def claims(self, token: str, now: datetime) -> Claims | Refusal:
        """Whose token it is, or why it is nobody's. Raises KeysUnreadable."""
        if len(token.encode()) > TOKEN_BYTES_MAX:
            return _refusal("token.malformed", f"The token has more than {TOKEN_BYTES_MAX} bytes.")
        refusal = _refusal("token.issuer", "No issuer that the settings trust has signed this token.")
        for issuer in self._issuers:
            try:
                read = jwt.decode(token, self._keys_of(issuer), algorithms=list(issuer.algorithms))
            except BadSignatureError:
                continue
            except (JoseError, ValueError) as error:
                refusal = _refusal("token.malformed", f"The token cannot be read: {_said(error)}.")
                continue
            return _checked(issuer, read.claims, now)
        return refusal

    def _keys_of(self, issuer: Issuer) -> KeySet:
        try:
            stamp = issuer.keys_file.stat().st_mtime_ns
            known = self._keys.get(issuer.issuer)
            if known is not None and known[0] == stamp:
                return known[1]
            document = json.loads(issuer.keys_file.read_text("utf-8"))
            strange = [key.get("kty") for key in document["keys"] if key.get("kty") not in KEY_TYPES]
            if strange:
                raise KeysUnreadable(f"{issuer.keys_file}: a key of type {strange[0]} is no public key")
            keys = KeySet.import_key_set(document)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, JoseError) as error:
            raise KeysUnreadable(f"{issuer.keys_file}: {error}") from error
        self._keys[issuer.issuer] = (stamp, keys)
        return keys


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
    if not said["sub"]:
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
