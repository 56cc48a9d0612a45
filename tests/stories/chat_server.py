"""A server that speaks OpenAI's chat completions and says what a script tells it to, however wicked."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Drip:
    """An answer without end: a piece of it, again and again, as long as somebody listens."""

    def __init__(self, every_s: float, piece: bytes = b" ") -> None:
        self.every_s, self.piece = every_s, piece


class Redirect:
    """The answer is said to be elsewhere."""

    def __init__(self, url: str) -> None:
        self.url = url


Reply = str | int | float | None | Drip | Redirect | Callable[[dict[str, Any]], str]
"""What it says; or the status that it fails with; or for how many seconds it says nothing; or no completion at all;
or what it makes of the request."""


class ChatServer:
    """Replies in their order; the last one again and again."""

    def __init__(self, replies: Sequence[Reply], fails_with: dict[str, int] | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self.credentials: list[str | None] = []
        self._replies = list(replies)
        self._fails_with = fails_with or {}  # status by the form of answer that is asked for
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.answer(self, body)

            def log_message(self, format: str, *args: Any) -> None:
                """The test reads `requests`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()  # s until its end

    def answer(self, http: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        self.requests.append(body)
        self.credentials.append(http.headers["Authorization"])
        form = body.get("response_format", {}).get("type", "prompt")
        if form in self._fails_with:
            return _send(http, self._fails_with[form], {"error": {"message": f"{form} is not known here"}})
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        match reply:
            case str():
                _send(http, 200, completion(reply))
            case int():
                _send(http, reply, {"error": {"message": "out of order"}})
            case float():
                time.sleep(reply)
                http.close_connection = True
            case None:
                _send(http, 200, {"hello": "this is another API"})
            case Drip():
                _drip(http, reply)
            case Redirect():
                http.send_response(307)
                http.send_header("Location", reply.url)
                http.send_header("Content-Length", "0")
                http.end_headers()
            case _:
                _send(http, 200, completion(reply(body)))

    def forms(self) -> list[str]:
        return [request.get("response_format", {}).get("type", "prompt") for request in self.requests]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def completion(text: str) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": "scripted", "choices": [choice]}


def _send(http: BaseHTTPRequestHandler, status: int, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    http.send_response(status)
    http.send_header("Content-Type", "application/json")
    http.send_header("Content-Length", str(len(data)))
    http.end_headers()
    http.wfile.write(data)


def _drip(http: BaseHTTPRequestHandler, drip: Drip) -> None:
    http.send_response(200)
    http.send_header("Content-Type", "application/json")
    http.end_headers()
    with suppress(OSError):  # nobody listens any more
        while True:
            http.wfile.write(drip.piece)
            time.sleep(drip.every_s)


@contextmanager
def chat(*replies: Reply, fails_with: dict[str, int] | None = None) -> Iterator[ChatServer]:
    server = ChatServer(replies, fails_with)
    try:
        yield server
    finally:
        server.close()
