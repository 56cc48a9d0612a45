"""How long a decision of the shipped policies takes: by the embedded engine, and by an OPA server on loopback.

The server is measured where an `opa` is on PATH. Times are what a decision is waited for, on the wall clock, because
two processes have a part in it; the rate on one core is counted in processor time of both.
"""

import json
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.adapters.rego import evaluating
from agent.adapters.rego.archive import bundle_archive
from agent.adapters.rego.engine import EmbeddedPolicyEngine
from agent.adapters.rego.evaluator import ENTRYPOINT, Evaluator
from agent.bench.measures import MS_PER_S, Measure, Peer, told
from agent.resources import bundled

DECISIONS = 2_000
HISTORY = 20  # executed actions of the last week
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ACT = {"autonomy": {"default": "act"}}
START_AT_MOST_S = 15.0
_REF = {"apiVersion": "v1", "kind": "Node", "name": "gpu-7"}


def run(*, decisions: int = DECISIONS) -> dict[str, Any]:
    given = _given()
    evaluator = Evaluator()
    engine = EmbeddedPolicyEngine(bundled("policies"), ACT, evaluator=evaluator)
    engine.decide(given)
    cpu_before = _cpu_s()
    embedded = _times(lambda: engine.decide(given), decisions)
    evaluator.close()  # so that its processor time is counted
    cpu_ms = (_cpu_s() - cpu_before) / decisions * MS_PER_S
    conditions = f"{len(engine.bundle.policies)} policies, {HISTORY} past actions, {decisions} decisions"
    measures = [
        Measure("embedded, p50", _at(embedded, 0.5), "ms", conditions, at_most=1.0),
        Measure("embedded, p99", _at(embedded, 0.99), "ms", conditions, at_most=5.0),
        Measure("embedded, on one core", MS_PER_S / cpu_ms, "/s", "processor time of both processes", at_least=1_000),
    ]
    bare = _bare(engine, given, decisions)
    alone = "processor time, in this process, without a limit"
    measures.append(Measure("the interpreter alone, p50", _at(bare, 0.5), "ms", alone))
    measures.append(Measure("the interpreter alone, p99", _at(bare, 0.99), "ms", alone))
    notes = ["The wall clock counts whatever else runs on this machine."]
    opa = shutil.which("opa")
    if opa is None:
        notes.append("No OPA server was measured: there is no `opa` on PATH.")
    else:
        server = _served(opa, engine, given, decisions)
        measures.append(Measure("OPA server, p50", _at(server, 0.5), "ms", f"loopback, {conditions}"))
        measures.append(Measure("OPA server, p99", _at(server, 0.99), "ms", f"loopback, {conditions}", at_most=20.0))
    return told("policy", measures, list[Peer](), notes)


def _given() -> dict[str, Any]:
    radius = {"nodes": ["gpu-7"], "gangs": [], "workloads": [], "pods": 0, "gpus": 8}
    return {
        "now": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "phase": "propose",
        "proposal": {
            **{"id": "inc-1/1", "incident": "inc-1", "action": "cordon_node", "target": _REF, "parameters": {}},
            **{"blast_radius": radius, "destructive": False, "protective": True, "undoes": None, "tenant": ""},
            **{"source": "playbook:xid-79", "confidence": 0.95, "notice_s": 0, "digest": "0" * 64},
        },
        "facts": {
            "nodes": {"total": 1_000, "eligible": 1_000, "ineligible": []},
            "target": {"labels": {}, "annotations": {}},
            **{"namespaces": {}, "touched": [], "gangs": [], "workload": None, "budgets": [], "idle": None},
            "evidence": [_seen("signal", 90), _seen("object", 0), _seen("signal", 60)],
            **{"notice": None, "conflicts": [], "windows": []},
        },
        "standing": {"levels": [], "frozen": None, "breaker": {"tripped_at": None, "reset_at": None}},
        "history": [_past(number) for number in range(HISTORY)],
    }


def _seen(kind: str, age_s: int) -> dict[str, Any]:
    at = (NOW - timedelta(seconds=age_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"kind": kind, "observed_at": at, "age_s": age_s}


def _past(number: int) -> dict[str, Any]:
    """Three repairs a day, each of another node: no two entries alike, every second one the action decided on."""
    node = f"gpu-{number + 10}"
    at = datetime(2026, 10, 31 - number // 3, 16 - number % 3 * 8, tzinfo=UTC)
    return {
        "at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "age_s": int((NOW - at).total_seconds()),
        "action": ("cordon_node", "request_node_repair")[number % 2],
        "target": {**_REF, "name": node},
        "parameters": ({}, {"operation": "reboot"})[number % 2],
        "outcome": "succeeded",
        **{"nodes": [node], "gangs": [], "workloads": [], "gpus": 8, "tenant": "", "undo": False},
        **{"incident": f"inc-0-{number}", "proposal": f"inc-0-{number}/1"},
    }


def _times(decide: Callable[[], object], decisions: int, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Sorted, in milliseconds."""
    found = []
    for _ in range(decisions):
        began = clock()
        decide()
        found.append((clock() - began) * MS_PER_S)
    return sorted(found)


def _at(times: list[float], share: float) -> float:
    return times[min(int(len(times) * share), len(times) - 1)]


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _bare(engine: EmbeddedPolicyEngine, given: Any, decisions: int) -> list[float]:
    interpreter = evaluating.engine_of(engine.bundle.content)

    def decide() -> None:
        interpreter.set_input_json(json.dumps(given))
        interpreter.eval_rule_as_json(ENTRYPOINT)

    return _times(decide, decisions, time.process_time)


def _served(opa: str, engine: EmbeddedPolicyEngine, given: Any, decisions: int) -> list[float]:
    from agent.adapters.opa import OpaPlace, OpaPolicyEngine

    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        bundle = Path(folder) / "bundle.tar.gz"
        bundle.write_bytes(bundle_archive(engine.bundle))
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [opa, "run", "--server", f"--addr=127.0.0.1:{port}", "--log-level=error", "--bundle", str(bundle)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            place = OpaPlace(f"http://127.0.0.1:{port}", timeout_s=START_AT_MOST_S)
            asked = OpaPolicyEngine(bundled("policies"), ACT, server=place)
            end = time.monotonic() + START_AT_MOST_S
            while asked.not_ready() and time.monotonic() < end:
                time.sleep(0.1)
            asked.decide(given)
            return _times(lambda: asked.decide(given), decisions)
        finally:
            server.terminate()
            server.wait()
