"""The live world: the API server, Prometheus and the site's repair system behind the ports, on the wall clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.adapters.kubernetes.live.access import Access
from agent.adapters.kubernetes.live.cluster import LiveCluster
from agent.adapters.kubernetes.repairs import NoRepairs, RepairResources
from agent.adapters.prometheus.client import PrometheusMetrics
from agent.adapters.prometheus.shared import SharedMetrics
from agent.config import Settings
from agent.ports import Clock, Metrics, MetricsNotConfigured, RepairSystem, Series

Told = Callable[[str, str, str], None]


class WallClock:
    """ports.Clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class NoMetrics:
    """ports.Metrics where no Prometheus is configured: nothing is known, so nothing is idle."""

    def instant(self, query: str, at: datetime) -> list[Series]:
        raise MetricsNotConfigured("no Prometheus is configured (`prometheus_url`)")

    def range(self, query: str, start: datetime, end: datetime, step: object) -> list[Series]:
        raise MetricsNotConfigured("no Prometheus is configured (`prometheus_url`)")


@dataclass(frozen=True)
class LiveWorld:
    clock: Clock
    cluster: LiveCluster
    metrics: Metrics
    repairs: RepairSystem

    def close(self) -> None:
        self.cluster.close()


def access_of(settings: Settings) -> Access:
    return Access(settings.kubeconfig, settings.kube_context)


def live_world(settings: Settings, told: Told, on_change: Callable[[str], None], instance: str) -> LiveWorld:
    """Raises ClusterUnavailable where no cluster is known, OSError for a token that cannot be read."""
    clock = WallClock()
    cluster = LiveCluster(access_of(settings), clock, told=told, on_change=on_change, instance=instance)
    repairs = RepairResources(cluster, settings.repair) if settings.repair else NoRepairs()
    return LiveWorld(clock, cluster, metrics_of(settings), repairs)


def metrics_of(settings: Settings) -> Metrics:
    if settings.prometheus_url is None:
        return NoMetrics()
    file = settings.prometheus_token_file
    headers = {"Authorization": f"Bearer {file.read_text('utf-8').strip()}"} if file else {}
    return SharedMetrics(PrometheusMetrics(settings.prometheus_url, headers))
