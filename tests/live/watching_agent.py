"""A process that watches a cluster as the agent does, and says what that costs: its own test reads the line.

python tests/live/watching_agent.py KUBECONFIG
"""

import json
import sys
import time
from pathlib import Path

from live_world import Seen

import agent.assembly  # noqa: F401 - what a running agent has in memory besides


def resident_mib() -> float:
    line = next(each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main(kubeconfig: Path) -> None:
    before = resident_mib()
    begun, busy = time.perf_counter(), time.process_time()
    seen = Seen(kubeconfig)
    view = seen.views.take()
    told = {
        "nodes": len(view.nodes),
        "pods": len(view.pods),
        "resync_s": round(time.perf_counter() - begun, 2),
        "resync_cpu_s": round(time.process_time() - busy, 2),
        "idle_mib": round(before),
        "watching_mib": round(resident_mib()),
    }
    busy = time.process_time()
    seen.views.take()
    print(json.dumps({**told, "look_cpu_s": round(time.process_time() - busy, 4)}))
    seen.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
