"""The HTTP door: what is posted becomes signals in the inbox, and the watch is woken. It never decides.

POST /v1/alertmanager /v1/cloudevents /v1/events /v1/logs /v1/metrics, GET /healthz /readyz /metrics.
202 when all was stored (or had been: a redelivery is accepted and changes nothing). 400 names what was malformed; the
rest of that delivery is stored all the same. 503 with Retry-After when the inbox cannot store: send it again.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from agent.adapters.inbound.alertmanager import read_alerts
from agent.adapters.inbound.cloudevents import BATCHED, STRUCTURED, read_http
from agent.adapters.inbound.delivery import Delivery, Malformed
from agent.adapters.inbound.events import read_events
from agent.adapters.inbound.health import health_routes
from agent.adapters.inbound.limits import LIMITS, Limits
from agent.adapters.inbound.logs import read_logs
from agent.adapters.inbound.metrics import Gauges, read_metrics
from agent.adapters.inbound.problem import Problem, malformed
from agent.adapters.inbound.wire import json_document, text_of
from agent.ports import Clock, Fault, Inbox

RETRY_AFTER_S = 10  # a store that is locked or full is rarely well again sooner
_JSON = ("application/json",)
_CLOUDEVENTS = (STRUCTURED, BATCHED, "application/json")
_TEXT = ("text/plain", "application/openmetrics-text")
_LINES = ("application/x-ndjson", "application/jsonl", "application/json", "text/plain")

Deliver = Callable[[Mapping[str, str], bytes], Response]


@dataclass
class Doors:
    """What the door needs. `not_ready` says why the agent cannot work now, `details` what is less well and stops
    nothing, `dead` why it should be started anew; `on_refused` (door, place, reason) must not raise. All are called
    from threads of the server.
    """

    inbox: Inbox
    clock: Clock
    wake: Callable[[], None]
    on_refused: Callable[[str, str, str], None]
    not_ready: Callable[[], str | None] = lambda: None
    details: Callable[[], Mapping[str, object]] = dict
    dead: Callable[[], str | None] = lambda: None
    metrics: Callable[[], bytes] | None = None  # what Prometheus is told of the agent itself
    token: str | None = None
    in_charge: Callable[[], bool] = lambda: True  # what is stored by one that is not, nobody looks at
    limits: Limits = LIMITS
    more_routes: Sequence[Route] = ()  # of doors that check who is there themselves
    _gauges: Gauges = field(default_factory=dict)
    _gauges_lock: Lock = field(default_factory=Lock)

    def app(self) -> Starlette:
        doors: Mapping[str, tuple[tuple[str, ...], Deliver]] = {
            "alertmanager": (_JSON, self._alerts),
            "cloudevents": (_CLOUDEVENTS, self._cloudevents),
            "events": (_JSON, self._events),
            "logs": (_LINES, self._logs),
            "metrics": (_TEXT, self._metrics),
        }
        routes = [
            Route(f"/v1/{door}", self._endpoint(door, media_types, deliver), methods=["POST"])
            for door, (media_types, deliver) in doors.items()
        ]
        return application([*routes, *health_routes(self), *self.more_routes])

    # --- the doors; each runs in a thread, since the inbox waits for the disk ---

    def _alerts(self, _headers: Mapping[str, str], body: bytes) -> Response:
        return self._keep(read_alerts(json_document(body, self.limits), self.clock.now(), self.limits))

    def _cloudevents(self, headers: Mapping[str, str], body: bytes) -> Response:
        return self._keep(read_http(headers, body, self.clock.now(), self.limits))

    def _events(self, _headers: Mapping[str, str], body: bytes) -> Response:
        return self._keep(read_events(json_document(body, self.limits), self.clock.now(), self.limits))

    def _logs(self, _headers: Mapping[str, str], body: bytes) -> Response:
        return self._keep(read_logs(body, self.clock.now(), self.limits))

    def _metrics(self, _headers: Mapping[str, str], body: bytes) -> Response:
        """What the gauges said is remembered only when their news is stored: a sender who repeats is heard."""
        with self._gauges_lock:
            reading = read_metrics(text_of(body), self.clock.now(), self._gauges, self.limits)
            new = self._store(reading.delivery)
            self._gauges = reading.gauges
        return _answer(reading.delivery, new)

    def _keep(self, delivery: Delivery) -> Response:
        return _answer(delivery, self._store(delivery))

    def _store(self, delivery: Delivery) -> int:
        """How many signals were new."""
        try:
            new = sum(self.inbox.put(signal) for signal in delivery.signals)
        except Fault as fault:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "not-stored",
                f"the inbox cannot store now ({fault.place}); send it again",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from fault
        if new:
            self.wake()
        return new

    # --- around them ---

    def _endpoint(
        self, door: str, media_types: tuple[str, ...], deliver: Deliver
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self._check_token(request)
            if not self.in_charge():
                raise standby()
            try:
                _check_media_type(request, media_types)
                body = await read_body(request, self.limits.max_body_bytes)
                return await run_in_threadpool(deliver, request.headers, body)
            except Malformed as error:
                refusal = malformed([error], 0)
            except Problem as problem:
                refusal = problem
            await run_in_threadpool(self._note_refusal, door, refusal)
            raise refusal

        return endpoint

    def _note_refusal(self, door: str, problem: Problem) -> None:
        """A delivery that we could not store was not refused: it comes again."""
        if problem.status is HTTPStatus.SERVICE_UNAVAILABLE:
            return
        items = problem.more.get("refused") or [{"place": problem.place, "reason": problem.detail}]
        for refused in items:
            self.on_refused(door, refused["place"], refused["reason"])
        unnamed = problem.more.get("refused_count", len(items)) - len(items)
        if unnamed:
            self.on_refused(door, "", f"and {unnamed} more in the same delivery")

    def _check_token(self, request: Request) -> None:
        if self.token is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self.token.encode()):
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "unauthorized",
                "this door needs the bearer token of the configuration",
                headers={"WWW-Authenticate": "Bearer"},
            )


def standby() -> Problem:
    """The connection is closed, so that the sender's next try may reach the one who leads."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "standby",
        "this agent is not in charge now; send it again",
        headers={"Retry-After": str(RETRY_AFTER_S), "Connection": "close"},
    )


def application(routes: Sequence[BaseRoute]) -> Starlette:
    """Its refusals are problem documents, whatever the route."""
    handlers = {Problem: _answer_problem, HTTPException: _answer_http, 500: _answer_fault}
    return Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]


def _answer(delivery: Delivery, new: int) -> Response:
    if delivery.refused:
        raise malformed(delivery.refused, len(delivery.signals))
    return JSONResponse({"accepted": len(delivery.signals), "new": new}, HTTPStatus.ACCEPTED)


def _check_media_type(request: Request, accepted: tuple[str, ...]) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    named_by_headers = accepted is _CLOUDEVENTS and "ce-specversion" in request.headers  # data of any type
    if given and given not in accepted and not named_by_headers:
        detail = f"expected {' or '.join(accepted)}, not {given[:100]}"
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail, place="Content-Type")
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        detail = f"send it without compression, not as {encoding[:100]}"
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-encoding", detail, place="Content-Encoding")


async def read_body(request: Request, most: int) -> bytes:
    """The body, read no further than the limit whatever Content-Length says."""
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                detail = f"more than {most} bytes"
                raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail, place="body")
            chunks.append(chunk)
    except ClientDisconnect:
        raise Problem(HTTPStatus.BAD_REQUEST, "cut-off", "the sender went away", place="body") from None
    return b"".join(chunks)


async def _answer_problem(request: Request, problem: Problem) -> Response:
    return problem.response(request.url.path)


async def _answer_http(request: Request, error: HTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    problem = Problem(status, status.phrase.lower().replace(" ", "-"), str(error.detail), headers=error.headers or {})
    return problem.response(request.url.path)


async def _answer_fault(request: Request, _error: Exception) -> Response:
    """A fault of ours; Starlette raises it again for the log after this answer."""
    problem = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "a fault of the agent; it is in its log")
    return problem.response(request.url.path)
