"""How long a signal takes to become an executed action on a real API server, and how many a second go through.

    python tests/live/measure_live.py --incidents 500 --rate 2.5

An agent in a process of its own (`watchkeeper run`, shipped policies at level act, limits wide enough for the load), a
real API server and a real Prometheus; each incident is an XID 79 posted as a kernel line, its action the cordon of that
node, dry run, intent and all. The clock starts before the line is posted and stops when a watch of ours says that the
node takes no more pods: nothing of the agent's own word is in it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from control_plane import ControlPlane
from fake_nodes import gpu_node, make_nodes
from kubernetes import client, config, watch
from running_agent import WIDE, Running
from servers import Exporter, free_port, start_prometheus, wait_for
from urllib3.exceptions import HTTPError

from agent.bench.measures import MS_PER_S, Measure, Peer, told

SENDERS = 16
ACCEPTED = 202
SETTLE_TIMEOUT_S = 120.0  # after the last signal,
SETTLE_TIMEOUT_EACH_S = 0.5  # and for each: a storm that goes through at 2 a second is told, not lost
NVSENTINEL = Peer(
    who="NVSentinel",
    what="quarantine of a node, from the event to the cordon",
    figure="p50 0.37 s, p99 0.50 s, 2.5 nodes/s",
    conditions="as published: 1,500 nodes, MongoDB between its modules",
    source="NVIDIA/NVSentinel, docs",
)


class Cordons:
    """When each node stopped taking pods, by a watch of our own."""

    def __init__(self, kubeconfig: Path) -> None:
        self.at: dict[str, float] = {}
        self._api = client.CoreV1Api(config.new_client_from_config(config_file=str(kubeconfig), persist_config=False))
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        with suppress(HTTPError):  # the server is taken down in the end
            for event in watch.Watch().stream(self._api.list_node):
                node = event["object"]
                if node.spec.unschedulable:
                    self.at.setdefault(node.metadata.name, time.monotonic())


def paced(agent: Running, nodes: Sequence[str], rate_per_s: float) -> dict[str, float]:
    """Posts one fault a node at that rate, from threads, so that a slow answer holds up nobody; when each was sent."""
    sent: dict[str, float] = {}

    def post(node: str, due: float) -> None:
        time.sleep(max(0.0, due - time.monotonic()))
        sent[node] = time.monotonic()
        answer = agent.post_xid(node)
        assert answer.status_code == ACCEPTED, f"{answer.text}\n{agent.said()}"

    begun = time.monotonic() + 0.5
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(post, nodes, [begun + index / rate_per_s for index in range(len(nodes))]))
    return sent


def measured(sent: Mapping[str, float], cordons: Cordons, agent: Running) -> dict[str, float]:
    """Once all nodes are cordoned."""
    patience_s = SETTLE_TIMEOUT_S + SETTLE_TIMEOUT_EACH_S * len(sent)
    wait_for("all nodes are cordoned", lambda: sent.keys() <= cordons.at.keys() or None, patience_s)
    took = sorted(cordons.at[node] - moment for node, moment in sent.items())
    span_s = max(cordons.at[node] for node in sent) - min(sent.values())
    return {"p50": at(took, 0.5) * MS_PER_S, "p99": at(took, 0.99) * MS_PER_S, "per_s": len(sent) / span_s}


def at(values: Sequence[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)]


def run(folder: Path, incidents: int, rate_per_s: float, burst_per_s: float, *, kwok: bool = True) -> dict[str, Any]:
    plane = ControlPlane(folder, kwok=kwok)
    exporter = Exporter()
    exporter.page = "DCGM_FI_DEV_GPU_TEMP 40\n"
    prometheus = start_prometheus(folder, exporter, free_port(), {"groups": []})
    try:
        plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watchkeeper"}})
        nodes = fleet(plane, 2 * incidents, kwok=kwok)
        cordons = Cordons(plane.admin)
        agent = Running(folder, plane.admin, prometheus_url=prometheus.url, policy_data=WIDE)
        try:
            agent.leads()
            calm = measured(paced(agent, nodes[:incidents], rate_per_s), cordons, agent)
            print(f"at {rate_per_s:g}/s: {calm}", file=sys.stderr)  # known, whatever becomes of the storm
            burst = measured(paced(agent, nodes[incidents:], burst_per_s), cordons, agent)
            return report(calm, burst, incidents, rate_per_s, burst_per_s)
        finally:
            agent.stop()
    finally:
        prometheus.stop()
        exporter.stop()
        plane.stop()


def fleet(plane: ControlPlane, count: int, *, kwok: bool) -> list[str]:
    """Ready nodes of 8 GPUs; without kwok nobody plays their kubelets."""
    if kwok:
        return make_nodes(plane.api, count)
    names = [f"gpu-{index}" for index in range(count)]
    for index, name in enumerate(names):
        plane.api.create(gpu_node(name, index, 8))
    return names


def report(
    calm: Mapping[str, float], burst: Mapping[str, float], incidents: int, rate_per_s: float, burst_per_s: float
) -> dict[str, Any]:
    conditions = f"{incidents} incidents at {rate_per_s:g}/s, XID 79 to cordon, real API server and Prometheus"
    measures = [
        Measure("signal to action, p50", calm["p50"], "ms", conditions, at_most=300.0),
        Measure("signal to action, p99", calm["p99"], "ms", conditions, at_most=500.0),
        Measure("incidents, sustained", burst["per_s"], "/s", f"{incidents} at {burst_per_s:g}/s", at_least=20.0),
        Measure("signal to action under that load, p50", burst["p50"], "ms", f"{incidents} at {burst_per_s:g}/s"),
        Measure("signal to action under that load, p99", burst["p99"], "ms", f"{incidents} at {burst_per_s:g}/s"),
    ]
    return told("live", measures, [NVSENTINEL], ["The wall clock counts whatever else runs on this machine."])


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--incidents", type=int, default=500)
    words.add_argument("--rate", type=float, default=2.5, help="a second; NVSentinel's published rate")
    words.add_argument("--burst", type=float, default=25.0, help="a second, for what goes through in a row")
    words.add_argument("--without-kwok", action="store_true", help="nobody plays the kubelets")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), asked.incidents, asked.rate, asked.burst, kwok=not asked.without_kwok)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
