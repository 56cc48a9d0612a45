"""What stands around the agent in `watchkeeper run`: the gate before every write, its metrics, its traces, its log."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from agent.adapters.gate import policies_for
from agent.adapters.gated import GatedCluster
from agent.adapters.inbound.logs import read_logs
from agent.adapters.simulated.world import World
from agent.adapters.telemetry import logs
from agent.adapters.telemetry.tracing import NoTraces, ids_of, sending_to, traces_for
from agent.cli.policy import app as policy_app
from agent.cli.post import Post, post_of
from agent.cli.turn import Turn, begin
from agent.config import Settings, as_run, load_settings
from agent.doctor import own

SCENARIO = Path(__file__).parents[3] / "scenarios" / "xid-79-under-a-gang.yaml"
SECRET = "hunter2-in-a-kernel-line"
LINE = {"node": "gpu-6", "line": f"NVRM: Xid (PCI:0000:b3:00): 79, pid=1, GPU has fallen off the bus {SECRET}"}
ACTING = {"autonomy": {"default": "act", "actions": {"request_node_repair": "act_with_approval"}}}


class House:
    def __init__(self, folder: Path, **settings: Any) -> None:
        given = {"policy_data": ACTING} | settings
        self.settings = as_run(
            Settings(world="simulated", simulated_cluster=SCENARIO, database=folder / "w.db", **given)
        )
        self.post: Post = post_of(self.settings)
        self.turn: Turn | None = None

    def begin(self) -> Turn:
        self.turn = begin(self.post)
        return self.turn

    @property
    def world(self) -> World:
        assert self.turn is not None
        world = self.turn.ground.world
        assert isinstance(world, World)
        return world

    @property
    def changes(self) -> list[str]:
        return [f"{effect.verb} {effect.ref}" for effect in self.world.effects]

    def falls_off_the_bus(self) -> None:
        assert self.turn is not None
        agent = self.turn.agent
        agent.receive(read_logs(json.dumps(LINE).encode(), agent.ports.clock.now()).signals)
        agent.run_until_idle(lambda: not self.post.may_act())

    def recorded(self, kind: str) -> list[Any]:
        assert self.turn is not None
        return [record.payload for record in self.turn.agent.log.query(kind=kind)]

    def measured(self, name: str, **labels: str) -> float:
        families = text_string_to_metric_families(self.post.telemetry.instruments.text().decode())
        return sum(
            s.value for f in families for s in f.samples if s.name == name and labels.items() <= s.labels.items()
        )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    made: list[House] = []

    def make(**settings: Any) -> House:
        made.append(House(tmp_path, **settings))
        return made[-1]

    yield make
    for each in made:
        if each.turn is not None:
            each.turn.close()


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


def test_who_only_observes_proposes_records_and_changes_nothing(house: Callable[..., House]) -> None:
    here = house(observe=True)
    here.begin()
    here.falls_off_the_bus()
    assert here.changes == []
    assert [p["action"] for p in here.recorded("proposal")] != []
    assert {v["verdict"]["decision"] for v in here.recorded("verdict")} == {"deny"}
    assert here.recorded("intent") == []


def test_a_live_cluster_is_only_observed_until_somebody_sets_a_level() -> None:
    unset = as_run(Settings(world="live"))
    assert unset.observes
    assert unset.policy_data["autonomy"] == {"default": "observe"}
    assert post_of(unset.model_copy(update={"leader_election": False})).gate.observing
    assert not as_run(Settings(world="live", policy_data=ACTING)).observes
    assert as_run(Settings(world="live", policy_data=ACTING, observe=True)).observes
    assert not as_run(Settings(world="simulated")).observes


def test_the_bundle_that_is_built_and_the_doctors_word_are_of_the_digest_that_runs(tmp_path: Path) -> None:
    """With the same settings and the same flag; a level that only observes is part of what decides."""
    config = tmp_path / "w.yaml"
    config.write_text("world: live\nleader_election: false\n", encoding="utf-8")
    said = {}
    for flags, observe in (((), None), (("--observe",), True), (("--act",), False)):
        told = CliRunner().invoke(policy_app, ["build", str(tmp_path / "b.tar.gz"), "--config", str(config), *flags])
        assert told.exit_code == 0, told.stderr
        settings = as_run(load_settings(config, {"observe": observe}))
        said[observe] = policies_for(settings).digest
        assert f"revision {said[observe]}" in told.stdout
        assert ("only observes" in told.stdout) is settings.observes
    assert said[None] == said[True] != said[False]
    doctor = [each.said for each in own.policies(as_run(load_settings(config)))]
    assert any(said[None][:12] in each for each in doctor)


def test_even_a_level_does_not_open_the_gate_of_who_observes(house: Callable[..., House]) -> None:
    here = house()
    here.post.gate.observing = True
    here.begin()
    here.falls_off_the_bus()
    assert here.changes == []
    assert here.recorded("intent") == []


def test_without_the_lease_nothing_is_begun_and_with_it_it_goes_on(house: Callable[..., House]) -> None:
    here = house()
    held = False
    here.post.gate.held = lambda: held
    turn = here.begin()
    here.falls_off_the_bus()
    assert here.changes == [] and here.recorded("incident") == []
    assert turn.agent.waiting()["inbox"] == 1  # what came is kept
    held = True
    turn.agent.run_until_idle(lambda: not here.post.may_act())
    assert "patch Node/gpu-6" in here.changes


def test_a_lease_lost_in_mid_incident_ends_the_writes_and_leaves_the_thread(house: Callable[..., House]) -> None:
    """The dry run ends it, before there is an intent."""
    here = house()
    asked: list[bool] = []

    def held() -> bool:
        asked.append(True)
        return len(asked) < 3  # to begin, and to sense; not to write

    here.post.gate.held = held
    turn = here.begin()
    here.falls_off_the_bus()
    assert here.changes == [] and here.recorded("intent") == []
    assert [i.id for i in turn.agent.ports.incidents.open()] != []
    here.post.gate.held = lambda: True
    turn.agent.watch._retry_at.clear()
    turn.agent.run_until_idle()
    assert "patch Node/gpu-6" in here.changes


def test_a_stop_lets_the_step_in_hand_end_and_begins_no_other(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM comes while the server is being asked."""
    here = house()
    patch = GatedCluster.patch

    def stopped_meanwhile(self: GatedCluster, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("dry_run"):
            here.post.stop()
        return patch(self, *args, **kwargs)

    monkeypatch.setattr(GatedCluster, "patch", stopped_meanwhile)
    here.begin()
    here.falls_off_the_bus()
    assert here.changes == ["patch Node/gpu-6"]
    assert [o["outcome"] for o in here.recorded("outcome")] == ["succeeded"]
    assert len(here.recorded("intent")) == 1


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
    threading.Thread(target=server.serve_forever, daemon=True).start()
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
