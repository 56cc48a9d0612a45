"""One address for whatever the agent is just now: in charge with all its doors, or a standby with none.

A standby is ready (else a rolling update would wait for ever for it), and takes no deliveries: 503 with Retry-After
and the connection closed, so that the sender's next try may reach the one who leads.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.adapters.inbound.health import health_routes
from agent.adapters.inbound.server import application, standby

__all__ = ["ASGIApp", "Aside", "Front"]


@dataclass
class Aside:
    """Who is not in charge. `not_ready`: why it is no standby either, as who has just won and opens its stores."""

    details: Callable[[], Mapping[str, object]]
    metrics: Callable[[], bytes] | None
    not_ready: Callable[[], str | None] = lambda: None
    dead: Callable[[], str | None] = lambda: None

    def app(self) -> ASGIApp:
        return application([*health_routes(self), Route("/{path:path}", _not_here, methods=["GET", "POST"])])


class Front:
    """An ASGI application that is exchanged while it serves."""

    def __init__(self, first: ASGIApp) -> None:
        self.current = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.current(scope, receive, send)


def _not_here(_request: Request) -> Response:
    raise standby()
