"""The port to the log: what is found again, what was done, and the log's faults in the agent's words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.ledger import AuditLedger
from agent.domain.cluster import ObjectRef, node_ref
from agent.ports import AlreadyRecorded, LedgerUnavailable
from audit.log import Log

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@dataclass
class Minutes:
    """Each look at the clock is a minute later."""

    at: datetime = START

    def now(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "log.db", durability="memory") as opened:
        yield opened


@pytest.fixture
def ledger(log: Log) -> AuditLedger:
    return AuditLedger(log, Minutes(), "watchkeeper")


def intent(proposal: str, *, action: str = "cordon_node", step: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "proposal": proposal,
        "digest": "d",
        "incident": proposal.split("/", maxsplit=1)[0],
        "action": action,
        "target": {"apiVersion": "v1", "kind": "Node", "name": "gpu-3"},
        "parameters": {"operation": "reboot"},
        "step": step,
        "verb": "patch",
        "tenant": "research",
        "blast_radius": {"nodes": ["gpu-3"], "gangs": ["Gang/law/x"], "workloads": []},
        "undo": False,
    } | more


def outcome(proposal: str, state: str = "succeeded", *, final: bool = True, **more: Any) -> dict[str, Any]:
    target = {"apiVersion": "v1", "kind": "Node", "name": "gpu-3"}
    base = {"proposal": proposal, "action": "cordon_node", "target": target, "outcome": state, "step": None}
    return base | {"final": final} | more


def test_a_record_is_found_by_what_its_payload_says(ledger: AuditLedger, log: Log) -> None:
    ledger.record("intent", intent("inc-1/1"), unique_key="d/0/1", attributes={"approver": "alice", "tenant": ""})
    (record,) = log.query(target="Node/gpu-3", action="cordon_node", approver="alice", proposal="inc-1/1")
    assert record.attributes["incident"] == "inc-1" and "tenant" not in record.attributes
    assert (record.actor, record.at) == ("watchkeeper", "2026-11-02T09:01:00.000000Z")
    assert ledger.find("d/0/1") == record.payload
    assert ledger.find("d/0/2") is None


def test_a_taken_key_carries_the_payload_that_stands(ledger: AuditLedger) -> None:
    ledger.record("intent", {"first": True}, unique_key="k")
    with pytest.raises(AlreadyRecorded) as taken:
        ledger.record("intent", {"first": False}, unique_key="k")
    assert taken.value.unique_key == "k" and taken.value.payload == {"first": True}


def test_a_long_attribute_is_cut_and_the_payload_is_whole(ledger: AuditLedger, log: Log) -> None:
    ledger.record("signal_refused", {"tenant": "é" * 2000})
    (record,) = log.query(kind="signal_refused")
    assert record.attributes["tenant"] == "é" * 512
    assert record.payload == {"tenant": "é" * 2000}


def test_many_steps_are_one_action_with_its_final_outcome(ledger: AuditLedger) -> None:
    ledger.record("intent", intent("inc-1/1"))
    ledger.record("outcome", outcome("inc-1/1", step=0, final=False))
    assert [a.outcome for a in ledger.past_actions(START)] == ["unknown"]
    ledger.record("intent", intent("inc-1/1", step=1))
    ledger.record("outcome", outcome("inc-1/1", "failed", step=1, final=False))
    ledger.record("outcome", outcome("inc-1/1", "undone"))
    (action,) = ledger.past_actions(START)
    assert action.at == START + timedelta(minutes=1)
    assert (action.action, action.target, action.outcome) == ("cordon_node", node_ref("gpu-3"), "undone")
    assert (action.incident, action.proposal, action.tenant) == ("inc-1", "inc-1/1", "research")
    assert (action.nodes, action.gangs, action.workloads) == (("gpu-3",), ("Gang/law/x",), ())
    assert action.parameters == {"operation": "reboot"}


def test_only_new_records_are_read_and_other_writers_are_seen(ledger: AuditLedger, log: Log) -> None:
    other = AuditLedger(log, Minutes(START + timedelta(hours=1)), "another agent")
    ledger.record("intent", intent("inc-1/1"))
    assert len(ledger.past_actions(START)) == 1
    other.record("intent", intent("inc-2/1", undo=True))
    other.record("outcome", outcome("inc-1/1"))
    assert [(a.incident, a.outcome, a.undo) for a in ledger.past_actions(START)] == [
        ("inc-1", "succeeded", False),
        ("inc-2", "unknown", True),
    ]
    assert [a.incident for a in ledger.past_actions(START + timedelta(minutes=30))] == ["inc-2"]
    assert ledger.past_actions(START) == AuditLedger(log, Minutes(), "fresh").past_actions(START)


def test_telling_somebody_is_no_action(ledger: AuditLedger) -> None:
    ledger.record("intent", intent("inc-1/1", action="notify"))
    ledger.record("outcome", outcome("inc-1/1", action="notify"))
    assert ledger.past_actions(START) == []


def test_history_counts_at_its_own_time_with_what_its_target_says(ledger: AuditLedger) -> None:
    gang = ObjectRef(api_version="kueue.x-k8s.io/v1beta1", kind="Workload", namespace="law", name="x")
    ledger.record("intent", intent("inc-1/1"))
    for action, target in (("request_node_repair", node_ref("gpu-7")), ("requeue_gang", gang)):
        entry = {"history": True, "at": "2026-10-31T09:00:00Z", "action": action, "target": target.json_object()}
        ledger.record("outcome", entry | {"parameters": {}, "outcome": "failed", "incident": "inc-0"})
    reboot, requeue, mine = ledger.past_actions(START - timedelta(days=7))
    assert (reboot.at, reboot.outcome, reboot.nodes) == (START - timedelta(days=2), "failed", ("gpu-7",))
    assert requeue.gangs == ("Workload/law/x",) and requeue.nodes == ()
    assert mine.incident == "inc-1"


def test_a_log_that_cannot_write_is_a_fault_that_names_it(ledger: AuditLedger, tmp_path: Path) -> None:
    (tmp_path / "log.db").rename(tmp_path / "moved.db")
    with pytest.raises(LedgerUnavailable, match="intent cannot be recorded") as fault:
        ledger.record("intent", intent("inc-1/1"))
    assert fault.value.place == "log" and fault.value.__cause__ is not None
    (tmp_path / "moved.db").rename(tmp_path / "log.db")
    ledger.record("intent", intent("inc-1/1"))


def test_what_is_no_record_is_not_recorded(ledger: AuditLedger, log: Log) -> None:
    with pytest.raises(LedgerUnavailable, match="/payload/x"):
        ledger.record("intent", {"x": float("nan")})
    assert log.size() == 0


# --- what may have to be erased ---------------------------------------------------------------------------------------


def sealed_by(log: Log, kind: str, payload: dict[str, Any], actor: str = "watchkeeper", **attributes: str) -> list[str]:
    AuditLedger(log, Minutes(), actor, seal=True).record(kind, payload, unique_key="k", attributes=attributes)
    return sorted(log.get(0).sealed)


@pytest.mark.parametrize(
    ("kind", "payload", "sealed"),
    [
        ("approval", {"by": "alice", "reason": "ok", "decision": "approve"}, ["/payload/by", "/payload/reason"]),
        ("approval", {"by": "alice", "reason": None}, ["/payload/by"]),
        (
            "incident",
            {"signals": [{"body": {"text": "NVRM: Xid", "xid": 79}}, {"annotations": {"a/b": "x"}, "line": ""}]},
            ["/payload/signals/0/body/text", "/payload/signals/1/annotations/a~1b", "/payload/signals/1/line"],
        ),
        ("diagnosis", {"cause": "xid.79", "evidence": [{"statement": "XID 79"}]}, ["/payload/evidence/0/statement"]),
        ("configuration", {"settings": {"identities": [{"name": "a"}]}}, ["/payload/settings/identities/0/name"]),
        ("reasoning", {"model": "m", "told": [{"x": "y"}], "answer": "z"}, ["/payload/answer", "/payload/told/0/x"]),
        ("intent", {"action": "cordon_node", "body": {"text": "x"}}, []),
        ("heartbeat", {"at": "now"}, []),
    ],
)  # fmt: skip
def test_names_reasons_and_quoted_lines_are_kept_apart(
    log: Log, kind: str, payload: dict[str, Any], sealed: list[str]
) -> None:
    assert sealed_by(log, kind, payload) == sealed
    assert log.get(0).payload == payload


def test_an_approver_and_whoever_is_at_a_door_are_kept_apart(log: Log) -> None:
    assert sealed_by(log, "log_read", {"by": "erin"}, "cli/erin", approver="alice", incident="i-7") == [
        "/actor",
        "/attributes/approver",
        "/payload/by",
    ]
    assert [record.index for record in log.query(approver="alice", actor="cli/erin")] == [0]


def test_where_a_text_was_erased_the_agent_finds_a_word(log: Log) -> None:
    from audit.redaction import redact

    ledger = AuditLedger(log, Minutes(), "watchkeeper", seal=True)
    ledger.record("approval", {"by": "alice", "n": 1}, unique_key="approval/1")
    assert ledger.find("approval/1") == {"by": "alice", "n": 1}
    redact(log, 0, actor="carol", reason="ticket 4711")
    assert ledger.find("approval/1") == {"by": "(redacted)", "n": 1}
    with pytest.raises(AlreadyRecorded) as taken:
        ledger.record("approval", {"by": "bob"}, unique_key="approval/1")
    assert taken.value.payload == {"by": "(redacted)", "n": 1}


def test_a_simulated_run_seals_nothing_and_repeats(ledger: AuditLedger, log: Log) -> None:
    ledger.record("approval", {"by": "alice"}, attributes={"approver": "alice"})
    assert not log.get(0).sealed and log.get(0).schema == 1
