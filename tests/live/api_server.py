"""What of Kubernetes' API a ConfigMap anchor speaks: read, create and server-side apply of one kind, over HTTP.

No API server: a small one that keeps to the protocol (a version for each write, 409 for a stale one, 404, the content
type of an apply, the fields that one manager owns go when it no longer names them). What a real one does besides is not
shown here.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

APPLY = "application/apply-patch+yaml"


class ApiServer:
    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, str]] = []  # verb, path, field manager
        self.agents: set[str] = set()
        self.forbidden = False
        self._versions = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                server.agents.add(self.headers.get("User-Agent", ""))
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                status, answer = server.handle(self.command, self.path, self.headers.get("Content-Type", ""), body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = _answer

            def log_message(self, format: str, *args: Any) -> None:
                """Not worth a line each."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def handle(self, verb: str, target: str, content_type: str, body: Any) -> tuple[int, dict[str, Any]]:
        url = urlsplit(target)
        self.requests.append((verb, url.path, parse_qs(url.query).get("fieldManager", [""])[0]))
        if self.forbidden:
            return self._status(403, "Forbidden")
        namespace, _, name = url.path.removeprefix("/api/v1/namespaces/").partition("/configmaps")
        key = f"{namespace}{name}" if name else f"{namespace}/{body['metadata']['name']}"
        standing = self.objects.get(key)
        if verb == "GET":
            return (200, standing) if standing else self._status(404, "NotFound")
        if verb == "POST":
            return (
                self._status(409, "AlreadyExists") if standing else (201, self._put(key, body, body.get("data") or {}))
            )
        if content_type != APPLY:
            return self._status(415, "UnsupportedMediaType")
        version = body["metadata"].get("resourceVersion")
        if version is not None and (standing is None or standing["metadata"]["resourceVersion"] != version):
            return self._status(409, "Conflict")
        return 200, self._put(key, body, body.get("data") or {})

    def _put(self, key: str, body: dict[str, Any], data: dict[str, str]) -> dict[str, Any]:
        self._versions += 1
        metadata = {"name": body["metadata"]["name"], "resourceVersion": str(self._versions)}
        self.objects[key] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        return self.objects[key]

    def _status(self, code: int, reason: str) -> tuple[int, dict[str, Any]]:
        return code, {"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "code": code}
