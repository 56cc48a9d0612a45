"""A database as a running agent leaves it: one incident, with one request that waits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from run_house import House

from agent.adapters.ledger import AuditLedger
from agent.adapters.store import Store
from agent.domain.approval import ApprovalRequest
from agent.domain.base import rfc3339
from agent.domain.cluster import node_ref
from agent.domain.diagnosis import Evidence
from agent.domain.incident import Incident, IncidentState, Symptom
from agent.domain.proposal import BlastRadius, Proposal, Step, Verb
from agent.domain.signal import Signal, XidBody
from agent.domain.verdict import ApprovalRequirement, ApproverGroup, Decision, Reason, Verdict
from audit.log import Log

SETTINGS = """
database: {database}
identities:
  - {{name: alice, groups: [gpu-oncall]}}
  - {{name: bob, groups: [gpu-oncall]}}
  - {{name: dave, groups: [tenant-a]}}
  - {{name: dana, groups: [platform-leads]}}
"""

HOSTILE = "\x1b]0;owned\x07 [red]fell off[/red] \u202eesrever\n\x9b2J"


class Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Site:
    path: Path
    config: Path
    log: Log
    ledger: AuditLedger
    store: Store
    request: ApprovalRequest


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    path, config = tmp_path / "watchkeeper.db", tmp_path / "watchkeeper.yaml"
    config.write_text(SETTINGS.format(database=path))
    log = Log.open(path, durability="memory")
    ledger = AuditLedger(log, Now(), "watchkeeper", seal=True)
    store = Store.open(path, clock=Now(), ledger=ledger, durability="memory")
    yield Site(path, config, log, ledger, store, _a_day(ledger, store))
    store.close()
    log.close()


def _a_day(ledger: AuditLedger, store: Store) -> ApprovalRequest:
    now = datetime.now(UTC)
    body = XidBody(node="gpu-3", xid=79, text=HOSTILE)
    signal = Signal(id="s-1", source="kernel", type="gpu.xid", time=now, body=body)
    subject = node_ref("gpu-3")
    incident = Incident(id="inc-1", symptom=Symptom.GPU_FAULT, subject=subject, opened_at=now, signals=(signal,))
    ledger.record(
        "incident",
        {**incident.json_object(), "change": "opened", "signal": "kernel#s-1"},
        attributes={"incident": "inc-1", "target": "Node/gpu-3"},
    )
    store.incidents.save(incident, IncidentState.OPEN, playbook="xid-79")
    request = _request(now)
    proposal, verdict = request.proposal, request.verdict
    ledger.record("proposal", {**proposal.json_object(), "digest": proposal.digest, "remedy": "cordon"})
    about = {"incident": "inc-1", "proposal": proposal.id}
    ledger.record("verdict", {"verdict": verdict.json_object(), "input": {"phase": "propose"}}, attributes=about)
    ledger.record(
        "approval_requested",
        {
            "request": request.id,
            "proposal": proposal.id,
            "digest": proposal.digest,
            "action": proposal.action,
            "target": subject.json_object(),
            "requirement": request.requirement.json_object(),
            "requested_at": rfc3339(request.requested_at),
            "expires_at": rfc3339(request.expires_at),
        },
        attributes=about,
    )
    return store.desk.open(request)


def _request(now: datetime) -> ApprovalRequest:
    target = node_ref("gpu-3")
    seen = Evidence(kind="signal", statement=f"XID 79: {HOSTILE}", source="kernel", observed_at=now)
    proposal = Proposal(
        id="inc-1/1",
        incident="inc-1",
        action="cordon_node",
        target=target,
        parameters={"why": "XID 79"},
        steps=(
            Step(
                verb=Verb.PATCH,
                target=target,
                body={"spec": {"unschedulable": True}, "metadata": {"annotations": {"who": "watchkeeper"}}},
                undo={"spec": {"unschedulable": False}, "metadata": {"annotations": {"who": None}}},
            ),
            Step(verb=Verb.EVICT, target=target.model_copy(update={"kind": "Pod", "namespace": "law", "name": "x-0"})),
        ),
        blast_radius=BlastRadius(nodes=("gpu-3",), gangs=("Gang/law/x",), pods=8, gpus=64),
        destructive=True,
        protective=False,
        tenant="research",
        source="playbook:xid-79",
        confidence=0.95,
        statement="Keep work away from the node.",
        evidence=(seen,),
    )
    requirement = ApprovalRequirement(
        groups=(ApproverGroup(name="gpu-oncall", count=2),), approve_within_s=3600, execute_within_s=1800
    )
    verdict = Verdict(
        decision_id="dec-1",
        decision=Decision.ESCALATE,
        reasons=(Reason(code="autonomy.approval", message="A person must approve.", remedy="Answer the request."),),
        approval=requirement,
        proposal_digest=proposal.digest,
    )
    return ApprovalRequest(
        id="apr-12345678",
        incident="inc-1",
        proposal=proposal,
        verdict=verdict,
        requirement=requirement,
        requested_at=now,
        expires_at=now + timedelta(hours=1),
    )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    made: list[House] = []

    def make(**settings: Any) -> House:
        made.append(House(tmp_path, **settings))
        return made[-1]

    yield make
    for each in made:
        if each.turn is not None:
            each.turn.close()
