"""The Prometheus client against a server of its own: what it reads, and every way of failing as one fault."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from agent.adapters.prometheus.client import PrometheusMetrics
from agent.ports import Metrics, MetricsUnavailable

AT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


class Server(HTTPServer):
    answer: tuple[int, bytes] = (200, b"{}")
    asked: dict[str, list[str]]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        parts = urlsplit(self.path)
        server.asked = {"path": [parts.path], **parse_qs(parts.query)}
        status, body = server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)  # seconds until it heeds the end
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def metrics(server: Server) -> Metrics:
    return PrometheusMetrics(f"http://127.0.0.1:{server.server_port}")


def result(*entries: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"result": list(entries)}}).encode()


def test_an_instant_read(server: Server) -> None:
    server.answer = 200, result({"metric": {"__name__": "up", "pod": "p"}, "value": [AT.timestamp(), "1.5"]})
    (one,) = metrics(server).instant('up{pod="p"}', AT)
    assert (dict(one.labels), one.points) == ({"__name__": "up", "pod": "p"}, ((AT, 1.5),))
    assert server.asked["query"] == ['up{pod="p"}']
    assert float(server.asked["time"][0]) == AT.timestamp()


def test_a_range_read_without_what_is_no_number(server: Server) -> None:
    values = [[AT.timestamp() - 60, "0"], [AT.timestamp() - 30, "NaN"], [AT.timestamp(), "7"]]
    server.answer = 200, result({"metric": {"__name__": "up"}, "values": values})
    (one,) = metrics(server).range("up", AT - timedelta(minutes=1), AT, timedelta(seconds=30))
    assert one.points == ((AT - timedelta(minutes=1), 0.0), (AT, 7.0))
    assert (server.asked["path"], server.asked["step"]) == (["/api/v1/query_range"], ["30s"])


@pytest.mark.parametrize("when", [1e300, -1e300, 1e15, -1e15])
def test_a_time_that_no_calendar_has_is_a_fault_too(server: Server, when: float) -> None:
    server.answer = 200, result({"metric": {"__name__": "up"}, "value": [when, "1"]})
    with pytest.raises(MetricsUnavailable, match="up"):
        metrics(server).instant("up", AT)


@pytest.mark.parametrize(
    "answer",
    [(500, b"oops"), (503, b""), (200, b"<html>"), (200, b"{}"), (200, result({"metric": {}})), (200, b'{"data": 1}')],
)
def test_every_way_of_failing_is_one_fault(server: Server, answer: tuple[int, bytes]) -> None:
    server.answer = answer
    with pytest.raises(MetricsUnavailable, match="up"):
        metrics(server).instant("up", AT)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(MetricsUnavailable):
        PrometheusMetrics("http://127.0.0.1:9").instant("up", AT)


def test_a_range_that_a_server_would_refuse_is_not_asked_for(server: Server) -> None:
    with pytest.raises(ValueError, match="11000"):
        metrics(server).range("up", AT - timedelta(days=30), AT, timedelta(seconds=60))
