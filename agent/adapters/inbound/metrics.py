"""Prometheus text exposition, pushed: the samples of dcgm-exporter's XID gauge.

The gauge holds the last code that a GPU reported, so a change of its value is news and a repetition is not. What the
gauges said before is therefore an argument, and comes back renewed; the moment of the change is part of the id.
Other series are the metrics store's concern and are only checked for being readable.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from agent.adapters.inbound.delivery import Delivery, Malformed, signal
from agent.adapters.inbound.limits import LIMITS, Limits
from agent.adapters.inbound.wire import check_count, check_labels, check_name
from agent.domain.base import digest_of, rfc3339
from agent.domain.signal import Signal, XidBody

SOURCE = "metrics"
XID_GAUGE = "DCGM_FI_DEV_XID_ERRORS"

# Prometheus renames what the exporter said to exported_*, and then the plain name is the exporter's own.
NODE_LABELS = ("exported_Hostname", "Hostname", "exported_hostname", "hostname", "exported_node", "node")
NAMESPACE_LABELS = ("exported_namespace", "namespace")
POD_LABELS = ("exported_pod", "pod")

Gauges = Mapping[str, float]
"""The last value of each gauge, by the digest of its labels; the one heard of longest ago first."""


@dataclass(frozen=True, slots=True)
class Reading:
    delivery: Delivery
    gauges: Gauges


def read_metrics(text: str, received_at: datetime, before: Gauges, limits: Limits = LIMITS) -> Reading:
    lines = text.split("\n")
    check_count("", len(lines), limits.max_samples)
    gauges = dict(before)
    placed = ((f"line {n}", line) for n, line in enumerate(lines, start=1) if line.strip())
    delivery = Delivery.of_each(placed, lambda line: _signals(line, received_at, gauges, limits))
    for oldest in list(gauges)[: -limits.max_samples]:
        del gauges[oldest]
    return Reading(delivery, gauges)


def _signals(line: str, received_at: datetime, gauges: dict[str, float], limits: Limits) -> list[Signal]:
    """Also notes the gauges' values."""
    signals = []
    for sample in _samples(line):
        if sample.name == XID_GAUGE and not math.isnan(sample.value):  # NaN: nothing is known just now
            check_labels("", sample.labels, limits)
            series = digest_of(sample.labels)
            if sample.value not in (0, gauges.pop(series, 0)):
                signals.append(_signal(sample, series, received_at))
            gauges[series] = sample.value  # now the youngest
    return signals


def _signal(sample: Sample, series: str, received_at: datetime) -> Signal:
    body = xid_body(sample.labels, sample.value)
    moment = _moment(sample, received_at)
    return signal(SOURCE, f"{series[:32]}:{body.xid}:{rfc3339(moment)}", f"Node/{body.node}", moment, body)


def xid_body(labels: Mapping[str, str], value: float) -> XidBody:
    """What one sample of the gauge says. Raises Malformed."""
    node = _first(labels, NODE_LABELS)
    if not node:
        raise Malformed("Hostname", "missing: the sample does not say which node it is about")
    names = {"gpu": labels.get("gpu"), "UUID": labels.get("UUID"), "pci_bus_id": labels.get("pci_bus_id")}
    about = {"namespace": _first(labels, NAMESPACE_LABELS), "pod": _first(labels, POD_LABELS)}
    for place, name in {"Hostname": node, **names, **about}.items():
        check_name(place, name or None)
    if value != value // 1 or not 0 < value < 1000:
        raise Malformed("value", f"expected an XID, 1 to 999, found {value:g}")
    return XidBody(
        node=node,
        xid=int(value),
        gpu=labels.get("gpu"),
        gpu_uuid=labels.get("UUID"),
        pci_bus_id=labels.get("pci_bus_id"),
        namespace=_first(labels, NAMESPACE_LABELS),
        pod=_first(labels, POD_LABELS),
    )


def _first(labels: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((labels[name] for name in names if labels.get(name)), None)


def _moment(sample: Sample, received_at: datetime) -> datetime:
    if sample.timestamp is None:
        return received_at
    try:
        return datetime.fromtimestamp(float(sample.timestamp), tz=UTC)
    except (ValueError, OverflowError, OSError):
        raise Malformed("timestamp", f"{sample.timestamp} is no time") from None


def _samples(line: str) -> list[Sample]:
    """One line by itself, so that a bad one costs only itself and has a number."""
    try:
        return [sample for family in text_string_to_metric_families(line + "\n") for sample in family.samples]
    except (ValueError, KeyError, IndexError) as error:
        raise Malformed("", f"not text exposition: {error}") from None
