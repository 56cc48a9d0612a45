"""Records as CloudEvents 1.0, for whoever collects events rather than logs. Pure.

The event's id is the record's index, so that (source, id) is unique and a record sent twice is the same event. The
leaf hash comes along as an extension attribute: whoever holds the event can ask the log for its proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.record import Record, canonical_bytes, leaf_hash

SPEC_VERSION = "1.0"
TYPE = "dev.watchkeeper.audit."
SEQUENCE_DIGITS = 19
"""Of the extension `sequence`: its text order is the log's order."""


def source_of(cluster: str) -> str:
    """A URI reference that names the log of one cluster."""
    return f"/watchkeeper/{cluster}/log"


def cloud_event(record: Record, source: str) -> dict[str, Any]:
    """One record in structured mode. What was redacted is null here as it is there."""
    event = {
        "specversion": SPEC_VERSION,
        "id": str(record.index),
        "source": source,
        "type": TYPE + record.kind,
        "time": record.at,
        "datacontenttype": "application/json",
        "sequence": f"{record.index:0{SEQUENCE_DIGITS}d}",
        "leafhash": leaf_hash(canonical_bytes(record)).hex(),
        "data": _data(record),
    }
    subject = record.attributes.get("target") or record.attributes.get("incident")
    return event | ({"subject": subject} if subject else {})


def _data(record: Record) -> Mapping[str, Any]:
    return {
        "actor": record.actor,
        "attributes": dict(record.attributes),
        "payload": record.payload,
        "unique_key": record.unique_key,
        "schema": record.schema,
        "sealed": sorted(record.sealed),
    }
