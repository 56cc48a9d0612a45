"""The SDK's clients, with time-outs and as much retrying as is good while somebody waits. What fails after that is told
at the publisher's next look.
"""

from dataclasses import dataclass

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler

CALL_TIMEOUT_S = 10  # of one call; Slack answers in fractions of a second, or is away
RATE_LIMIT_RETRIES = 2  # each after the pause that Slack asks for


def web_client(token: str, api_url: str) -> WebClient:
    retries = [ConnectionErrorRetryHandler(), RateLimitErrorRetryHandler(RATE_LIMIT_RETRIES)]
    return WebClient(token, api_url, timeout=CALL_TIMEOUT_S, retry_handlers=retries)


class SocketMode:
    """The connection over which Slack's presses come where nothing can reach us. It mends itself once it stood; until
    then it is tried with every look."""

    def __init__(self, app: App, token: str, api_url: str) -> None:
        self._handler = SocketModeHandler(app, token, web_client=web_client(token, api_url))
        self._connected = False

    def keep(self) -> None:
        """Raises SlackClientError or OSError while Slack is away."""
        if not self._connected:
            self._handler.connect()  # type: ignore[no-untyped-call]
            self._connected = True

    def close(self) -> None:
        self._handler.close()  # type: ignore[no-untyped-call]


class SlackAway(Exception):
    """Slack does not answer, or does not know us."""


@dataclass(frozen=True, slots=True)
class Known:
    """Who a token is, and what it may; `scopes` is None where Slack does not say."""

    name: str
    scopes: frozenset[str] | None


def identity(token: str, api_url: str) -> Known:
    """As Slack says. Raises SlackAway."""
    try:
        said = web_client(token, api_url).auth_test()
    except (SlackClientError, OSError) as error:
        raise SlackAway(" ".join(str(error).split())[:300]) from error
    told = {str(name).lower(): str(value) for name, value in (said.headers or {}).items()}.get("x-oauth-scopes")
    scopes = None if told is None else frozenset(filter(None, (scope.strip() for scope in told.split(","))))
    return Known(f"{said.get('user')} of {said.get('team')}", scopes)


def opens_a_socket(token: str, api_url: str) -> None:
    """Whether Slack would let this app token connect; it is not used. Raises SlackAway."""
    try:
        web_client(token, api_url).apps_connections_open(app_token=token)
    except (SlackClientError, OSError) as error:
        raise SlackAway(" ".join(str(error).split())[:300]) from error
