"""A server that speaks Slack's Web API as far as the agent uses it, and presses buttons as Slack does: with a
form-encoded payload, signed by v0 over the raw body. The protocol is played here; the SDK on our side is Slack's own.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from agent.adapters.inbound.serving import Serving

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TEAM, CHANNEL = "T0GPU", "C0ONCALL"


@dataclass
class Slack:
    """`calls` are (method, arguments) as they came; `fails` makes every call fail so (a status, or an error's name)."""

    url: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    fails: int | str | None = None
    scopes: str = "chat:write"
    acknowledged: list[dict[str, Any]] = field(default_factory=list)
    _waiting: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    _sent: int = 0

    async def api(self, request: Request) -> Response:
        if isinstance(self.fails, int):
            return Response("away", self.fails, headers={"Retry-After": "1"} if self.fails == 429 else {})
        if self.fails:
            return JSONResponse({"ok": False, "error": self.fails})
        method, arguments = request.path_params["method"], await _arguments(request)
        self.calls.append((method, arguments))
        headers = {"x-oauth-scopes": self.scopes} if method == "auth.test" else {}
        return JSONResponse(self._answer(method, arguments), headers=headers)

    def _answer(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        match method:
            case "chat.postMessage":
                ts = f"1762074000.{len(self.messages):06d}"
                self.messages[ts] = arguments
                return {"ok": True, "ts": ts, "channel": arguments["channel"]}
            case "auth.test":
                return {"ok": True, "user": "watchkeeper", "team": "GPU site"}
            case "apps.connections.open":
                return {"ok": True, "url": self.url.replace("http://", "ws://").replace("/api/", "/link")}
            case "chat.update":
                if arguments["ts"] not in self.messages:
                    return {"ok": False, "error": "message_not_found"}
                self.messages[arguments["ts"]] |= arguments
        return {"ok": True}

    async def socket(self, link: WebSocket) -> None:
        """Socket Mode: sends what `sends` was given, and keeps what is acknowledged."""
        await link.accept()
        await link.send_json({"type": "hello", "num_connections": 1})
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await asyncio.sleep(0.01)
                while self._waiting:
                    number, payload = self._waiting.pop(0)
                    about = {"envelope_id": f"e-{number}", "accepts_response_payload": True}
                    await link.send_json({"type": "interactive", "payload": payload, **about})
                    self.acknowledged.append(await link.receive_json())

    def sends(self, body: str) -> None:
        """The same press or form as over HTTP."""
        payload = json.loads(parse_qs(body)["payload"][0])
        self._sent += 1
        self._waiting.append((self._sent, payload))

    def views(self) -> list[dict[str, Any]]:
        return [arguments["view"] for method, arguments in self.calls if method == "views.open"]

    def buttons(self) -> list[dict[str, Any]]:
        """Of all messages as they stand."""
        blocks = [block for message in self.messages.values() for block in message["blocks"]]
        return [element for block in blocks if block["type"] == "actions" for element in block["elements"]]


async def _arguments(request: Request) -> dict[str, Any]:
    if request.headers["content-type"].startswith("application/json"):
        found = json.loads(await request.body() or b"{}")
    else:
        found = dict(await request.form())
    assert request.headers["authorization"] in ("Bearer xoxb-of-the-test", "Bearer xapp-of-the-test")
    return {key: _parsed(value) for key, value in found.items()}


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value.startswith(("{", "[")) else value


@contextmanager
def slack_server() -> Iterator[Slack]:
    slack = Slack()
    routes = [Route("/api/{method}", slack.api, methods=["POST"]), WebSocketRoute("/link", slack.socket)]
    serving = Serving(Starlette(routes=routes), "127.0.0.1", 0)
    slack.url = f"{serving.url}/api/"
    serving.start()
    try:
        yield slack
    finally:
        serving.stop()


def signed(body: str, *, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """The headers of a request that Slack has signed."""
    stamp = str(int(at if at is not None else time.time()))
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body)
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": str(signature),
        "Content-Type": "application/x-www-form-urlencoded",
    }


def pressed(button: dict[str, Any], user: str, *, team: str = TEAM) -> str:
    """The body that comes when somebody presses it."""
    payload = {
        "type": "block_actions",
        "user": {"id": user, "team_id": team},
        "team": {"id": TEAM},
        "trigger_id": "123.456.abc",
        "channel": {"id": CHANNEL},
        "actions": [{"type": "button", "block_id": "answer", **button}],
    }
    return urlencode({"payload": json.dumps(payload)})


def submitted(view: dict[str, Any], user: str, reason: str | None, *, team: str = TEAM) -> str:
    """The body that comes when somebody sends the form."""
    state = {"values": {"reason": {"text": {"type": "plain_text_input", "value": reason}}}}
    payload = {
        "type": "view_submission",
        "user": {"id": user, "team_id": team},
        "team": {"id": TEAM},
        "view": {**view, "id": "V1", "state": state},
    }
    return urlencode({"payload": json.dumps(payload)})


def post(client: httpx.Client, body: str, headers: dict[str, str] | None = None) -> httpx.Response:
    return client.post("/slack/events", content=body, headers=headers or signed(body))
