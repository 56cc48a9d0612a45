"""Slack's requests over HTTP. bolt checks the signature (v0 over the raw body, constant time, 300 s either way); a time
or a signature that is none is turned away before it, with the same 401.
"""

from collections.abc import Sequence
from http import HTTPStatus

from slack_bolt import App, BoltRequest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.adapters.inbound.server import read_body

PATH = "/slack/events"
TIME_DIGITS_MAX = 12  # seconds since 1970, for some 30,000 years
BODY_BYTES_MAX = 1_000_000  # the page of a request comes back with each press: tens of kilobytes

_STUMBLES = (AttributeError, KeyError, TypeError, ValueError, RecursionError)
"""What bolt raises over a body in no form of Slack's: it reads the body before it has checked the signature."""

SlackRoute = Route
"""For who wires it and knows no HTTP server."""


def slack_route(app: App) -> SlackRoute:
    async def endpoint(request: Request) -> Response:
        body = await read_body(request, BODY_BYTES_MAX)
        if not _well_formed(request):
            return Response("invalid request", HTTPStatus.UNAUTHORIZED)
        headers: dict[str, str | Sequence[str]] = {n: request.headers.getlist(n) for n in request.headers}
        try:
            bolt = BoltRequest(body=body.decode("utf-8", "replace"), query=dict(request.query_params), headers=headers)
        except _STUMBLES:
            return Response("invalid request", HTTPStatus.UNAUTHORIZED)
        answer = await run_in_threadpool(app.dispatch, bolt)
        return Response(answer.body, answer.status, headers=answer.first_headers_without_set_cookie())

    return Route(PATH, endpoint, methods=["POST"])


def _well_formed(request: Request) -> bool:
    time, signature = (request.headers.get(f"x-slack-{name}", "") for name in ("request-timestamp", "signature"))
    is_time = time.isascii() and time.isdigit() and len(time) <= TIME_DIGITS_MAX
    return is_time and signature.isascii() and signature.startswith("v0=")
