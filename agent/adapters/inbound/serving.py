"""Runs the door's app in a thread of its own, so that the rest of the agent stays synchronous."""

import errno
import os
import socket
import threading

import uvicorn
from starlette.types import ASGIApp

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0  # for requests under way; each is a few inserts
_BACKLOG = 256
_POLL_S = 0.01


def _words(error: OSError) -> str:
    """What the system says, without the address again. A name that cannot be found has no errno of the system."""
    number = error.errno
    return os.strerror(number) if number is not None and number in errno.errorcode else str(error.strerror or error)


class CannotListen(OSError):
    """The address is taken, or not ours."""


class Serving:
    """Listens from construction on (port 0 picks a free one), serves from `start` to `stop`."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        try:
            self._socket = socket.create_server((host, port), backlog=_BACKLOG, reuse_port=False)
        except OverflowError:
            raise CannotListen(f"cannot listen on {host}:{port}: a port is at most 65535") from None
        except OSError as error:
            raise CannotListen(f"cannot listen on {host}:{port}: {_words(error)}") from error
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=int(STOP_TIMEOUT_S)
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="inbound", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(START_TIMEOUT_S / _POLL_S)):
            if self._server.started:
                return
            waited.wait(_POLL_S)
        raise CannotListen(f"the inbound server did not start within {START_TIMEOUT_S:g} s")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(STOP_TIMEOUT_S + 1)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])
