"""A simulated world in one process and the agent in another, so that killing the agent kills nothing else.

The test's process holds the world, its time and the journal of what was changed; the agent's process reaches the ports
over a socket. One call at a time, so the world needs no locks of its own.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

KEY = b"one test's own"  # the socket is a file in the test's folder; the key keeps strays out


class Server:
    """Answers calls `(name, method, arguments)` on the objects it was given, one client after another."""

    def __init__(self, address: Path, objects: dict[str, Any]) -> None:
        self._objects = objects
        self._listener = Listener(str(address), "AF_UNIX", authkey=KEY)
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except (EOFError, ConnectionError):  # killed while it was shaking hands
                continue
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        with suppress(EOFError, OSError):  # the client is gone, which is what these tests are about
            while True:
                name, method, args, kwargs = connection.recv()
                with self._lock:
                    answer = _answer(getattr(self._objects[name], method), args, kwargs)
                connection.send(answer)

    def close(self) -> None:
        self._listener.close()


def _answer(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[bool, Any]:
    try:
        found = function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  whatever it is, it is for the other side
        return False, error
    return True, list(found) if hasattr(found, "__next__") else found


class Line:
    """The client's end."""

    def __init__(self, address: str) -> None:
        self._connection = Client(address, "AF_UNIX", authkey=KEY)

    def call(self, name: str, method: str, args: Any, kwargs: Any) -> Any:
        self._connection.send((name, method, args, kwargs))
        well, found = self._connection.recv()
        if not well:
            raise found
        return found


class Far:
    """An object on the other side: every method that is called here is called there."""

    def __init__(self, line: Line, name: str) -> None:
        self._line, self._name = line, name

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_") or method == "about":  # the other side's metrics tell of all nodes alone
            raise AttributeError(method)
        return lambda *args, **kwargs: self._line.call(self._name, method, args, kwargs)


class FarWorld:
    """assembly.World: the four ports, each on the other side."""

    def __init__(self, line: Line) -> None:
        self.clock = Far(line, "clock")
        self.cluster = Far(line, "cluster")
        self.metrics = Far(line, "metrics")
        self.repairs = Far(line, "repairs")
