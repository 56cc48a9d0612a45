"""GET /healthz, /readyz and /metrics: alive, able to work, and in numbers. For the kubelet, people and Prometheus.

/healthz says 503 only where a new start would help: a server that is away is no reason to be killed.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.adapters.inbound.problem import Problem

EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class Patient(Protocol):
    """Whose health is told; each is called from a thread of the server."""

    @property
    def not_ready(self) -> Callable[[], str | None]: ...
    @property
    def details(self) -> Callable[[], Mapping[str, object]]: ...
    @property
    def dead(self) -> Callable[[], str | None]: ...
    @property
    def metrics(self) -> Callable[[], bytes] | None: ...


def health_routes(patient: Patient) -> list[Route]:
    def healthy(_request: Request) -> Response:
        reason = patient.dead()
        if reason:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "not-alive", reason)
        return JSONResponse({"alive": True})

    def ready(_request: Request) -> Response:
        reason = patient.not_ready()
        if reason:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", reason, more=patient.details())
        return JSONResponse({"ready": True, **patient.details()})

    def metrics(_request: Request) -> Response:
        text = patient.metrics
        if text is None:
            raise Problem(HTTPStatus.NOT_FOUND, "no-metrics", "this agent tells no metrics of itself")
        return Response(text(), media_type=EXPOSITION)

    return [Route("/healthz", healthy), Route("/readyz", ready), Route("/metrics", metrics)]
