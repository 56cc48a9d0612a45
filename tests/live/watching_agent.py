"""A process that watches a cluster as the agent does, and says what that costs: its own test reads the line.

python tests/live/watching_agent.py KUBECONFIG
"""

import json
import sys
import time
from contextlib import suppress
from pathlib import Path

from live_world import Seen

import agent.assembly  # noqa: F401 - what a running agent has in memory besides
from agent.domain.cluster import ClusterView
from agent.ports import ClusterUnavailable

LOOKS_AT_MOST = 5  # each waits a minute for the first lists


def resident_mib(process: int | str = "self") -> float:
    said = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    line = next(each for each in said if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def first_view(seen: Seen) -> ClusterView:
    """A look that waits in vain for a busy server's lists is taken again, as the agent does it."""
    for _ in range(LOOKS_AT_MOST - 1):
        with suppress(ClusterUnavailable):
            return seen.views.take()
    return seen.views.take()


def main(kubeconfig: Path) -> None:
    before = resident_mib()
    begun, busy = time.perf_counter(), time.process_time()
    seen = Seen(kubeconfig)
    view = first_view(seen)
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
