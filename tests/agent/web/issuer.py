"""An OpenID provider on a local address: its JWK Set over HTTP, keys that rotate, and ID tokens signed with them.

The protocol is played, the cryptography is not: tokens are signed by joserfc with real keys, and the door fetches the
public ones over a real connection. Login pages are no part of it; the door never sees one.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

NAME, AUDIENCE = "https://id.example.com", "watchkeeper"


def new_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


FIRST_KEY = new_key("k1")  # the same for every issuer: to make one takes a tenth of a second


@dataclass
class LocalIssuer:
    url: str = ""
    keys: list[RSAKey] = field(default_factory=lambda: [FIRST_KEY])
    asked: int = 0
    answers: int = 200
    body: bytes | None = None  # in place of the keys
    dawdles_s: float = 0.0  # between two bytes of the answer

    @property
    def jwks_uri(self) -> str:
        return f"{self.url}/jwks"

    def jwks(self) -> bytes:
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()

    def token(
        self, subject: str = "alice-1", *, header: Any = None, key: Any = None, at: float = 0, **claims: Any
    ) -> str:
        at = int(at or time.time())
        said = {"iss": NAME, "aud": AUDIENCE, "sub": subject, "iat": at - 10, "exp": at + 300, **claims}
        signed_by = key or self.keys[-1]
        made = {"alg": "RS256", "kid": signed_by.kid, **(header or {})}
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(made, said, signed_by, algorithms=[made["alg"]])


@contextmanager
def local_issuer() -> Iterator[LocalIssuer]:
    issuer = LocalIssuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            body = issuer.jwks() if issuer.body is None else issuer.body
            self.send_response(issuer.answers)
            if issuer.answers in (301, 302):
                self.send_header("Location", f"{issuer.url}/elsewhere")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self._send(body)
            except OSError:
                return  # the door has hung up

        def _send(self, body: bytes) -> None:
            if not issuer.dawdles_s:
                self.wfile.write(body)
                return
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(issuer.dawdles_s)

        def log_message(self, *_: Any) -> None:
            """The tests have no use for it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()  # seconds until it heeds the end
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
