"""OpenTelemetry: each incident is a trace, each run of a stage a span of it. Off unless an endpoint is set.

A trace's id is made from the incident's, so the spans of an incident find together over waits and restarts; its root
span is sent when the incident ends. Attributes are ids and words of our own lists: no text of a stranger, no parameter,
no secret. Where the spans go, and with which headers, is for OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_…).
"""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
QUEUE_SPANS = 2_048  # of a collector that is away; more are dropped, the audit log has the story
SEND_EVERY_MS = 2_000
TOLD = ("proposal", "action", "decision", "outcome", "state", "phase", "digest", "playbook", "code", "step", "undo")
"""Members of a record's payload that may become attributes."""


class Ids(IdGenerator):
    """OpenTelemetry's own, but for the root span of an incident."""

    def __init__(self) -> None:
        self._chance = RandomIdGenerator()
        self.next_root: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        return self.next_root[0] if self.next_root else self._chance.generate_trace_id()

    def generate_span_id(self) -> int:
        return self.next_root[1] if self.next_root else self._chance.generate_span_id()


def ids_of(incident: str) -> tuple[int, int]:
    """Trace and root span; never nought, which OpenTelemetry takes for none."""
    digest = hashlib.sha256(f"watchkeeper/{incident}".encode()).digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1


class Traces(Protocol):
    def stage(self, stage: str, incident: str) -> Any:
        """A context manager around one run of a stage."""
        ...

    def record(self, kind: str, payload: Mapping[str, Any]) -> None:
        """What was recorded meanwhile."""
        ...

    def close(self) -> None: ...


class NoTraces:
    @contextmanager
    def stage(self, stage: str, incident: str) -> Iterator[None]:
        yield

    def record(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Nobody listens."""

    def close(self) -> None:
        """Nothing is open."""


class OpenTelemetry:
    """Thread-safe as far as one thread drives the stages."""

    def __init__(self, provider: TracerProvider, ids: Ids) -> None:
        self._provider, self._ids = provider, ids
        self._tracer = provider.get_tracer("watchkeeper")
        self._began: dict[str, int] = {}

    @contextmanager
    def stage(self, stage: str, incident: str) -> Iterator[None]:
        """A fault is named by its type alone: its message may quote what a server or a stranger wrote."""
        trace, root = ids_of(incident)
        self._began.setdefault(incident, time.time_ns())
        parent = NonRecordingSpan(SpanContext(trace, root, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)))
        with self._tracer.start_as_current_span(
            stage,
            set_span_in_context(parent, Context()),
            attributes={"watchkeeper.incident": incident, "watchkeeper.stage": stage},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def record(self, kind: str, payload: Mapping[str, Any]) -> None:
        span = get_current_span()
        told = {f"watchkeeper.{name}": payload[name] for name in TOLD if isinstance(payload.get(name), str | int)}
        if span.is_recording():
            span.add_event(kind, told)
        if kind == "incident_closed":
            self._root(str(payload["incident"]), told)

    def close(self) -> None:
        self._provider.shutdown()

    def _root(self, incident: str, told: Mapping[str, Any]) -> None:
        """The whole incident as one span, from the first stage that this process ran of it."""
        attributes = {"watchkeeper.incident": incident, **told}
        self._ids.next_root = ids_of(incident)
        try:
            span = self._tracer.start_span(
                "incident", Context(), attributes=attributes, start_time=self._began.pop(incident, None)
            )
        finally:
            self._ids.next_root = None
        span.end()


def traces_for(version: str, environment: Mapping[str, str] = os.environ) -> Traces:
    """By OTLP over HTTP, where an endpoint is set; nothing otherwise."""
    off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if off or not any(environment.get(name) for name in ENDPOINTS):
        return NoTraces()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return sending_to(OTLPSpanExporter(), version)


def sending_to(exporter: SpanExporter, version: str) -> OpenTelemetry:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    ids = Ids()
    resource = Resource.create({"service.name": "watchkeeper", "service.version": version})
    provider = TracerProvider(resource=resource, id_generator=ids)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=QUEUE_SPANS, schedule_delay_millis=SEND_EVERY_MS)
    )
    return OpenTelemetry(provider, ids)
