"""Prometheus and what it scrapes, and whether Alertmanager posts to us: what is missing is not seen."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from agent.adapters.live import metrics_of
from agent.config import Settings
from agent.doctor.finding import Finding, fail, ok, warn
from agent.ports import MetricsUnavailable

TIMEOUT_S = 5.0  # a person waits
SEES: Sequence[tuple[str, Sequence[str], str]] = (
    ("dcgm-exporter", ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE"), "idle GPUs"),
    ("dcgm-exporter", ("DCGM_FI_DEV_XID_ERRORS",), "XIDs by itself"),
    ("dcgm-exporter", ("DCGM_FI_DEV_POWER_USAGE",), "a second witness of idleness"),
    ("kube-state-metrics", ("kube_pod_status_phase",), "what Prometheus' own alerts speak of"),
)
SEES_MORE: Sequence[tuple[str, Sequence[str], str]] = (
    ("Kueue", ("kueue_pending_workloads",), "waiting times"),
    ("OpenCost", ("node_gpu_hourly_cost",), "costs"),
    ("vLLM", ("vllm:num_requests_waiting",), "whether services are saturated"),
)
DOOR = "/v1/alertmanager"


def prometheus(settings: Settings) -> Iterator[Finding]:
    if settings.prometheus_url is None:
        yield warn("Prometheus", "none is configured: nothing is idle that cannot be seen", "set prometheus_url")
        return
    try:
        metrics, now = metrics_of(settings), datetime.now(UTC)
        metrics.instant("up", now)
        yield ok("Prometheus", f"{settings.prometheus_url} answers")
        for exporter, names, what in SEES:
            if any(metrics.instant(name, now) for name in names):
                yield ok(exporter, f"{names[0]} is there: {what}")
            else:
                yield warn(exporter, f"{names[0]} is not there: the agent does not see {what}", f"install {exporter}")
        there = [exporter for exporter, names, _ in SEES_MORE if any(metrics.instant(name, now) for name in names)]
        yield ok("more exporters", ", ".join(there) or "none of Kueue, OpenCost, vLLM; none is needed")
    except (MetricsUnavailable, OSError) as fault:
        remedy = "mend it; until then nothing counts as idle, and a person is called after call_when_away_s"
        yield fail("Prometheus", f"no answer: {fault}", remedy)


def alertmanager(settings: Settings) -> Iterator[Finding]:
    """Prometheus knows its Alertmanagers, and each tells its configuration."""
    if settings.prometheus_url is None:
        return
    try:
        found = _json(f"{settings.prometheus_url.rstrip('/')}/api/v1/alertmanagers", settings)
        active = [str(each["url"]) for each in found["data"]["activeAlertmanagers"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        yield warn("Alertmanager", f"Prometheus does not tell its Alertmanagers: {error!r}", "look yourself")
        return
    if not active:
        yield warn("Alertmanager", "Prometheus has none", "send alerts to POST /v1/alertmanager, or do without")
    for url in active:
        yield _routed(url)


def _routed(url: str) -> Finding:
    base = url.split("/api/", maxsplit=1)[0]
    try:
        config = str(_json(f"{base}/api/v2/status")["config"]["original"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return warn(
            "Alertmanager", f"{base} cannot be asked from here: {type(error).__name__}", "look at its receivers"
        )
    if DOOR not in config:
        remedy = f"webhook_configs: [{{url: http://…:9710{DOOR}, send_resolved: true}}]"
        return warn("Alertmanager", f"{base} has no receiver that posts to {DOOR}", remedy)
    return ok("Alertmanager", f"{base} posts to {DOOR}")


def _json(url: str, settings: Settings | None = None) -> Mapping[str, Any]:
    file = settings.prometheus_token_file if settings else None
    headers = {"Authorization": f"Bearer {file.read_text('utf-8').strip()}"} if file else {}
    answer = httpx.get(url, headers=headers, timeout=TIMEOUT_S)
    answer.raise_for_status()
    found: Mapping[str, Any] = answer.json()
    return found
