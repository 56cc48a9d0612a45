"""Kubernetes Events in both forms."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.adapters.inbound.events import read_events
from agent.domain.signal import EventBody, XidBody

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
XID_79 = "NVRM: Xid (PCI:0000:b3:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
Json = dict[str, Any]


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-02T{text}+00:00")


CORE_EVENT: Json = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "p.17c", "namespace": "law", "uid": "ev-1"},
    "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "law", "name": "train-3"},
    "reason": "FailedScheduling",
    "message": "0/16 nodes are available: 16 Insufficient nvidia.com/gpu.",
    "type": "Warning",
    "count": 3,
    "firstTimestamp": "2026-11-02T08:00:00Z",
    "lastTimestamp": "2026-11-02T08:50:00Z",
    "eventTime": None,
}
NEW_EVENT: Json = {
    "apiVersion": "events.k8s.io/v1",
    "kind": "Event",
    "metadata": {"name": "p.17d", "namespace": "law", "uid": "ev-2"},
    "regarding": {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Workload", "namespace": "law", "name": "w"},
    "reason": "EvictedDueToPodsReadyTimeout",
    "note": "Exceeded the PodsReady timeout",
    "type": "Normal",
    "eventTime": "2026-11-02T08:40:00.000001Z",
    "series": {"count": 2, "lastObservedTime": "2026-11-02T08:55:00.5Z"},
}


@pytest.mark.parametrize(
    ("event", "involved", "severity", "count", "time"),
    [
        (CORE_EVENT, "Pod/law/train-3", "Warning", 3, at("08:50:00")),
        (NEW_EVENT, "Workload/law/w", "Normal", 2, at("08:55:00.5")),
        ({**CORE_EVENT, "lastTimestamp": None}, "Pod/law/train-3", "Warning", 3, at("08:00:00")),
        (
            {"involvedObject": {"kind": "Node", "namespace": "default", "name": "n"}, "reason": "TaskHung"},
            "Node/n",
            "Normal",
            1,
            NOW,
        ),
    ],
)
def test_both_forms_of_an_event(event: Json, involved: str, severity: str, count: int, time: datetime) -> None:
    (signal,) = read_events(event, NOW).signals
    assert isinstance(signal.body, EventBody)
    assert (str(signal.body.involved), signal.body.severity, signal.body.count) == (involved, severity, count)
    assert (signal.time, signal.subject) == (time, involved)


def test_an_event_that_repeats_is_news_and_its_redelivery_is_not() -> None:
    again = {**CORE_EVENT, "count": 4, "lastTimestamp": "2026-11-02T08:55:00Z"}
    listed = {"kind": "EventList", "apiVersion": "v1", "items": [CORE_EVENT, CORE_EVENT, again]}
    assert [s.id for s in read_events(listed, NOW).signals] == ["ev-1:3", "ev-1:3", "ev-1:4"]


def test_a_kernel_line_that_node_problem_detector_wraps_is_that_line_only_for_a_node() -> None:
    for kind, form in (("Node", XidBody), ("Pod", EventBody)):
        about = {"involvedObject": {"kind": kind, "name": "gpu-3"}, "message": XID_79}
        event = {**CORE_EVENT, "metadata": {"name": "e", "namespace": "default"}, **about}
        (signal,) = read_events(event, NOW).signals
        assert isinstance(signal.body, form)


def test_a_malformed_event_is_named() -> None:
    nameless = {**CORE_EVENT, "involvedObject": {"kind": "Pod"}}
    endless = {**CORE_EVENT, "count": 2**53}
    delivery = read_events({"kind": "List", "items": [nameless, {"kind": "Pod"}, endless, CORE_EVENT]}, NOW)
    assert [str(refused) for refused in delivery.refused] == [
        "items[0].involvedObject.name: missing",
        "items[1].kind: expected Event, found 'Pod'",
        "items[2].count: expected less than 2147483648",
    ]
    assert len(delivery.signals) == 1


@pytest.mark.parametrize("kind", ["Node", "ClusterQueue"])
@pytest.mark.parametrize("message", [XID_79, "anything"])
def test_who_may_write_events_in_a_namespace_tells_nothing_of_a_node(kind: str, message: str) -> None:
    """The server takes it: it only wants the two namespaces to be the same."""
    forged = {**CORE_EVENT, "involvedObject": {"kind": kind, "namespace": "law", "name": "n"}, "message": message}
    delivery = read_events({"kind": "EventList", "items": [forged, CORE_EVENT]}, NOW)
    assert [signal.subject for signal in delivery.signals] == ["Pod/law/train-3"]
    assert [refused.place for refused in delivery.refused] == ["items[0].metadata.namespace"]


@pytest.mark.parametrize("namespace", ["default", "kube-system", ""])
def test_events_about_a_node_lie_where_kubernetes_puts_them(namespace: str) -> None:
    about = {"kind": "Node", "name": "n"}
    said = {**CORE_EVENT, "metadata": {"name": "e", "namespace": namespace}, "involvedObject": about, "message": XID_79}
    (signal,) = read_events(said, NOW).signals
    assert isinstance(signal.body, XidBody)
