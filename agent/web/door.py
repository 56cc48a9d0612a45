"""The routes: `/v1/requests` for programs, `/requests` for browsers. One agent, one desk, one way in for answers.

Handlers run on threads of their own, so that a provider of tokens that is slow holds up no alert at the door beside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from agent.adapters.inbound.problem import Problem
from agent.adapters.inbound.server import read_body
from agent.answering import Answering, Said
from agent.domain.approval import ApprovalRequest, RequestState, missing
from agent.domain.identity import Claims
from agent.ports import AnswerRefused, ApprovalDesk, Clock, Fault
from agent.web.forms import BODY_BYTES_MAX, Seals, form_answer, json_answer, same_origin
from agent.web.pages import Pages, Words
from agent.web.visitors import RETRY_AFTER_S, Visitors

__all__ = ["PeopleDoor", "Words"]

THREADS: Final = 8  # people who look at the same moment
LISTED_MAX: Final = 200
PREFIX: Final = "/v1/requests"
_STATUS: Final = {
    **dict.fromkeys(("unlinked", "not_their_login", "not_in_group", "requester"), HTTPStatus.FORBIDDEN),
    "unknown_request": HTTPStatus.NOT_FOUND,
    "reason_missing": HTTPStatus.UNPROCESSABLE_ENTITY,
}
_NO_STORE: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

PeopleRoute = Route
"""For who wires it and knows no HTTP server."""
Handler = Callable[[Request, bytes], Response]


class PeopleDoor:
    def __init__(
        self,
        visitors: Visitors,
        answering: Answering,
        desk: ApprovalDesk,
        clock: Clock,
        pages: Pages,
        seals: Seals,
        wake: Callable[[], None],
    ) -> None:
        self._visitors = visitors
        self._answering = answering
        self._desk = desk
        self._clock = clock
        self._pages = pages
        self._seals = seals
        self._wake = wake
        self._pool = ThreadPoolExecutor(THREADS, "people")

    def routes(self) -> list[PeopleRoute]:
        of_pages = self._as_page
        return [
            Route(PREFIX, self._endpoint(self._list), methods=["GET"]),
            Route(PREFIX + "/{request}", self._endpoint(self._one), methods=["GET"]),
            Route(PREFIX + "/{request}/answer", self._endpoint(self._answer, "application/json"), methods=["POST"]),
            Route("/requests", self._endpoint(of_pages(self._list_page)), methods=["GET"]),
            Route("/requests/{request}", self._endpoint(of_pages(self._page)), methods=["GET"]),
            Route(
                "/requests/{request}",
                self._endpoint(of_pages(self._form), "application/x-www-form-urlencoded"),
                methods=["POST"],
            ),
        ]

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    # --- for programs -----------------------------------------------------------------------------------------------

    def _list(self, request: Request, _body: bytes) -> Response:
        self._visitors.person(self._claims(request))
        return _json({"requests": [as_json(each) for each in self._desk.pending()[:LISTED_MAX]]})

    def _one(self, request: Request, _body: bytes) -> Response:
        self._visitors.person(self._claims(request))
        return _json(as_json(self._found(request)))

    def _answer(self, request: Request, body: bytes) -> Response:
        same_origin(request.headers)
        claims = self._claims(request)
        return _json(as_json(self._answered(json_answer(body).said(_named(request)), claims)))

    # --- for browsers -----------------------------------------------------------------------------------------------

    def _list_page(self, request: Request, _body: bytes) -> Response:
        person = self._visitors.person(self._claims(request))
        return self._pages.listed(self._desk.pending()[:LISTED_MAX], person)

    def _page(self, request: Request, _body: bytes) -> Response:
        claims = self._claims(request)
        person, found = self._visitors.person(claims), self._found(request)
        return self._pages.one(found, person, self._seals.seal(claims.account, found, self._clock.now()))

    def _form(self, request: Request, body: bytes) -> Response:
        same_origin(request.headers)
        claims, named = self._claims(request), _named(request)
        answer, seal = form_answer(body)
        self._seals.check(seal, claims.account, named, answer.digest, self._clock.now())
        answered = self._answered(answer.said(named), claims)
        return RedirectResponse(f"/requests/{answered.id}", HTTPStatus.SEE_OTHER, _NO_STORE)

    def _as_page(self, handler: Handler) -> Handler:
        """What does not count is said on a page, too."""

        def shown(request: Request, body: bytes) -> Response:
            try:
                return handler(request, body)
            except Problem as problem:
                return self._pages.problem(problem)

        return shown

    # --- what both do -----------------------------------------------------------------------------------------------

    def _claims(self, request: Request) -> Claims:
        return self._visitors.claims(request.headers, request.url.path)

    def _found(self, request: Request) -> ApprovalRequest:
        found = self._desk.get(_named(request))
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-request", "There is no such request.")
        return found

    def _answered(self, said: Said, claims: Claims) -> ApprovalRequest:
        try:
            standing = self._answering.answer(said, claims)
        except AnswerRefused as refused:
            status = _STATUS.get(refused.code, HTTPStatus.CONFLICT)
            raise Problem(status, "does-not-count", str(refused), more={"code": refused.code}) from refused
        self._wake()
        return standing

    def _endpoint(self, handler: Handler, takes: str = "") -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            if takes:
                _check_type(request, takes)
            body = await read_body(request, BODY_BYTES_MAX) if takes else b""
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._handled, handler, request, body)

        return endpoint

    @staticmethod
    def _handled(handler: Handler, request: Request, body: bytes) -> Response:
        try:
            return handler(request, body)
        except Fault as fault:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "not-recorded",
                f"it could not be recorded or read, so nothing counts ({fault.place}); try again in a moment",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from fault


def as_json(request: ApprovalRequest) -> dict[str, Any]:
    """As `watchkeeper approvals show --json` gives it."""
    wanted = list(missing(request)) if request.state is RequestState.PENDING else []
    return request.json_object() | {"digest": request.digest, "still_wanted": wanted}


def _named(request: Request) -> str:
    return str(request.path_params["request"])


def _check_type(request: Request, expected: str) -> None:
    """Always asked for: what a page of another site can post without asking first is none of these as JSON."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != expected:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", f"expected {expected}")


def _json(document: dict[str, Any]) -> Response:
    return JSONResponse(document, headers=_NO_STORE)
