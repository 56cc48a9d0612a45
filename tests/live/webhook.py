"""An admission webhook that a test answers for: on HTTPS, with a certificate that the API server is told to trust.

What it does to each request is the test's to say. It is asked about objects whose name begins as the test wants, and
about a canary of that name, by which is known that the API server asks it at all.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from certificates import Authority
from control_plane import ControlPlane
from kube import CONTENT, Refused, reference
from servers import wait_for

Json = dict[str, Any]
REGISTRATION = "admissionregistration.k8s.io/v1"
CANARY = "-canary"


@dataclass(frozen=True)
class Answer:
    """`patch`: RFC 6902, of a mutating webhook. `after_s`: how long it thinks about it."""

    allowed: bool = True
    code: int | None = None
    message: str = ""
    patch: tuple[Json, ...] = ()
    after_s: float = 0.0


Decide = Callable[[Json], Answer]


class Webhook:
    def __init__(self, folder: Path, decide: Decide) -> None:
        self.asked: list[Json] = []
        self.decide = decide
        authority = Authority("webhook")
        self.trusted = base64.b64encode(authority.certificate).decode()
        certificate, key = authority.server("127.0.0.1")
        file = folder / "webhook.pem"
        file.touch(mode=0o600)
        file.write_bytes(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}/"

    def answer(self, review: Json) -> Json:
        request = review["request"]
        self.asked.append(request)
        canary = request["name"].endswith(CANARY)
        answer = Answer() if canary else self.decide(request)
        time.sleep(answer.after_s)
        made: Json = {"uid": request["uid"], "allowed": answer.allowed}
        if not answer.allowed:
            made["status"] = {"code": answer.code, "message": answer.message}
        if answer.patch:
            patch = base64.b64encode(json.dumps(answer.patch).encode()).decode()
            made |= {"patchType": "JSONPatch", "patch": patch}
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": made}

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has hung up: that is what it was slow for."""


def _handler(webhook: Webhook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            said = json.dumps(webhook.answer(review)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    return Handler


@contextmanager
def admission(
    plane: ControlPlane,
    folder: Path,
    about: str,
    resource: str,
    decide: Decide,
    *,
    mutating: bool = False,
    failure_policy: str = "Fail",
    timeout_s: int = 5,
) -> Iterator[Webhook]:
    """`about`: how the names begin. `resource`: nodes, deployments, pods/eviction; a canary of it is there already."""
    hook = Webhook(folder, decide)
    kind = f"{'Mutating' if mutating else 'Validating'}WebhookConfiguration"
    named = reference(REGISTRATION, kind, about)
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": [resource]}
    said = {
        "name": f"{about}.tests.example",
        "rules": [rule],
        "clientConfig": {"url": hook.url, "caBundle": hook.trusted},
        "sideEffects": "NoneOnDryRun",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": failure_policy,
        "timeoutSeconds": timeout_s,
        "matchConditions": [{"name": "ours", "expression": f"request.name.startsWith('{about}')"}],
    }
    plane.api.create({**named, "webhooks": [said]})
    try:
        wait_for("the webhook is asked", lambda: _asks(plane, about, resource) and hook.asked)
        yield hook
    finally:
        plane.api.delete(named)
        hook.stop()


def _asks(plane: ControlPlane, about: str, resource: str) -> bool:
    """Whether something dry went through that the webhook is asked about."""
    canary = f"{about}{CANARY}"
    try:
        if resource == "nodes":
            label = {"metadata": {"labels": {"canary": "yes"}}}
            plane.api.ask("PATCH", f"/api/v1/nodes/{canary}", label, CONTENT["merge"], dryRun="All")
        elif resource == "deployments/scale":
            path = f"/apis/apps/v1/namespaces/default/deployments/{canary}/scale"
            plane.api.ask("PUT", path, plane.api.ask("GET", path), dryRun="All")
        else:
            eviction = reference("policy/v1", "Eviction", canary, "default")
            plane.api.ask("POST", f"/api/v1/namespaces/default/pods/{canary}/eviction", eviction, dryRun="All")
    except Refused:
        return False
    return True
