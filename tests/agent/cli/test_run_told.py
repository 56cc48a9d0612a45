"""What `watchkeeper run` tells of itself: its metrics, its traces, its log."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families
from run_house import LINE, SECRET, House

from agent.adapters.inbound.logs import read_logs
from agent.adapters.telemetry import logs
from agent.adapters.telemetry.outages import Outages
from agent.adapters.telemetry.ports import MeasuredLedger
from agent.adapters.telemetry.tracing import NoTraces, ids_of, sending_to, traces_for
from agent.ports import LedgerUnavailable, MetricsUnavailable


def test_what_it_does_is_counted_and_timed(house: Callable[..., House]) -> None:
    here = house()
    here.begin()
    here.falls_off_the_bus()
    assert "patch Node/gpu-6" in here.changes
    assert here.measured("watchkeeper_incidents_total") == 1
    assert here.measured("watchkeeper_signals_total", type="gpu.xid") == 1
    assert here.measured("watchkeeper_actions_total", action="cordon_node", outcome="succeeded") == 1
    assert here.measured("watchkeeper_decision_seconds_count") == 1
    assert here.measured("watchkeeper_signal_to_action_seconds_count", asked="nobody") == 1
    assert here.measured("watchkeeper_stage_seconds_count", stage="judge_again") >= 1
    assert 0 < here.measured("watchkeeper_signal_to_action_seconds_sum") < 60


def test_the_bounds_that_are_promised_can_be_read_off(house: Callable[..., House]) -> None:
    text = house().post.telemetry.instruments.text().decode()
    for name in ("decision_seconds", 'signal_to_action_seconds_bucket{asked="nobody",'):
        assert name.split("{")[0] in text
    here = house()
    here.post.telemetry.instruments.action.labels("nobody").observe(0.31)
    assert here.measured("watchkeeper_signal_to_action_seconds_bucket", le="0.3") == 0
    assert here.measured("watchkeeper_signal_to_action_seconds_bucket", le="0.5") == 1


def test_names_and_units_are_prometheus_own(house: Callable[..., House]) -> None:
    text = house().post.telemetry.instruments.text().decode()
    ours = [f for f in text_string_to_metric_families(text) if f.name.startswith("watchkeeper_")]
    assert len(ours) > 15
    for family in ours:
        assert family.documentation.endswith(".")
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        assert not family.name.endswith(("_ms", "_milliseconds", "_count"))


def test_each_incident_is_a_trace_and_no_word_of_a_stranger_is_in_it(house: Callable[..., House]) -> None:
    here, sent = house(), InMemorySpanExporter()
    here.post.telemetry.traces = sending_to(sent, "0")
    here.begin()
    here.falls_off_the_bus()
    (incident,) = {i["id"] for i in here.recorded("incident")}
    here.post.telemetry.traces.close()
    spans = sent.get_finished_spans()
    assert {"diagnose", "propose", "judge", "judge_again", "execute"} <= {span.name for span in spans}
    trace, root = ids_of(incident)
    assert {span.context.trace_id for span in spans if span.context} == {trace}
    assert {span.parent.span_id for span in spans if span.parent} == {root}
    told = json.dumps([json.loads(span.to_json()) for span in spans])
    assert incident in told and "cordon_node" in told
    assert SECRET not in told


def test_an_incident_that_ended_has_one_root_span_from_its_first_stage_on(house: Callable[..., House]) -> None:
    here, sent = house(), InMemorySpanExporter()
    here.post.telemetry.traces = sending_to(sent, "0")
    agent = here.begin().agent
    line = {**LINE, "line": LINE["line"].replace(" 79,", " 999,")}  # of no known meaning: a person is called
    agent.receive(read_logs(json.dumps(line).encode(), agent.ports.clock.now()).signals)
    agent.run_until_idle()
    here.world.advance_to(here.world.clock.now() + timedelta(minutes=1))  # for what else it may be a sign of
    agent.run_until_idle()
    here.post.telemetry.traces.close()
    (closed,) = here.recorded("incident_closed")
    spans = sent.get_finished_spans()
    (root,) = [span for span in spans if span.name == "incident"]
    stages = [span for span in spans if span is not root]
    assert root.context and (root.context.trace_id, root.context.span_id) == ids_of(closed["incident"])
    assert root.parent is None and root.attributes
    assert root.attributes["watchkeeper.state"] == closed["state"]
    assert len(stages) > 1 and root.start_time and root.end_time
    assert root.start_time <= min(span.start_time or 0 for span in stages)
    for span in stages:
        assert span.parent and (span.parent.trace_id, span.parent.span_id) == ids_of(closed["incident"]), span.name
        assert span.context and span.context.trace_id == root.context.trace_id


def test_each_line_of_the_log_names_incident_and_action(house: Callable[..., House]) -> None:
    here, out = house(), io.StringIO()
    before = logging.getLogger().handlers[:]
    try:
        logs.set_up("json", verbose=True, stream=out)
        here.begin()
        cluster = here.world.cluster
        patch = cluster.patch

        def said(*args: Any, **kwargs: Any) -> Any:
            if not kwargs.get("dry_run"):
                logging.getLogger("urllib3").warning("slow \x1b[31m\nanswer")
            return patch(*args, **kwargs)

        cluster.patch = said  # type: ignore[method-assign]
        here.falls_off_the_bus()
    finally:
        logging.getLogger().handlers[:] = before
    (incident,) = {i["id"] for i in here.recorded("incident")}
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    slow, *_ = [line for line in lines if line["message"].startswith("slow")]
    assert (slow["incident"], slow["stage"]) == (incident, "execute")
    assert slow["action"] == f"{here.recorded('proposal')[0]['id']}/0"
    assert slow["message"] == "slow \x1b[31m\nanswer"


def test_what_becomes_of_an_incident_can_be_followed_by_its_ids(house: Callable[..., House]) -> None:
    here, out = house(), io.StringIO()
    before = logging.getLogger().handlers[:]
    try:
        logs.set_up("json", verbose=False, stream=out)
        here.begin()
        here.falls_off_the_bus()
    finally:
        logging.getLogger().handlers[:] = before
    (incident,) = {i["id"] for i in here.recorded("incident")}
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    ours = [line for line in lines if line["logger"] in ("watchkeeper.incidents", "watchkeeper.watch")]
    assert ours and {line["incident"] for line in ours} == {incident}
    steps = [(line["message"], line["action"]) for line in ours if line["message"].startswith(("intent", "outcome"))]
    proposal = here.recorded("proposal")[0]["id"]
    assert steps[:2] == [("intent: cordon_node", f"{proposal}/0"), ("outcome: succeeded cordon_node", f"{proposal}/0")]
    assert all(line["action"] for line in ours if line["message"].startswith("verdict"))
    assert SECRET not in out.getvalue()


def test_an_incident_is_one_trace_over_a_restart(house: Callable[..., House]) -> None:
    first, second = InMemorySpanExporter(), InMemorySpanExporter()
    for sent in (first, second):
        here = house()
        here.post.telemetry.traces = sending_to(sent, "0")
        turn = here.begin()
        if sent is first:
            here.falls_off_the_bus()
            turn.close()
            here.turn = None
        else:
            turn.agent.run_until_idle()
        here.post.telemetry.traces.close()
    spans = [*first.get_finished_spans(), *second.get_finished_spans()]
    assert first.get_finished_spans() and second.get_finished_spans()
    (incident,) = {i["id"] for i in here.recorded("incident")}
    trace, root = ids_of(incident)
    assert {span.context.trace_id for span in spans if span.context} == {trace}
    assert {span.parent.span_id for span in spans if span.parent} == {root}


def test_an_outage_is_told_when_it_begins_and_ends_and_seldom_in_between(caplog: pytest.LogCaptureFixture) -> None:
    clock = Later()
    outages = Outages(clock)
    caplog.set_level(logging.INFO, "watchkeeper.looks")
    for _ in range(1_800):
        outages.away("prometheus", MetricsUnavailable("connection refused"))
        clock.at += timedelta(seconds=1)
    outages.answers("prometheus")
    outages.answers("prometheus")
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "prometheus does not answer: connection refused"
    assert said[1].startswith("prometheus has not answered since") and "901 times" in said[1]
    assert said[-1].startswith("prometheus answers again") and len(said) == 3


def test_what_it_does_is_measured_where_it_waits(house: Callable[..., House]) -> None:
    here = house()
    here.begin()
    here.falls_off_the_bus()
    assert here.measured("watchkeeper_policy_decision_seconds_count", came_of_it="decision") >= 2
    assert here.measured("watchkeeper_log_append_seconds_count") == here.measured("watchkeeper_records_total") > 5
    assert here.turn is not None
    here.turn._count()
    asked = here.turn.agent.ports.desk.pending()
    assert here.measured("watchkeeper_pending_approvals") == len(asked)
    here.turn.agent.log.store.close()
    unwritable = MeasuredLedger(Broken(), here.post.telemetry)  # type: ignore[arg-type]
    with pytest.raises(LedgerUnavailable):
        unwritable.record("intent", {})
    assert here.measured("watchkeeper_log_append_failures_total", kind="intent") == 1


class Broken:
    """The part of the Ledger port that a full disk breaks."""

    def record(self, kind: str, payload: Any, **_more: Any) -> None:
        raise LedgerUnavailable("disk full")


class Later:
    at = datetime(2026, 11, 2, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


def test_traces_are_off_unless_an_endpoint_is_set() -> None:
    assert isinstance(traces_for("0", {}), NoTraces)
    assert isinstance(
        traces_for("0", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}), NoTraces
    )


def test_traces_are_sent_by_otlp_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Not worth a line each."""

    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()  # seconds until it heeds the end
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    traces = traces_for("0", {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
    with traces.stage("judge", "inc-1"):
        traces.record("verdict", {"decision": "deny", "text": SECRET})
    traces.record("incident_closed", {"incident": "inc-1", "state": "refused"})
    traces.close()
    server.shutdown()
    server.server_close()
    assert {path for path, _ in got} == {"/v1/traces"}
    sent = b"".join(body for _, body in got)
    assert b"judge" in sent and b"inc-1" in sent and b"refused" in sent
    assert SECRET.encode() not in sent
