"""What pods do beside their GPUs: processors, network and disks, by cAdvisor's counters.

Who prepares data, writes a checkpoint or fetches a dataset is at work although its GPUs are idle. A series that is not
there says nothing: this can only speak against idleness, never for it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from agent.domain.cluster import Pod
from agent.evidence.pod_series import read_pods
from agent.ports import Metrics, Series

WINDOW_S = 900
BYTES_PER_S = 10_000_000  # far above heartbeats and logs, far below any checkpoint
CORES = 1.0  # an idle notebook takes a hundredth of one
TRAFFIC: Mapping[str, tuple[float, str]] = {
    "container_network_transmit_bytes_total": (BYTES_PER_S, "sends"),
    "container_network_receive_bytes_total": (BYTES_PER_S, "receives"),
    "container_fs_writes_bytes_total": (BYTES_PER_S, "writes"),
    "container_fs_reads_bytes_total": (BYTES_PER_S, "reads"),
}
PROCESSORS: Mapping[str, tuple[float, str]] = {"container_cpu_usage_seconds_total": (CORES, "computes on processors")}


def at_work(
    metrics: Metrics, pods: Sequence[Pod], now: datetime, counters: Mapping[str, tuple[float, str]]
) -> tuple[str, ...]:
    """A word on each pod whose counters grow faster than at rest. Raises MetricsUnavailable."""
    start = now - timedelta(seconds=WINDOW_S)
    said = []
    for name, (limit, word) in counters.items():
        for key, series in sorted(read_pods(metrics, name, pods, start, now).items()):
            if sum(_per_second(one) for one in series) >= limit:
                said.append(f"{key[1]} {word}")
    return tuple(said)


def _per_second(one: Series) -> float:
    """Of a counter that may have begun again at 0 in between."""
    if len(one.points) < 2:
        return 0.0
    spent_s = (one.points[-1][0] - one.points[0][0]).total_seconds()
    return max(0.0, one.points[-1][1] - one.points[0][1]) / spent_s if spent_s > 0 else 0.0
