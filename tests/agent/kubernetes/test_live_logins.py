"""Credentials that run out in the middle of a write, and a login that takes its time: on a server of our own."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kubernetes import client

from agent.adapters.gated import GateClosed
from agent.adapters.kubernetes.live.connection import Connection
from agent.ports import ClusterUnavailable

WRITE_S = 1.0
AMPLE_S = 30.0  # for what is to succeed, or to be refused, however busy the machine is
SETTLED_S = 0.5


class FirstTurnedAway(BaseHTTPRequestHandler):
    asked = 0

    def do_PATCH(self) -> None:
        length = int(self.headers["Content-Length"])
        if len(self.rfile.read(length)) < length:
            return  # as every server does that is told how much comes
        type(self).asked += 1
        status, answer = (401, b"{}") if type(self).asked == 1 else (200, b'{"kind": "Node"}')
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_PATCH

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    FirstTurnedAway.asked = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), FirstTurnedAway) as served:
        threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


class Wall:
    def now(self) -> datetime:
        return datetime.now(UTC)


def connected(url: str, login_s: float, *, at_401: bool = True) -> Connection:
    """A login that takes its time when the server turns us away; else when the token says itself that it is over."""
    logins: list[float] = []

    def configure() -> client.Configuration:
        time.sleep(login_s if logins and at_401 else 0.0)
        logins.append(login_s)
        made = client.Configuration()
        made.host = url
        made.api_key = {"authorization": "Bearer x"}
        made.refresh_api_key_hook = None if at_401 else lambda _: time.sleep(login_s)
        return made

    return Connection(configure, Wall(), lambda *_: None)


def test_a_write_goes_out_again_with_the_new_credentials(server: str) -> None:
    assert connected(server, 0.0).write("PATCH", "/x", [], {}, timeout_s=AMPLE_S) == {"kind": "Node"}


@pytest.mark.parametrize(("at_401", "sent"), [(True, 1), (False, 0)])
def test_a_login_that_outlasts_the_write_leaves_it_undone(server: str, at_401: bool, sent: int) -> None:
    """By then the lease may be another's: who may write has to be asked anew."""
    with pytest.raises(ClusterUnavailable, match="not sent"):
        connected(server, 2 * WRITE_S, at_401=at_401).write("PATCH", "/x", [], {}, timeout_s=WRITE_S)
    assert FirstTurnedAway.asked == sent


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_a_lease_that_ends_while_the_request_is_made_leaves_half_a_request(server: str, method: str) -> None:
    """As when the machine was frozen after the gate: the connection stands, the headers are on their way."""
    asked: list[str] = []

    def over() -> None:
        asked.append("after the headers")
        raise GateClosed("the lease is not held")

    connection = connected(server, 0.0)
    with pytest.raises(GateClosed):
        connection.write(method, "/x", [], {"spec": {}}, timeout_s=AMPLE_S, may_send=over)
    time.sleep(SETTLED_S)
    assert asked == ["after the headers"]
    assert FirstTurnedAway.asked == 0, "what came of it is no body, and so no request"


def test_who_may_write_is_asked_again_for_the_second_try(server: str) -> None:
    """The first is turned away by a 401; meanwhile the lease may have ended."""
    answers = iter([None, GateClosed("the lease is not held")])

    def once() -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    with pytest.raises(GateClosed):
        connected(server, 0.0).write("PATCH", "/x", [], {"spec": {}}, timeout_s=AMPLE_S, may_send=once)
    assert FirstTurnedAway.asked == 1
