"""CloudEvents in the three modes of HTTP."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.adapters.inbound.cloudevents import BATCHED, read_cloudevent, read_http
from agent.adapters.inbound.delivery import Malformed
from agent.domain.signal import ConditionBody, EventBody, LogBody, OtherBody, XidBody

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


def cloudevent(data: Any = None, **changes: Any) -> Json:
    envelope = {"specversion": "1.0", "id": "a-1", "source": "/agents/npd", "type": "dev.watchkeeper.log.line"}
    return {**envelope, "time": "2026-11-02T08:59:00Z", "data": data, **changes}


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (CORE_EVENT, EventBody),
        (NEW_EVENT, EventBody),
        ({"node": "gpu-3", "line": XID_79}, XidBody),
        ({"pod": "law/p", "line": "Killed"}, LogBody),
        ({"node": "gpu-3", "condition": "Ready", "status": "False"}, ConditionBody),
        ({"node": "gpu-3", "xid": 79, "gpu_uuid": "GPU-1"}, XidBody),
    ],
)
def test_what_a_cloudevent_carries(data: Json, form: type) -> None:
    for kind in ("dev.watchkeeper.anything", "org.example.other"):
        (signal,) = read_cloudevent(cloudevent(data, type=kind), NOW)
        assert (signal.id, signal.source) == ("a-1", "/agents/npd")
        assert isinstance(signal.body, form)


def test_what_nobody_here_can_read_is_kept_as_evidence() -> None:
    (signal,) = read_cloudevent(cloudevent({"n": 2**60, "kind": "Event"}, type="org.example.deploy"), NOW)
    assert signal.body == OtherBody(event_type="org.example.deploy", data={"n": str(2**60), "kind": "Event"})
    assert signal.time == at("08:59:00")


def test_a_node_with_two_bad_conditions_is_two_signals() -> None:
    conditions = [{"type": "Ready", "status": "False"}, {"type": "KernelDeadlock", "status": "True"}]
    sick = {"kind": "Node", "metadata": {"name": "gpu-3"}, "status": {"conditions": conditions}}
    assert [s.id for s in read_cloudevent(cloudevent(sick), NOW)] == ["a-1#0", "a-1#1"]


BINARY = {
    "content-type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "a%201",
    "ce-source": "/s",
    "ce-type": "dev.watchkeeper.log.line",
    "ce-subject": "Node/gpu%2D3",
}


def test_the_three_modes_over_http() -> None:
    line = {"node": "gpu-3", "line": "x"}
    structured = read_http(
        {"content-type": "application/cloudevents+json; charset=utf-8"}, _json(cloudevent(line)), NOW
    )
    batched = read_http({"content-type": BATCHED}, _json([cloudevent(line), cloudevent(line, id="a-2")]), NOW)
    binary = read_http(BINARY, _json(line), NOW)
    assert [len(d.signals) for d in (structured, batched, binary)] == [1, 2, 1]
    assert (binary.signals[0].id, binary.signals[0].subject) == ("a 1", "Node/gpu-3")
    assert binary.signals[0].body == structured.signals[0].body


def test_data_that_is_not_json_is_kept_encoded() -> None:
    headers = {**BINARY, "content-type": "image/png", "ce-type": "org.example.picture"}
    (signal,) = read_http(headers, b"\x89PNG", NOW).signals
    assert signal.body == OtherBody(
        event_type="org.example.picture", data={"base64": base64.b64encode(b"\x89PNG").decode()}
    )
    (signal,) = read_cloudevent(
        cloudevent(data_base64=base64.b64encode(_json({"node": "a", "line": "x"})).decode()), NOW
    )
    assert isinstance(signal.body, LogBody)


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (cloudevent({"node": "a", "line": 1.5, "pod": "b"}), "data.node: expected either node or pod"),
        (cloudevent({"unheard": "of"}), "data: expected an Event, a Node, a condition, a log line or an xid"),
        (cloudevent({"node": "a", "xid": 0}), "data.xid: expected greater than or equal to 1"),
        (cloudevent(id=""), "id: empty"),
        (cloudevent(specversion="0.3"), "specversion: expected '1.0'"),
        (cloudevent(data_base64="%"), "data_base64: not base64"),
        (7, "body: expected an object"),
    ],
)
def test_a_malformed_cloudevent_is_named(bad: Any, complaint: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_cloudevent(bad, NOW)
    assert str(caught.value) == complaint


def test_one_bad_cloudevent_of_a_batch_costs_only_itself() -> None:
    batch = [cloudevent({"node": "a", "line": "x"}), cloudevent(type=""), cloudevent({"node": "a", "xid": "x"})]
    delivery = read_http({"content-type": BATCHED}, _json(batch), NOW)
    assert [refused.place for refused in delivery.refused] == ["[1].type", "[2].data.xid"]
    assert len(delivery.signals) == 1


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
