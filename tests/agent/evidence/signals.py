"""Signals in the words of the field, for the judges of services and of training."""

from agent.domain.cluster import ObjectRef
from agent.domain.signal import AlertBody, EventBody


def alert(alertname: str, status: str = "firing", **labels: str) -> AlertBody:
    given = {"alertname": alertname, "status": status, "labels": {"alertname": alertname, **labels}}
    return AlertBody.model_validate(given)


def warning(reason: str, about: ObjectRef, count: int = 1) -> EventBody:
    return EventBody(reason=reason, severity="Warning", involved=about, count=count)
