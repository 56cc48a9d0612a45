"""Metrics that nobody can read for long: without them the agent finds nothing by itself, and somebody has to know.

In memory: after a restart the time counts from its first look.
"""

from datetime import datetime

from agent.domain.base import rfc3339
from agent.domain.cluster import ObjectRef
from agent.ports import Ledger, Notifier
from agent.recording import call

PROMETHEUS = ObjectRef(api_version="monitoring.coreos.com/v1", kind="Prometheus", name="telemetry")


class Blindness:
    def __init__(self, notifier: Notifier, ledger: Ledger, call_after_s: int) -> None:
        self._notifier = notifier
        self._ledger = ledger
        self._call_after_s = call_after_s
        self._since: datetime | None = None

    def sees(self) -> None:
        self._since = None

    def blind(self, why: str, now: datetime) -> None:
        """Calls the person on duty once for each time that this lasts. Raises LedgerUnavailable."""
        self._since = self._since or now
        blind_s = (now - self._since).total_seconds()
        if blind_s < self._call_after_s:
            return
        since = rfc3339(self._since)
        message = (
            f"no metrics since {since} ({why}): idle GPUs, hangs and services are not looked after; alerts, logs and "
            "objects are"
        )
        call(self._notifier, self._ledger, PROMETHEUS, message, key=f"metrics-away-{since}/notice")
