"""Real servers on loopback, one of each for every test that asks, and the patience to wait for them."""

import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

READY_TIMEOUT_S = 120.0  # on a machine that does much else; what is ready at once is not waited for
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.1
T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None], timeout_s: float = READY_TIMEOUT_S) -> T:
    """The first thing that `look` finds. Fails the test, saying what did not come."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(_POLL_S)
    pytest.fail(f"{what}: did not happen within {timeout_s:g} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def installed(package: str) -> str:
    """The Debian package's binary, which has its name."""
    found = shutil.which(package)
    if found is None:
        pytest.fail(f"{package} is not installed: run tests/live/install.sh (Debian package {package})")
    return found


class Server:
    """A child process with a log of its own and a URL that answers when it is ready."""

    def __init__(
        self, name: str, command: Sequence[str], ready_url: str, folder: Path, env: Mapping[str, str] | None = None
    ):
        self.name = name
        self.url = ready_url.removesuffix("/-/ready")
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=env)
        self._wait_until_ready(ready_url)

    def _wait_until_ready(self, url: str) -> None:
        end = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                pytest.fail(f"{self.name} ended with status {self.process.returncode}:\n{self.tail()}")
            if _answers(url):
                return
            time.sleep(_POLL_S)
        self.stop()
        pytest.fail(f"{self.name} was not ready within {READY_TIMEOUT_S:g} s:\n{self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Exporter:
    """Serves one page of text exposition, which the test rewrites, or what `tell` says at each scrape."""

    def __init__(self, tell: Callable[[], str] | None = None) -> None:
        self.page = ""
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.end_headers()
                with suppress(ConnectionError):  # a scraper that has given up comes again
                    self.wfile.write((tell() if tell else exporter.page).encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Scrapes are not worth a line each."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def start_alertmanager(folder: Path, webhook_url: str, token: str | None = None) -> tuple[Server, int]:
    port = free_port()
    credentials = {"http_config": {"authorization": {"credentials": token}}} if token else {}
    config = {
        "route": {
            "receiver": "watchkeeper",
            "group_by": ["alertname", "node"],
            "group_wait": "1s",
            "group_interval": "1s",
            "repeat_interval": "2s",
        },
        "receivers": [
            {"name": "watchkeeper", "webhook_configs": [{"url": webhook_url, "send_resolved": True, **credentials}]}
        ],
    }
    file = _written(folder / "alertmanager.yml", config)
    command = [
        installed("prometheus-alertmanager"),
        f"--config.file={file}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    return Server("alertmanager", command, f"http://127.0.0.1:{port}/-/ready", folder), port


def start_prometheus(folder: Path, exporter: Exporter, alertmanager_port: int, rules: Any) -> Server:
    """Scrapes the exporter with `honor_labels: false`, as a cluster's Prometheus does."""
    port = free_port()
    target = {
        "targets": [f"127.0.0.1:{exporter.port}"],
        "labels": {"namespace": "gpu-operator", "pod": "dcgm-exporter-x"},
    }
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(_written(folder / "rules.yml", rules))],
        "scrape_configs": [{"job_name": "dcgm", "static_configs": [target]}],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}]},
    }
    file = _written(folder / "prometheus.yml", config)
    command = [
        installed("prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
    ]
    return Server("prometheus", command, f"http://127.0.0.1:{port}/-/ready", folder)


def _written(file: Path, content: Any) -> Path:
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
