"""A proxy before the API server that a test meddles with: it turns answers away, changes them, or falls silent.

It has a certificate of its own authority, so that a client knows it by another than the API server, and its rules are
tried in their order: the first that has something to say about a request answers it.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3
import yaml
from certificates import Authority
from control_plane import ControlPlane

Json = dict[str, Any]
CHUNK = 65_536
STOPS_WITHIN_S = 0.05  # it is one for each test
_PASSED_ON = ("Authorization", "Accept", "Content-Type", "User-Agent")


@dataclass(frozen=True)
class Instead:
    """What is answered in the API server's place. `headers` are added to those of a real answer, where it is that."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    real: bool = False


Rule = Callable[[str, str], Instead | None]
"""By method and path with query; None: it is passed on."""


class Proxy:
    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._plane, self._folder = plane, folder
        self.rules: list[Rule] = []
        self.asked: list[str] = []
        self.mute = threading.Event()
        self.late_s = 0.0  # how long after its head the body of an answer comes
        self._upstream = urllib3.PoolManager(maxsize=100, ca_certs=str(plane.folder / "ca.crt"), cert_reqs="REQUIRED")
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._port = self._server.server_address[1]
        self.kubeconfig = folder / "proxied.kubeconfig"
        authority = Authority("proxy")
        self.show(authority)
        self.trust(authority)
        threading.Thread(target=self._server.serve_forever, args=(STOPS_WITHIN_S,), daemon=True).start()

    def show(self, authority: Authority) -> None:
        """Whoever connects from now on sees a certificate of this authority."""
        certificate, key = authority.server("127.0.0.1")
        file = self._folder / "proxy.pem"
        file.touch(mode=0o600)
        file.write_bytes(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        self._server.context = context

    def trust(self, authority: Authority) -> None:
        """Whoever reads the kubeconfig from now on believes this authority."""
        said = yaml.safe_load(self._plane.admin.read_text())
        known = {"server": f"https://127.0.0.1:{self._port}"}
        known["certificate-authority-data"] = base64.b64encode(authority.certificate).decode()
        said["clusters"][0]["cluster"] = known
        self.kubeconfig.write_text(yaml.safe_dump(said))

    def raw(self, method: str, path: str, body: bytes | None = None, accept: str = "application/json") -> bytes:
        """What the API server itself answers to its administrator."""
        token = yaml.safe_load(self._plane.admin.read_text())["users"][0]["user"]["token"]
        sent = {"Authorization": f"Bearer {token}", "Accept": accept, "Content-Type": "application/json"}
        answer = self._upstream.request(method, self._plane.url + path, body=body, headers=sent)
        assert answer.status < 300, answer.data
        return bytes(answer.data)

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        method, path = handler.command, handler.path
        self.asked.append(f"{method} {path}")
        said = next((found for rule in self.rules if (found := rule(method, path)) is not None), None)
        if said is not None and not said.real:
            return _answer(handler, said)
        length = int(handler.headers.get("Content-Length") or 0)
        sent = {name: handler.headers[name] for name in _PASSED_ON if handler.headers.get(name)}
        answer = self._upstream.request(
            method, self._plane.url + path, body=handler.rfile.read(length) or None, headers=sent,
            preload_content=False, retries=False,
        )  # fmt: skip
        try:
            self._stream(handler, answer, said)
        finally:
            answer.close()
        return None

    def _stream(self, handler: BaseHTTPRequestHandler, answer: Any, said: Instead | None) -> None:
        handler.send_response_only(answer.status)
        for name, value in {**_headers(answer), **(said.headers if said else {})}.items():
            handler.send_header(name, value)
        handler.send_header("Connection", "close")
        handler.end_headers()
        time.sleep(self.late_s)
        while True:
            part = answer.read1(CHUNK)
            if not part:
                return
            self._when_it_speaks()
            handler.wfile.write(part)
            handler.wfile.flush()

    def _when_it_speaks(self) -> None:
        """What arrives while it is mute is kept back, and lost with the connection."""
        while self.mute.is_set():
            time.sleep(0.05)

    def stop(self) -> None:
        self.mute.clear()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        """The handshake on the request's own thread, by the certificate of now."""
        with suppress(OSError):
            request.settimeout(60)
            super().finish_request(self.context.wrap_socket(request, server_side=True), client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Either side may hang up at any time."""


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            with suppress(OSError, urllib3.exceptions.HTTPError):
                proxy.pass_on(self)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    return Handler


def _headers(answer: Any) -> dict[str, str]:
    kept = ("Content-Type", "Retry-After", "Date")
    return {name: answer.headers[name] for name in kept if name in answer.headers}


def _answer(handler: BaseHTTPRequestHandler, said: Instead) -> None:
    handler.send_response_only(said.status)
    for name, value in {"Content-Type": "application/json", **said.headers}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(said.body)))
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(said.body)


def status(code: int, reason: str = "", message: str = "") -> Instead:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return Instead(code, json.dumps({**body, "message": message or reason}).encode())


@contextmanager
def proxied(plane: ControlPlane, folder: Path) -> Iterator[Proxy]:
    made = Proxy(plane, folder)
    try:
        yield made
    finally:
        made.stop()
