"""The log in other systems' forms, held against the schemas that their makers publish."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.compliance.cloudevents import cloud_event, source_of
from agent.compliance.ocsf import remediation_events
from audit.log import Log
from audit.record import canonical_bytes, leaf_hash
from audit.redaction import redact

SCHEMAS = Path(__file__).parent / "schemas"
AT = "2026-10-05T09:00:00.250000Z"
NODE = {"apiVersion": "v1", "kind": "Node", "name": "gpu-3"}


def validator(name: str) -> jsonschema.Draft7Validator:
    schema = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "log.db", durability="memory") as opened:
        yield opened


def outcome(log: Log, state: str, action: str = "cordon_node", **more: Any) -> None:
    payload = {
        "action": action, "proposal": "inc-1/0", "incident": "inc-1", "step": 1, "outcome": state, "target": NODE,
        "detail": "", "final": True, "undo": False, "digest": "d" * 64,
    }  # fmt: skip
    about = {"incident": "inc-1", "target": "Node/gpu-3", "tenant": "research"}
    log.append("outcome", actor="watchkeeper", at=AT, attributes=about, payload=payload | more)


def events(log: Log) -> list[dict[str, Any]]:
    return list(remediation_events(log.query(), "0.1.0"))


def test_every_record_is_a_cloudevent(log: Log) -> None:
    outcome(log, "succeeded")
    log.append("heartbeat", actor="watchkeeper", at=AT)
    log.append("notice", actor="cli/a", payload={"message": "hot"}, sealed=["/payload/message", "/actor"])
    for index, record in enumerate(log.query()):
        event = cloud_event(record, source_of("lab-1"))
        validator("cloudevents.json").validate(event)
        assert (event["id"], event["source"], event["specversion"]) == (str(index), "/watchkeeper/lab-1/log", "1.0")
        assert all(name.isalnum() and name.islower() and len(name) <= 20 for name in event), "attribute names"
        assert event["leafhash"] == leaf_hash(canonical_bytes(record)).hex()
    first = cloud_event(log.get(0), "/x")
    assert (first["type"], first["subject"], first["time"]) == ("dev.watchkeeper.audit.outcome", "Node/gpu-3", AT)
    assert "subject" not in cloud_event(log.get(1), "/x") and first["data"]["payload"]["step"] == 1


def test_what_was_redacted_is_null_in_the_event(log: Log) -> None:
    log.append("notice", actor="cli/a", payload={"message": "hot"}, sealed=["/payload/message"])
    assert cloud_event(log.get(0), "/x")["data"]["payload"] == {"message": "hot"}
    redact(log, 0, actor="carol", reason="ticket 4711")
    told = cloud_event(log.get(0), "/x")["data"]
    assert (told["payload"], told["sealed"]) == ({"message": None}, ["/payload/message"])


@pytest.mark.parametrize(
    ("state", "status_id", "status", "severity"),
    [
        ("succeeded", 1, "Success", "Informational"),
        ("failed", 2, "Failure", "Low"),
        ("unknown", 0, "Unknown", "Low"),
        ("undone", 99, "undone", "Informational"),
        ("undo_failed", 6, "Error", "High"),
    ],
)
def test_every_outcome_is_a_remediation_activity(
    log: Log, state: str, status_id: int, status: str, severity: str
) -> None:
    log.append("proposal", actor="watchkeeper", payload={"id": "inc-1/0", "statement": "keep work away"})
    outcome(log, state, detail="as asked")
    (event,) = events(log)
    validator("ocsf-7001.json").validate(event)
    assert (event["class_uid"], event["category_uid"], event["type_uid"]) == (7001, 7, 700101)
    assert (event["status_id"], event["status"], event["severity"]) == (status_id, status, severity)
    assert (event["time"], event["command_uid"]) == (1791190800250, "inc-1/0/1")
    assert event["metadata"]["correlation_uid"] == "inc-1" and event["metadata"]["uid"] == "1"
    assert (event["remediation"], event["status_detail"]) == ({"desc": "keep work away"}, "as asked")


@pytest.mark.parametrize(
    ("action", "activity", "name"),
    [
        ("cordon_node", 1, "Isolate"),
        ("evict_pod", 2, "Evict"),
        ("rollback_workload", 3, "Restore"),
        ("set_queue_quota", 99, "set_queue_quota"),
        ("an action of tomorrow", 99, "an action of tomorrow"),
    ],
)
def test_an_action_is_filed_under_what_it_does_or_under_its_own_name(
    log: Log, action: str, activity: int, name: str
) -> None:
    outcome(log, "succeeded", action)
    (event,) = events(log)
    validator("ocsf-7001.json").validate(event)
    assert (event["activity_id"], event["activity_name"]) == (activity, name)
    assert event["type_uid"] == 7001 * 100 + activity


def test_only_outcomes_of_this_log_are_remediation_activities(log: Log) -> None:
    outcome(log, "succeeded", history=True)
    outcome(log, "a state of tomorrow")
    log.append("intent", actor="watchkeeper", payload={"action": "cordon_node"})
    log.append("outcome", actor="watchkeeper", payload="no object")
    assert events(log) == []


def test_the_schema_refuses_what_is_no_such_event(log: Log) -> None:
    outcome(log, "succeeded")
    (event,) = events(log)
    for wrong in ({"class_uid": 7002}, {"status_id": 77}, {"time": "now"}, {"made_up": 1}, {"metadata": {}}):
        with pytest.raises(jsonschema.ValidationError):
            validator("ocsf-7001.json").validate(event | wrong)
