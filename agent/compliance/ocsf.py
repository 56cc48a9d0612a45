"""Outcomes as OCSF events of class 7001, Remediation Activity, for a security lake. Pure.

OCSF speaks of adversaries and takes its activities from MITRE D3FEND's tactics; an action on a cluster is filed under
the one that does the same thing to it, or as Other under its own name. Written to version 1.8.0 of the schema.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from agent.compliance.timeline import named, sentence
from audit.record import Record, canonical_bytes, leaf_hash

VERSION = "1.8.0"
CATEGORY_UID, CLASS_UID = 7, 7001
CLASS_NAME = "Remediation Activity"
INFORMATIONAL, LOW, HIGH = (1, "Informational"), (2, "Low"), (4, "High")
OTHER = 99
SHA_256 = 3

ACTIVITIES = {1: "Isolate", 2: "Evict", 3: "Restore", 4: "Harden", OTHER: "Other"}

_ACTIVITY_OF: Mapping[str, int] = {
    "cordon_node": 1,
    "hold_queue": 1,
    "drain_node": 2,
    "evict_pod": 2,
    "requeue_gang": 2,
    "deactivate_workload": 2,
    "reclaim_gang": 2,
    "reclaim_idle_gpu": 2,
    "defragment": 2,
    "uncordon_node": 3,
    "resume_queue": 3,
    "activate_workload": 3,
    "restart_workload": 3,
    "rollback_workload": 3,
    "request_node_repair": 3,
}

_STATUS_OF: Mapping[str, tuple[int, str, tuple[int, str]]] = {
    "succeeded": (1, "Success", INFORMATIONAL),
    "failed": (2, "Failure", LOW),
    "unknown": (0, "Unknown", LOW),
    "undone": (OTHER, "undone", INFORMATIONAL),
    "undo_failed": (6, "Error", HIGH),
}


def remediation_events(records: Iterable[Record], product_version: str) -> Iterator[dict[str, Any]]:
    """One event for each outcome, with what the proposal said it was for. Other records have no event here."""
    statements: dict[str, str] = {}
    for record in records:
        payload = record.payload
        if not isinstance(payload, Mapping):
            continue
        if record.kind == "proposal" and isinstance(payload.get("statement"), str):
            statements[str(payload.get("id"))] = payload["statement"]
        elif record.kind == "outcome" and not payload.get("history") and payload.get("outcome") in _STATUS_OF:
            yield _event(record, payload, statements.get(str(payload.get("proposal"))), product_version)


def _event(record: Record, payload: Mapping[str, Any], why: str | None, product_version: str) -> dict[str, Any]:
    action = str(payload.get("action"))
    activity = _ACTIVITY_OF.get(action, OTHER)
    status_id, status, (severity_id, severity) = _STATUS_OF[payload["outcome"]]
    name = ACTIVITIES[activity] if activity != OTHER else action
    event = {
        "activity_id": activity,
        "activity_name": name,
        "category_uid": CATEGORY_UID,
        "category_name": "Remediation",
        "class_uid": CLASS_UID,
        "class_name": CLASS_NAME,
        "type_uid": CLASS_UID * 100 + activity,
        "type_name": f"{CLASS_NAME}: {ACTIVITIES[activity]}",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "status_code": payload["outcome"],
        "time": _epoch_ms(record.at),
        "timezone_offset": 0,
        "command_uid": _command(payload),
        "message": sentence(record.kind, payload),
        "metadata": _metadata(record, product_version),
        "raw_data_hash": _fingerprint(record),
        "unmapped": _unmapped(record, payload),
    }
    if payload.get("detail"):
        event["status_detail"] = payload["detail"]
    return event | ({"remediation": {"desc": why}} if why else {})


def _command(payload: Mapping[str, Any]) -> str:
    step = payload.get("step")
    return f"{payload.get('proposal')}/{'' if step is None else step}{'/undo' if payload.get('undo') else ''}"


def _metadata(record: Record, product_version: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "version": VERSION,
        "product": {"name": "Watchkeeper", "vendor_name": "Watchkeeper", "version": product_version},
        "uid": str(record.index),
        "sequence": record.index,
        "original_time": record.at,
        "log_name": "watchkeeper audit log",
        "log_version": str(record.schema),
    }
    if record.attributes.get("incident"):
        metadata["correlation_uid"] = record.attributes["incident"]
    if record.attributes.get("tenant"):
        metadata["tenant_uid"] = record.attributes["tenant"]
    return metadata


def _fingerprint(record: Record) -> dict[str, Any]:
    digest = hashlib.sha256(canonical_bytes(record)).hexdigest()
    return {"algorithm": "SHA-256", "algorithm_id": SHA_256, "value": digest}


def _unmapped(record: Record, payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "action": payload.get("action"),
        "actor": record.actor,
        "target": named(payload["target"]) if isinstance(payload.get("target"), Mapping) else None,
        "proposal": payload.get("proposal"),
        "proposal_digest": payload.get("digest"),
        "leaf_hash": leaf_hash(canonical_bytes(record)).hex(),
    }


def _epoch_ms(at: str) -> int:
    return round(datetime.fromisoformat(at).timestamp() * 1000)
