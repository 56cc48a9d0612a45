"""Kubernetes Events, in the core/v1 and the events.k8s.io/v1 form, alone or as a list.

An Event that repeats keeps its name and raises its count, so the count is part of the id: each repetition is news, a
redelivery is not. A kernel line that node-problem-detector wraps in an Event about a node is read as that line. Whoever
may write in a namespace may write Events there, so about what lies in no namespace only Kubernetes' own places count.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AliasChoices, Field

from agent.adapters.inbound.delivery import Delivery, Malformed, signal
from agent.adapters.inbound.limits import LIMITS, Limits
from agent.adapters.inbound.logs import xid_in
from agent.adapters.inbound.wire import Moment, Wire, check_count, check_name, cut, read
from agent.domain.base import digest_of, rfc3339
from agent.domain.cluster import ObjectRef
from agent.domain.signal import EventBody, Signal

SOURCE = "kubernetes/events"
_CLUSTER_SCOPED = ("Node", "Namespace", "PersistentVolume", "ClusterQueue", "ResourceFlavor")
_OF_THE_CLUSTER = ("", "default", "kube-system")  # where the API server takes an Event that names no namespace


Count = Annotated[int, Field(ge=-(2**31), lt=2**31)]  # int32, as Kubernetes has it


class Metadata(Wire):
    name: str = ""
    namespace: str = ""
    uid: str = ""


class Involved(Wire):
    api_version: str | None = Field(default=None, alias="apiVersion")
    kind: str = Field(min_length=1)
    namespace: str | None = None
    name: str = Field(min_length=1)


class Series(Wire):
    count: Count = 1
    last_observed_time: Moment = Field(default=None, alias="lastObservedTime")


class Event(Wire):
    metadata: Metadata = Metadata()
    involved: Involved = Field(validation_alias=AliasChoices("involvedObject", "regarding"))
    reason: str = Field(min_length=1)
    message: str | None = Field(default=None, validation_alias=AliasChoices("message", "note"))
    severity: str | None = Field(default=None, alias="type")
    count: Count | None = Field(default=None, validation_alias=AliasChoices("count", "deprecatedCount"))
    series: Series | None = None
    event_time: Moment = Field(default=None, alias="eventTime")
    last: Moment = Field(default=None, validation_alias=AliasChoices("lastTimestamp", "deprecatedLastTimestamp"))
    first: Moment = Field(default=None, validation_alias=AliasChoices("firstTimestamp", "deprecatedFirstTimestamp"))


def read_events(document: object, received_at: datetime, limits: Limits = LIMITS) -> Delivery:
    """One Event, an EventList, or a List of Events."""
    if isinstance(document, dict) and str(document.get("kind")).endswith("List"):
        items = document.get("items")
        if not isinstance(items, list):
            raise Malformed("items", "expected a list of Events")
        check_count("items", len(items), limits.max_events)
        placed = ((f"items[{index}]", raw) for index, raw in enumerate(items))
        return Delivery.of_each(placed, lambda raw: [read_event(raw, received_at, limits)])
    return Delivery((read_event(document, received_at, limits),))


def read_event(document: object, received_at: datetime, limits: Limits = LIMITS) -> Signal:
    _check_kind(document)
    event = read(Event, document)
    if event.involved.kind in _CLUSTER_SCOPED and event.metadata.namespace not in _OF_THE_CLUSTER:
        raise Malformed("metadata.namespace", f"an Event about a {event.involved.kind} lies in default or kube-system")
    _check_names(event, limits)
    series = event.series or Series()
    time = series.last_observed_time or event.last or event.event_time or event.first or received_at
    count = max(1, event.count or 1, series.count)
    who = event.metadata
    named = [event.reason, str(event.involved), rfc3339(time)]
    identity = f"{who.uid or f'{who.namespace}/{who.name}'}:{count}" if who.uid or who.name else digest_of(named)[:32]
    involved = _ref(event.involved, who.namespace)
    message = cut(event.message or "", limits)
    if involved.kind == "Node":
        xid = xid_in(message, involved.name)
        if xid:
            return signal(SOURCE, identity, str(involved), time, xid)
    body = EventBody(
        reason=cut(event.reason, limits),
        severity="Normal" if event.severity in (None, "", "Normal") else "Warning",
        involved=involved,
        message=message,
        count=count,
    )
    return signal(SOURCE, identity, str(involved), time, body)


def _check_names(event: Event, limits: Limits) -> None:
    about = event.involved
    for place, name in (("name", about.name), ("namespace", about.namespace), ("kind", about.kind)):
        check_name(f"involvedObject.{place}", name or None, limits)
    check_name("involvedObject.apiVersion", about.api_version or None, limits)
    check_name("metadata.namespace", event.metadata.namespace or None, limits)


def _ref(involved: Involved, namespace: str) -> ObjectRef:
    """Kubelets leave the API version out, and put Events about nodes into the namespace 'default'."""
    scoped = involved.kind in _CLUSTER_SCOPED
    return ObjectRef(
        api_version=involved.api_version or "v1",
        kind=involved.kind,
        namespace=None if scoped else involved.namespace or namespace or None,
        name=involved.name,
    )


def _check_kind(document: Any) -> None:
    """A document that says what it is must say Event."""
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind not in (None, "Event"):
        raise Malformed("kind", f"expected Event, found {str(kind)[:64]!r}")
