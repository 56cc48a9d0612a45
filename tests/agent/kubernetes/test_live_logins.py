"""Credentials that run out in the middle of a write, and a login that takes its time: on a server of our own."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kubernetes import client

from agent.adapters.kubernetes.live.connection import Connection
from agent.ports import ClusterUnavailable

WRITE_S = 0.5


class FirstTurnedAway(BaseHTTPRequestHandler):
    asked = 0

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).asked += 1
        status, answer = (401, b"{}") if type(self).asked == 1 else (200, b'{"kind": "Node"}')
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

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
    assert connected(server, 0.0).write("PATCH", "/x", [], {}, timeout_s=WRITE_S) == {"kind": "Node"}


@pytest.mark.parametrize(("at_401", "sent"), [(True, 1), (False, 0)])
def test_a_login_that_outlasts_the_write_leaves_it_undone(server: str, at_401: bool, sent: int) -> None:
    """By then the lease may be another's: who may write has to be asked anew."""
    with pytest.raises(ClusterUnavailable, match="not sent"):
        connected(server, 2 * WRITE_S, at_401=at_401).write("PATCH", "/x", [], {}, timeout_s=WRITE_S)
    assert FirstTurnedAway.asked == sent
