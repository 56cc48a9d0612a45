"""A real OPA server on loopback, with the agent's bundle, built from the Go module in servers/opa."""

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from go_tools import CannotBuild, built
from servers import READY_TIMEOUT_S, Server, free_port

from agent.adapters.opa import OpaPlace


def opa() -> str:
    try:
        return str(built("opa"))
    except CannotBuild as error:
        pytest.fail(str(error))


class _Listening(Server):
    """Behind TLS, where its health is nobody's who has no certificate: ready is who takes a connection."""

    def _wait_until_ready(self, url: str) -> None:
        host, port = url.split(":")
        end = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection((host, int(port))).close()
                return
            except OSError:
                time.sleep(0.1)
        self.stop()
        pytest.fail(f"{self.name} does not listen:\n{self.tail()}")


class Opa:
    """Polls `archive` once a second as its one bundle; `url` is where it answers."""

    def __init__(
        self,
        folder: Path,
        archive: bytes,
        *,
        options: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        bundle: Mapping[str, Any] | None = None,
        tls: bool = False,
        ready: str = "/health?bundles",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.archive = archive
        polling = {"min_delay_seconds": 1, "max_delay_seconds": 1}
        self._shelf = self._serving()
        settings = {
            "services": {"shelf": {"url": f"http://127.0.0.1:{self._shelf.server_address[1]}"}},
            "bundles": {"watchkeeper": {"service": "shelf", "resource": "b", "polling": polling, **(bundle or {})}},
            **(config or {}),
        }
        file = folder / "opa.yaml"
        file.write_text(yaml.safe_dump(settings))
        port, health = free_port(), free_port()
        command = [opa(), "run", "--server", f"--addr=127.0.0.1:{port}", f"--diagnostic-addr=127.0.0.1:{health}"]
        command += [f"--config-file={file}", "--log-level=error", "--skip-version-check", *options]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        if tls:
            self.server: Server = _Listening("opa", command, f"127.0.0.1:{port}", folder)
        else:
            self.server = Server("opa", command, f"http://127.0.0.1:{health}{ready}", folder)

    def _serving(self) -> ThreadingHTTPServer:
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                etag = sha256(shelf.archive).hexdigest()
                unchanged = self.headers.get("If-None-Match") == etag
                self.send_response(304 if unchanged else 200)
                self.send_header("ETag", etag)
                self.end_headers()
                if not unchanged:
                    self.wfile.write(shelf.archive)

            def log_message(self, format: str, *args: Any) -> None:
                """A poll a second is not worth a line each."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()  # s until its end
        return server

    def place(self, **more: Any) -> OpaPlace:
        return OpaPlace(self.url, **{"timeout_s": 10, **more})

    def stop(self) -> None:
        self.server.stop()
