"""CloudEvents 1.0 over HTTP: structured, batched and binary mode.

The envelope's own (source, id) become the signal's, since that is what CloudEvents promise to be unique. What the data
is, the data says: a Kubernetes Event, a Node, a condition, a log line, an XID. Under a type of ours it must be one of
these; under any other type, what we cannot read is kept as evidence.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote

from pydantic import Field, ValidationError

from agent.adapters.inbound.conditions import read_condition, read_node
from agent.adapters.inbound.delivery import Delivery, Malformed, signal
from agent.adapters.inbound.events import read_event
from agent.adapters.inbound.limits import LIMITS, Limits
from agent.adapters.inbound.logs import read_log
from agent.adapters.inbound.wire import (
    Moment,
    Wire,
    check_count,
    check_name,
    cut,
    fault_words,
    json_document,
    plain,
    read,
)
from agent.domain.signal import OtherBody, Signal, XidBody

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
OUR_TYPES = "dev.watchkeeper."
_HEADER = "ce-"
_UNNAMED = "-"  # until the envelope names it


class Envelope(Wire):
    specversion: Literal["1.0"]
    id: str = Field(min_length=1)
    source: str = Field(min_length=1)
    type: str = Field(min_length=1, max_length=256)
    subject: str = Field(default="", max_length=1024)
    time: Moment = None
    data: Any = None
    data_base64: str | None = None


def read_http(headers: Mapping[str, str], body: bytes, received_at: datetime, limits: Limits = LIMITS) -> Delivery:
    """`headers` by lower-case name. The mode is told by the content type and the ce- headers."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == BATCHED:
        batch = json_document(body, limits)
        if not isinstance(batch, list):
            raise Malformed("", "expected a list of CloudEvents")
        return read_batch(batch, received_at, limits)
    if media_type == STRUCTURED or _HEADER + "specversion" not in headers:
        return Delivery(tuple(read_cloudevent(json_document(body, limits), received_at, limits)))
    attributes = {k.removeprefix(_HEADER): unquote(v) for k, v in headers.items() if k.startswith(_HEADER)}
    return Delivery(
        tuple(read_cloudevent({**attributes, **_binary_data(media_type, body, limits)}, received_at, limits))
    )


def read_batch(batch: Sequence[object], received_at: datetime, limits: Limits = LIMITS) -> Delivery:
    check_count("", len(batch), limits.max_events)
    placed = ((f"[{index}]", raw) for index, raw in enumerate(batch))
    return Delivery.of_each(placed, lambda raw: read_cloudevent(raw, received_at, limits))


def read_cloudevent(document: object, received_at: datetime, limits: Limits = LIMITS) -> list[Signal]:
    """One event in its JSON form. A Node with several bad conditions is several signals."""
    envelope = read(Envelope, document)
    data = _data(envelope, limits)
    at = envelope.time or received_at
    try:
        found = _by_shape(data, at, limits)
    except Malformed as error:
        if envelope.type.startswith(OUR_TYPES):
            raise error.inside("data") from error
        found = None
    if found is None:
        if envelope.type.startswith(OUR_TYPES):
            raise Malformed("data", "expected an Event, a Node, a condition, a log line or an xid")
        found = [_other(envelope, data, at)]
    named = [envelope.id] if len(found) == 1 else [f"{envelope.id}#{index}" for index in range(len(found))]
    return [
        signal(envelope.source, identity, envelope.subject or one.subject, one.time, one.body)
        for identity, one in zip(named, found, strict=True)
    ]


def _by_shape(data: object, at: datetime, limits: Limits) -> list[Signal] | None:
    """None for data of a shape that we do not know."""
    if not isinstance(data, dict):
        return None
    return next((reader(data, at, limits) for fits, reader in _SHAPES if fits(data)), None)


def _xid(data: dict[str, Any], at: datetime, limits: Limits) -> list[Signal]:
    try:
        body = XidBody.model_validate({key: data[key] for key in XidBody.model_fields if key in data})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise Malformed(str(first["loc"][0]), fault_words(first["type"], first["msg"])) from None
    for name in ("node", "gpu", "gpu_uuid", "pci_bus_id", "namespace", "pod"):
        check_name(name, getattr(body, name) or None, limits)
    body = body.model_copy(update={"text": cut(body.text, limits)})
    return [signal(_UNNAMED, _UNNAMED, f"Node/{body.node}", at, body)]


_Fits = Callable[[dict[str, Any]], bool]
_Reader = Callable[[dict[str, Any], datetime, Limits], list[Signal]]
_SHAPES: tuple[tuple[_Fits, _Reader], ...] = (
    (lambda data: data.get("kind") == "Event", lambda data, at, limits: [read_event(data, at, limits)]),
    (lambda data: data.get("kind") == "Node", read_node),
    (lambda data: "node" in data and "xid" in data, _xid),
    (lambda data: "node" in data and "condition" in data, read_condition),
    (lambda data: "line" in data, lambda data, at, limits: [read_log(data, at, limits)]),
)


def _other(envelope: Envelope, data: object, at: datetime) -> Signal:
    kept = data if isinstance(data, dict) else {"data": data}
    return signal(_UNNAMED, _UNNAMED, envelope.subject, at, OtherBody(event_type=envelope.type, data=plain(kept)))


def _data(envelope: Envelope, limits: Limits) -> object:
    if envelope.data_base64 is None:
        return envelope.data
    try:
        raw = base64.b64decode(envelope.data_base64, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("data_base64", "not base64") from None
    try:
        return json_document(raw, limits)
    except Malformed:
        return {"base64": envelope.data_base64}  # not JSON: kept as it came


def _binary_data(media_type: str, body: bytes, limits: Limits) -> dict[str, Any]:
    if not body:
        return {}
    if media_type in ("", "application/json") or media_type.endswith("+json"):
        try:
            return {"data": json_document(body, limits)}
        except Malformed as error:
            raise error.inside("data") from error
    return {"data_base64": base64.b64encode(body).decode("ascii")}
