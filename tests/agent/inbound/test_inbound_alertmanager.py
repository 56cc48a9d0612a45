"""Alertmanager's webhook: each alert a signal, a repetition a redelivery."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.adapters.inbound.alertmanager import read_alerts
from agent.adapters.inbound.delivery import Malformed
from agent.adapters.inbound.limits import Limits
from agent.domain.signal import AlertBody

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
Json = dict[str, Any]


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-02T{text}+00:00")


def alert(**changes: Any) -> Json:
    return {
        "status": "firing",
        "labels": {"alertname": "GPUXidError", "node": "gpu-3", "xid": "79"},
        "annotations": {"summary": "XID 79 on gpu-3"},
        "startsAt": "2026-11-02T08:58:30.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "0d2bc6aab24073a3",
        **changes,
    }


def webhook(*alerts: Json, **changes: Any) -> Json:
    return {"version": "4", "groupKey": "{}", "status": "firing", "receiver": "w", "alerts": list(alerts), **changes}


def test_an_alert_becomes_a_signal_and_stays_an_alert() -> None:
    (signal,) = read_alerts(webhook(alert()), NOW).signals
    assert signal.body == AlertBody(
        alertname="GPUXidError",
        status="firing",
        labels={"alertname": "GPUXidError", "node": "gpu-3", "xid": "79"},
        annotations={"summary": "XID 79 on gpu-3"},
        fingerprint="0d2bc6aab24073a3",
    )
    assert (signal.type, signal.time) == ("dev.watchkeeper.alert", at("08:58:30.123456"))


def ids(*alerts: Json) -> set[tuple[str, str]]:
    return {(s.source, s.id) for a in alerts for s in read_alerts(webhook(a), NOW).signals}


def test_a_repeated_notification_is_a_redelivery_and_a_new_firing_is_not() -> None:
    repeated = alert(annotations={"summary": "worded anew"}, endsAt="2026-11-02T09:30:00Z")
    assert len(ids(alert(), repeated)) == 1
    assert len(ids(alert(), alert(status="resolved"), alert(startsAt="2026-11-02T10:00:00Z"))) == 3
    bare = [alert(fingerprint=""), alert(fingerprint="", labels={"alertname": "GPUXidError"})]
    assert len(ids(*bare)) == 2


@pytest.mark.parametrize(
    ("changes", "time"),
    [
        ({"startsAt": "0001-01-01T00:00:00Z"}, NOW),
        ({"status": "resolved", "endsAt": "2026-11-02T08:59:00Z"}, at("08:59:00")),
        ({"status": "resolved"}, NOW),
        ({"startsAt": "2026-11-02T09:58:00+01:00"}, at("08:58:00")),
    ],
)
def test_when_an_alert_was(changes: Json, time: datetime) -> None:
    assert read_alerts(webhook(alert(**changes)), NOW).signals[0].time == time


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (alert(labels={"node": "gpu-3"}), "alerts[1].labels.alertname: missing"),
        (alert(labels=None), "alerts[1].labels: expected an object"),
        (alert(labels={"alertname": ["x"]}), "alerts[1].labels.alertname: expected text"),
        (alert(status="burning"), "alerts[1].status: expected 'firing' or 'resolved'"),
        (alert(startsAt="yesterday"), "alerts[1].startsAt: Invalid isoformat string: 'yesterday'"),
        (alert(startsAt="2026-11-02T09:00:00"), "alerts[1].startsAt: '2026-11-02T09:00:00' has no time zone"),
        (alert(labels={"alertname": "x", "big": "y" * 1025}), "alerts[1].labels.big: longer than 1024 characters"),
        ("not an alert", "alerts[1]: expected an object"),
    ],
)
def test_a_malformed_alert_is_named_and_costs_only_itself(bad: Any, complaint: str) -> None:
    delivery = read_alerts(webhook(alert(), bad, alert(fingerprint="other")), NOW)
    assert [str(refused) for refused in delivery.refused] == [complaint]
    assert len(delivery.signals) == 2


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ([], "body: expected an object"),
        (webhook(version="3"), "version: expected '4'"),
        ({"version": "4"}, "alerts: missing"),
        (webhook(*[alert()] * 3), "alerts: 3 items, at most 2 in one delivery"),
    ],
)
def test_a_webhook_that_is_none(bad: Any, complaint: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_alerts(bad, NOW, Limits(max_alerts=2))
    assert str(caught.value) == complaint
