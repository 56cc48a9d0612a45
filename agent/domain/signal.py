"""A Signal: a CloudEvents 1.0 envelope around a typed body.

Text inside is data from strangers, never an instruction.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from agent.domain.base import Noun
from agent.domain.cluster import ObjectRef


class XidBody(Noun):
    """An NVIDIA XID seen on one GPU, from a kernel line, dcgm-exporter or an alert."""

    type: Literal["gpu.xid"] = "gpu.xid"
    node: str
    xid: int = Field(ge=1, le=999)
    gpu: str | None = None  # index as exported
    gpu_uuid: str | None = None
    pci_bus_id: str | None = None
    namespace: str | None = None
    pod: str | None = None
    text: str = ""


class AlertBody(Noun):
    """One alert of an Alertmanager webhook (version 4)."""

    type: Literal["alert"] = "alert"
    alertname: str
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    fingerprint: str = ""


class EventBody(Noun):
    """A corev1 Event."""

    type: Literal["k8s.event"] = "k8s.event"
    reason: str
    severity: Literal["Normal", "Warning"]
    involved: ObjectRef
    message: str = ""
    count: int = 1


class ConditionBody(Noun):
    """A node condition that changed to a state worth knowing; `healthy` says which way."""

    type: Literal["node.condition"] = "node.condition"
    node: str
    condition: str
    status: str
    reason: str = ""
    message: str = ""
    healthy: bool


class LogBody(Noun):
    """A kernel or container log line that is not an XID."""

    type: Literal["log.line"] = "log.line"
    node: str | None = None
    namespace: str | None = None
    pod: str | None = None
    line: str


class FindingBody(Noun):
    """What the agent's own look at metrics and objects found: an idle holder of GPUs, a gang below its minimum."""

    type: Literal["finding"] = "finding"
    symptom: str
    subject: ObjectRef
    status: Literal["firing", "resolved"]
    detail: dict[str, str] = {}


class OtherBody(Noun):
    """A CloudEvent of a type that has no body of its own here; kept as evidence."""

    type: Literal["other"] = "other"
    event_type: str
    data: dict[str, object] = {}


Body = Annotated[
    XidBody | AlertBody | EventBody | ConditionBody | LogBody | FindingBody | OtherBody, Field(discriminator="type")
]


class Signal(Noun):
    """`(source, id)` is unique: a redelivery is a no-op."""

    id: str = Field(min_length=1, max_length=256)
    source: str = Field(min_length=1, max_length=256)
    type: str
    subject: str = ""
    time: datetime
    body: Body
