"""What 1,000 nodes and 20,000 pods on a real API server cost the agent: time to the first view, and memory.

    python tests/live/measure_size.py --tries 3

By the clock, so on a machine that does nothing else. First a process that only watches, a few times; then a whole
`watchkeeper run`, of which only the memory is told: it is ready when it has seen all, and goes on looking.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from control_plane import ControlPlane
from kube import Json
from large_world import MEMORY_AT_MOST_MIB, NODES, PODS, RESYNC_AT_MOST_S, large_plane, watched
from running_agent import Running
from watching_agent import resident_mib

from agent.bench.measures import Measure, told

LOOKS_ON_S = 60.0  # ten looks and more; what it keeps for them is there by then


def run(folder: Path, tries: int) -> dict[str, Any]:
    with large_plane(folder) as plane:
        watching = [watched(plane.admin) for _ in range(tries)]
        return report(watching, running_mib(folder, plane))


def running_mib(folder: Path, plane: ControlPlane) -> float:
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watchkeeper"}})
    agent = Running(folder, plane.admin)
    try:
        agent.leads()
        time.sleep(LOOKS_ON_S)
        return resident_mib(agent.process.pid)
    finally:
        agent.stop()


def report(watching: list[Json], running: float) -> dict[str, Any]:
    conditions = f"{NODES} nodes, {PODS} pods, real API server"
    several = f"{conditions}, median of {len(watching)}"

    def middle(name: str) -> float:
        return median(float(each[name]) for each in watching)

    memory = float(MEMORY_AT_MOST_MIB)
    measures = [
        Measure("resync", middle("resync_s"), "s", several, at_most=RESYNC_AT_MOST_S),
        Measure("resync, the agent's CPU", middle("resync_cpu_s"), "s", several),
        Measure("a process that watches", middle("watching_mib"), "MiB", several, at_most=memory),
        Measure("of it before it watches anything", middle("idle_mib"), "MiB", several),
        Measure("watchkeeper run, a minute after it was ready", round(running), "MiB", conditions, at_most=memory),
    ]
    return told("size", measures, [], ["The wall clock counts whatever else runs on this machine."])


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--tries", type=int, default=3)
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), asked.tries)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
