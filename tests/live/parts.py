"""A real server as a process that a test can stop, kill, freeze and start again on the same ports and data."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from go_tools import CannotBuild, built
from servers import READY_TIMEOUT_S

STOP_TIMEOUT_S = 10.0
ASK_TIMEOUT_S = 5.0
POLL_S = 0.05
# Below those that Linux and macOS give to clients: else who calls a server that is down may be given the very port it
# calls, and the server finds it taken when it comes back.
PORTS = range(20_000, 32_000)


@dataclass(frozen=True)
class Ready:
    """Where a server says that it is ready, and how one gets in there."""

    url: str
    authority: Path | None = None
    token: str = ""

    def answers(self) -> bool:
        request = urllib.request.Request(self.url)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        trust = ssl.create_default_context(cafile=str(self.authority)) if self.authority else None
        try:
            with urllib.request.urlopen(request, timeout=ASK_TIMEOUT_S, context=trust) as answer:
                return bool(answer.status == 200)
        except OSError:  # HTTPError and refused connections among them
            return False


def lasting_port() -> int:
    """A free port on loopback that a server can come back to."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def binary(tool: str) -> Path:
    try:
        return built(tool)
    except CannotBuild as error:
        pytest.fail(str(error))


class Part:
    """Begins with `begin`, which does not wait, and `await_ready`; `start` is both. Ends with its parent."""

    def __init__(
        self, name: str, command: Sequence[str], ready: Ready, folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        self._command, self._ready, self._folder, self._env = list(command), ready, folder, env
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    def begin(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_ends_with_its_parent(), *self._command],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self._folder, env=self._env,
            )  # fmt: skip

    def await_ready(self) -> None:
        assert self._process is not None
        end = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < end:
            if self._process.poll() is not None:
                pytest.fail(f"{self.name} ended with status {self._process.returncode}:\n{self.tail()}")
            if self._ready.answers():
                return
            time.sleep(POLL_S)
        self.kill()
        pytest.fail(f"{self.name} was not ready within {READY_TIMEOUT_S:g} s:\n{self.tail()}")

    def start(self) -> None:
        self.begin()
        self.await_ready()

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        """As a power cut ends it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """It keeps its connections and answers nobody."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def answers(self) -> bool:
        """That it is ready, now."""
        return self._ready.answers()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self) -> None:
        if self._process is None:
            return
        self.thaw()
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()


def _ends_with_its_parent() -> list[str]:
    """A run of the tests that is killed leaves no servers behind; where the system can."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []
