"""Who is at the door: the bearer token of each request, held against the issuers that the settings trust.

A browser has its token from the OIDC proxy in front of it, which sets the same header: whoever reaches the door past
the proxy has no token and is nobody. What is not believed is put on the record.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers

from agent.adapters.inbound.problem import Problem
from agent.adapters.oidc import KeysUnreadable, Tokens
from agent.domain.approval import Person
from agent.domain.identity import Claims, Directory
from agent.domain.proposal import Refusal
from agent.ports import Clock

RETRY_AFTER_S: Final = 10


class Visitors:
    def __init__(
        self, tokens: Tokens, directory: Directory, clock: Clock, refused: Callable[[str, str, str], None]
    ) -> None:
        """`refused` (door, place, reason) puts on the record what was not believed; forged tokens cost their sender
        nothing, so it is to count what is alike."""
        self._tokens = tokens
        self._directory = directory
        self._clock = clock
        self._refused = refused

    def claims(self, headers: Headers, place: str) -> Claims:
        """Raises Problem: 401 for a token that is not believed, 503 while that cannot be told."""
        given = headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unauthorized("token.missing", "This door needs one ID token of your provider, as a bearer token.")
        try:
            found = self._tokens.claims(token.strip(), self._clock.now())
        except KeysUnreadable as fault:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "keys-unreadable",
                f"nobody can be known now: {fault}; answer in the terminal meanwhile",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from fault
        if isinstance(found, Refusal):
            self._refused("oidc", place, f"{found.code}: {found.message}")
            raise _unauthorized(found.code, f"{found.message} {found.remedy}")
        return found

    def person(self, claims: Claims) -> Person:
        """Raises Problem: what waits for an answer is shown to people whom the settings know, and to nobody else."""
        found = self._directory.person_of(claims)
        if isinstance(found, Refusal):
            detail = f"{found.message} {found.remedy}"
            raise Problem(HTTPStatus.FORBIDDEN, "not-linked", detail, more={"code": found.code})
        return found


def _unauthorized(code: str, detail: str) -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED, "unauthorized", detail, more={"code": code}, headers={"WWW-Authenticate": "Bearer"}
    )
