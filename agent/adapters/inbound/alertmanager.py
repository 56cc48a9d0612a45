"""Alertmanager's webhook, version 4: each alert a signal. What an alert means is left to `sense`.

The id is fingerprint, status and start, so a repeated notification and the second of two Alertmanager replicas are
redeliveries, and an alert that fires anew is not.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from agent.adapters.inbound.delivery import Delivery, Malformed, signal
from agent.adapters.inbound.limits import LIMITS, Limits
from agent.adapters.inbound.wire import Moment, Wire, check_count, check_labels, check_name, cut, read
from agent.domain.base import digest_of, rfc3339
from agent.domain.signal import AlertBody, Signal
from agent.evidence.subjects import AUTOSCALER_LABELS, NAMESPACE_LABELS, NODE_LABELS, OWNER_LABELS, POD_LABELS

SOURCE = "alertmanager"


class Webhook(Wire):
    version: Literal["4"]
    alerts: list[object]


class Alert(Wire):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: Moment = Field(default=None, alias="startsAt")
    ends_at: Moment = Field(default=None, alias="endsAt")
    fingerprint: str = ""


def read_alerts(document: object, received_at: datetime, limits: Limits = LIMITS) -> Delivery:
    """Raises Malformed when the webhook itself cannot be read; a bad alert in it is refused by itself."""
    webhook = read(Webhook, document)
    check_count("alerts", len(webhook.alerts), limits.max_alerts)
    items = ((f"alerts[{index}]", raw) for index, raw in enumerate(webhook.alerts))
    return Delivery.of_each(items, lambda raw: [_signal(read(Alert, raw), received_at, limits)])


def _signal(alert: Alert, received_at: datetime, limits: Limits) -> Signal:
    check_labels("labels", alert.labels, limits)
    check_count("annotations", len(alert.annotations), limits.max_labels)
    name = alert.labels.get("alertname")
    if not name:
        raise Malformed("labels.alertname", "missing")
    _check_names(name, alert, limits)
    firing = alert.status == "firing"
    body = AlertBody(
        alertname=name,
        status=alert.status,
        labels=alert.labels,
        annotations={key: cut(text, limits) for key, text in alert.annotations.items()},
        fingerprint=alert.fingerprint,
    )
    identity = alert.fingerprint or digest_of(alert.labels)[:16]
    start = rfc3339(alert.starts_at) if alert.starts_at else "-"
    moment = alert.starts_at if firing else alert.ends_at
    return signal(SOURCE, f"{identity}:{alert.status}:{start}", name, moment or received_at, body)


def _check_names(name: str, alert: Alert, limits: Limits) -> None:
    """An alert's name may have any characters; where it names no object, it becomes the name of what it is about."""
    if len(name) > limits.max_name_chars:
        raise Malformed("labels.alertname", f"longer than {limits.max_name_chars} characters")
    if len(alert.fingerprint) > limits.max_name_chars:
        raise Malformed("fingerprint", f"longer than {limits.max_name_chars} characters")
    for label in (*NODE_LABELS, *NAMESPACE_LABELS, *POD_LABELS, *AUTOSCALER_LABELS, *OWNER_LABELS):
        check_name(f"labels.{label}", alert.labels.get(label), limits)
