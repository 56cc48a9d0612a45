"""The monitoring of the story's site: a real Prometheus that already holds an hour of the past, a real Alertmanager."""

from __future__ import annotations

import copy
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from monitoring import XID_RULE
from servers import Exporter, Server, free_port, installed, start_alertmanager, wait_for
from site_telemetry import SiteTelemetry

JOB = "site"
ASK_TIMEOUT_S = 10.0
SCRAPE = "5s"  # often for a site, so that nobody waits for the next one
STANDS_FOR = "15s"
NEWEST_OF_THE_PAST = timedelta(seconds=30)  # before now: what comes later is scraped


class SiteMonitoring:
    """`remember` what lies before, then `start`."""

    def __init__(self, folder: Path, telemetry: SiteTelemetry) -> None:
        self._folder, self._telemetry = folder, telemetry
        self._exporter = Exporter(telemetry.page)
        self._servers: list[Server] = []
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def remember(self, node: str) -> None:
        """Into Prometheus' own files, as promtool fills them in: the past of one node's GPUs."""
        past = self._folder / "past.om"
        until = datetime.now(UTC) - NEWEST_OF_THE_PAST
        past.write_text(self._telemetry.past(node, until, job=JOB, instance=self._target()))
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(past), str(self._data())]
        subprocess.run(command, check=True, capture_output=True)

    def start(self, webhook_url: str) -> None:
        alertmanager, port = start_alertmanager(self._folder, webhook_url)
        self._servers.append(alertmanager)
        rules, config = self._folder / "rules.yml", self._folder / "prometheus.yml"
        rules.write_text(yaml.safe_dump(_patient(XID_RULE)))
        config.write_text(yaml.safe_dump(self._config(rules, port)))
        command = [installed("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={self._data()}"]
        command += [f"--web.listen-address=127.0.0.1:{self._port}", "--rules.alert.resend-delay=5s"]
        self._servers.append(Server("prometheus", command, f"{self.url}/-/ready", self._folder))

    def until_known(self, series: str, count: int, since: timedelta) -> None:
        """So many series of that kind have been scraped for so long."""
        query = {"query": f"{series} offset {since.total_seconds():.0f}s"}

        def known() -> bool:
            answer = httpx.get(f"{self.url}/api/v1/query", params=query, timeout=ASK_TIMEOUT_S).json()
            return len(answer["data"]["result"]) == count

        wait_for(f"{series} is known", known)

    def stop(self) -> None:
        for server in reversed(self._servers):
            server.stop()
        self._exporter.stop()

    def _config(self, rules: Path, alertmanager_port: int) -> dict[str, object]:
        scraped = {"job_name": JOB, "honor_labels": True, "static_configs": [{"targets": [self._target()]}]}
        told = {"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}
        return {
            "global": {"scrape_interval": SCRAPE, "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [scraped],
            "alerting": {"alertmanagers": [told]},
        }

    def _target(self) -> str:
        return f"127.0.0.1:{self._exporter.port}"

    def _data(self) -> Path:
        return self._folder / "prometheus"


def _patient(rules: dict[str, Any]) -> dict[str, Any]:
    """As most sites have it: an alert that has to stand for a while, so that the agent's own look is always first."""
    made = copy.deepcopy(rules)
    for group in made["groups"]:
        for rule in group["rules"]:
            rule["for"] = STANDS_FOR
    return made
