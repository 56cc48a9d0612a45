"""What a snapshot of a large cluster costs in memory, measured in a process of its own.

    python -m agent.bench.memory NODES PODS

prints the peak of the process in bytes before the snapshot is made and after (imports and made-up names included).
"""

import json
import resource
import subprocess
import sys

from agent.bench.measures import Measure
from agent.bench.worlds import cluster, gang
from scheduler_core.model import Pod
from scheduler_core.scheduler import run as run_cycles

PODS_PER_NODE = 10
GIB = 1 << 30
TIMEOUT_S = 600  # a minute on a quiet machine; the measuring process is ended when it takes much longer


def measures(nodes: int) -> list[Measure]:
    pods = nodes * PODS_PER_NODE
    command = [sys.executable, "-m", "agent.bench.memory", str(nodes), str(pods)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)  # noqa: S603 -- our own module
    found = json.loads(ran.stdout)
    conditions = f"{nodes:,} nodes and {pods:,} running pods, peak of a process that holds nothing else"
    grown = (found["after_bytes"] - found["before_bytes"]) / GIB
    return [
        Measure("memory, whole process", found["after_bytes"] / GIB, "GiB", conditions, at_most=1),
        Measure("memory, the snapshot's part", grown, "GiB", conditions),
    ]


def _hold(nodes: int, pods: int) -> dict[str, int]:
    before = _peak_bytes()
    snapshot = cluster(nodes)
    names = list(snapshot.nodes)
    for index in range(pods):
        snapshot.put_pod(
            Pod(name=f"pod-{index:06}", requests={"cpu": 1000, "memory": 1 << 30}, owner="filler"), names[index % nodes]
        )
    snapshot.add_gang(gang("one", "q", 64, 8))
    run_cycles(snapshot, 0)  # so that everything derived is there too
    return {"before_bytes": before, "after_bytes": _peak_bytes()}


def _peak_bytes() -> int:
    """Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


if __name__ == "__main__":
    print(json.dumps(_hold(int(sys.argv[1]), int(sys.argv[2]))))
