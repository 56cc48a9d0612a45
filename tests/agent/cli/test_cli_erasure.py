"""What is redacted is in no file of the agent's any more, byte for byte: log, inbox, projections, threads, journals."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from typer.testing import CliRunner

from agent.adapters.checkpoints import close, open_checkpointer
from agent.adapters.ledger import AuditLedger
from agent.adapters.store import Store
from agent.cli import audit
from agent.domain.approval import Answer, Person, RequestState
from agent.domain.base import rfc3339
from agent.domain.cluster import node_ref
from agent.domain.incident import Incident, IncidentState, Symptom
from agent.domain.proposal import Step, Verb
from agent.domain.signal import Signal, XidBody
from agent.domain.thread import Thread
from audit.fsck import fsck
from audit.log import Log

LINE = "NVRM: Xid (PCI:0000:b3:00): 79, pid=4711, name=train-of-eleonora"
REASON = "because Eleonora-of-tenant-research is on leave"
OTHER = "seen on the node by whoever was there"


class Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


def call(*arguments: str) -> Any:
    return CliRunner().invoke(audit.app, list(arguments))


def files_with(folder: Path, text: str) -> list[str]:
    return [file.name for file in sorted(folder.iterdir()) if file.is_file() and text.encode() in file.read_bytes()]


@pytest.fixture
def lived(site: Any) -> Any:
    """The site's incident with a real line, an answer with a reason, a thread that went through its steps, and its
    end; then another incident that nobody wants to have erased."""
    log = Log.open(site.path)
    ledger = AuditLedger(log, Now(), "watchkeeper", seal=True)
    store = Store.open(site.path, clock=Now(), ledger=ledger)
    for number, (name, line) in enumerate((("inc-1", LINE), ("inc-2", f"another {OTHER}"))):
        signal = Signal(
            id=f"s-{number}",
            source="kernel",
            type="gpu.xid",
            time=Now().now(),
            body=XidBody(node="gpu-3", xid=79, text=line),
        )
        store.inbox.put(signal)
        (waiting,) = store.inbox.take(10)
        incident = Incident(
            id=name, symptom=Symptom.GPU_FAULT, subject=node_ref("gpu-3"), opened_at=Now().now(), signals=(waiting,)
        )
        ledger.record("incident", {**incident.json_object(), "change": "opened"}, attributes={"incident": name})
        store.incidents.save(incident, IncidentState.OPEN)
        store.inbox.done([waiting])
        threads = open_checkpointer(site.path.with_name("watchkeeper-threads.db"))
        for step in range(5):
            state = {**empty_checkpoint(), "id": f"step-{step}"}
            state["channel_values"] = {"thread": {**Thread(incident=name).json_object(), "quoted": [line] * 20}}
            configurable = {"thread_id": name, "checkpoint_ns": ""}
            threads.put({"configurable": configurable}, state, {}, {})  # type: ignore[arg-type, typeddict-item]
        threads.delete_thread(name)
        close(threads)
    store.desk.answer(
        site.request.id,
        Answer(by="alice", door="cli", decision="approve", digest=site.request.digest, reason=REASON, at=Now().now()),
        Person(name="alice", groups=("gpu-oncall",)),
    )
    for name in ("inc-1", "inc-2"):
        ledger.record("incident_closed", {"incident": name, "state": "resolved", "at": rfc3339(Now().now())})
        known = store.incidents.get(name)
        assert known is not None
        store.incidents.save(known, IncidentState.RESOLVED)
    yield site
    store.close()
    log.close()


def redacted(site: Any, text: str) -> Any:
    """Every record that has the text, wherever in it; what the last one said."""
    holding = [
        record.index for record in site.log.query() if any(text in part.text for part in site.log.parts(record.index))
    ]
    assert holding and files_with(site.path.parent, text), "it is there before"
    for index in holding:
        done = call("redact", str(index), "--reason", "ticket 4711", "--yes", "--json")
        assert done.exit_code == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_line_that_a_system_wrote_is_in_no_file(lived: Any) -> None:
    told = redacted(lived, LINE)
    assert files_with(lived.path.parent, LINE) == [], told
    assert files_with(lived.path.parent, OTHER) == ["watchkeeper.db"], "what nobody wanted erased is there"
    row = lived.store.incidents.row("inc-1")
    assert row.state is IncidentState.RESOLVED and row.incident.signals[-1].body.text == "(redacted)"
    assert fsck(lived.path, deep=True).ok


def test_what_a_person_gave_as_a_reason_is_in_no_file_and_the_request_is_still_known(lived: Any) -> None:
    before = lived.store.desk.get(lived.request.id)
    assert before.answers[-1].reason == REASON
    told = redacted(lived, REASON)
    assert files_with(lived.path.parent, REASON) == [], told
    after = lived.store.desk.get(lived.request.id)
    assert after.answers[-1].reason == "(redacted)" and after.state is before.state
    assert fsck(lived.path, deep=True).ok


def test_what_a_step_quotes_is_in_no_file_and_the_request_is_still_known(lived: Any) -> None:
    """A text in a step is part of the digest: the request goes by the digest that its proposal was recorded with."""
    now, quoted = Now().now(), "as Eleonora-of-tenant-research wrote on the door"
    tell = Step(verb=Verb.NOTIFY, target=node_ref("gpu-3"), body={"audience": "owner", "message": quoted})
    asked = lived.request.proposal
    proposal = asked.model_copy(update={"id": "inc-1/2", "steps": (tell,), "parameters": {"message": quoted}})
    verdict = lived.request.verdict.model_copy(update={"proposal_digest": proposal.digest})
    request = lived.request.model_copy(update={"id": "apr-2", "proposal": proposal, "verdict": verdict})
    record = AuditLedger(lived.log, Now(), "watchkeeper", seal=True).record
    about = {"incident": "inc-1", "proposal": proposal.id}
    record("proposal", {**proposal.json_object(), "digest": proposal.digest, "remedy": "notify"})
    record("verdict", {"verdict": verdict.json_object(), "input": {"phase": "propose"}}, attributes=about)
    said = {name: request.json_object()[name] for name in ("requirement", "requested_at", "expires_at")}
    said |= {"request": "apr-2", "proposal": proposal.id, "digest": proposal.digest}
    record("approval_requested", said, attributes=about)
    lived.store.desk.open(request)
    lived.store.desk.close("apr-2", "cancelled")
    told = redacted(lived, quoted)
    assert files_with(lived.path.parent, quoted) == [], told
    after = lived.store.desk.get("apr-2")
    assert after is not None and after.state is RequestState.CANCELLED and after.requested_at <= now
    assert after.proposal.steps[0].body == {"audience": "owner", "message": "(redacted)"}
    assert after.digest != proposal.digest, "what is left of it covers nothing that anybody may propose"
    assert lived.store.desk.get(lived.request.id) is not None
    assert fsck(lived.path, deep=True).ok


def test_copies_can_be_caught_up_where_the_agent_runs(lived: Any) -> None:
    """The redactor erased in the log alone, from a machine that has none of the agent's files."""
    from audit.redaction import redact

    for record in list(lived.log.query(kind=["incident", "diagnosis"])):
        if record.attributes["incident"] == "inc-1" and lived.log.parts(record.index):
            redact(lived.log, record.index, actor="cli/carol", reason="ticket 4711")
    assert files_with(lived.path.parent, LINE) == ["watchkeeper.db"]
    assert call("redact-copies").exit_code == 0
    assert files_with(lived.path.parent, LINE) == []


def test_what_retention_drops_goes_from_the_copies(lived: Any) -> None:
    from datetime import timedelta

    assert lived.store.drop_closed(Now().now() - timedelta(days=1)) == 0
    assert lived.store.drop_closed(Now().now() + timedelta(seconds=1)) == 2
    assert lived.store.incidents.row("inc-1") is None and lived.store.desk.get(lived.request.id) is None
