"""A stranger's string that becomes a name, a key or a line in a chat has to be able to be a name."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.adapters.inbound.alertmanager import read_alerts
from agent.adapters.inbound.cloudevents import read_cloudevent
from agent.adapters.inbound.conditions import read_condition, read_node
from agent.adapters.inbound.delivery import Malformed
from agent.adapters.inbound.events import read_event
from agent.adapters.inbound.logs import read_log
from agent.adapters.inbound.metrics import read_metrics

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
BAD = ["x" * 5000, "gpu 1", "gpu\u202e1", "gpu\n1", "gpu\x1b[31m"]
LINE = "NVRM: Xid (PCI:0000:b3:00): 79, GPU has fallen off the bus."
CLOUD = {"specversion": "1.0", "id": "1", "source": "s", "type": "dev.watchkeeper.gpu.xid"}


def event(**about: Any) -> dict[str, Any]:
    involved = {"kind": "Pod", "namespace": "law", "name": "x-0", "apiVersion": "v1", **about}
    return {"metadata": {"name": "e", "namespace": "law"}, "involvedObject": involved, "reason": "TaskHung"}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_is_refused_by_its_place(name: str) -> None:
    readers: list[tuple[str, Any, Any]] = [
        ("node", read_log, {"node": name, "line": LINE}),
        ("pod", read_log, {"pod": f"law/{name}", "line": LINE}),
        ("namespace", read_log, {"pod": "x-0", "namespace": name, "line": LINE}),
        ("node", read_condition, {"node": name, "condition": "Ready", "status": "False"}),
        ("involvedObject.name", read_event, event(name=name)),
        ("involvedObject.namespace", read_event, event(namespace=name)),
        ("involvedObject.kind", read_event, event(kind=name)),
        ("involvedObject.apiVersion", read_event, event(apiVersion=name)),
        ("data.node", read_cloudevent, {**CLOUD, "data": {"node": name, "xid": 79}}),
        ("data.gpu_uuid", read_cloudevent, {**CLOUD, "data": {"node": "gpu-1", "xid": 79, "gpu_uuid": name}}),
    ]
    for place, reader, document in readers:
        with pytest.raises(Malformed) as refused:
            reader(document, NOW)
        assert refused.value.place == place, reader.__name__
        assert len(str(refused.value)) < 400


@pytest.mark.parametrize("label", ["node", "namespace", "pod", "hpa", "deployment", "job_name"])
@pytest.mark.parametrize("name", BAD)
def test_labels_that_name_objects_have_to_be_names(label: str, name: str) -> None:
    alerts = [{"status": "firing", "labels": {"alertname": "GPUXidError", label: each}} for each in (name, "good")]
    delivery = read_alerts({"version": "4", "alerts": alerts}, NOW)
    assert [each.place for each in delivery.refused] == [f"alerts[0].labels.{label}"]
    assert len(delivery.signals) == 1


def test_an_alerts_own_name_may_have_spaces_and_has_an_end() -> None:
    names = ["GPU is very hot", "x" * 254]
    alerts = [{"status": "firing", "labels": {"alertname": name}} for name in names]
    delivery = read_alerts({"version": "4", "alerts": alerts}, NOW)
    assert [each.place for each in delivery.refused] == ["alerts[1].labels.alertname"]
    assert len(delivery.signals) == 1


def test_a_gauge_of_a_node_that_is_no_name_is_refused() -> None:
    lines = "".join(f'DCGM_FI_DEV_XID_ERRORS{{gpu="0",Hostname="{name}"}} 79\n' for name in ("x" * 300, "g 1", "gpu-1"))
    delivery = read_metrics(lines, NOW, {}).delivery
    assert [each.place for each in delivery.refused] == ["line 1.Hostname", "line 2.Hostname"]
    assert len(delivery.signals) == 1


def test_a_node_object_has_a_name() -> None:
    node = {"kind": "Node", "metadata": {"name": "x" * 300, "uid": "1"}, "status": {"conditions": []}}
    with pytest.raises(Malformed):
        read_node(node, NOW)
