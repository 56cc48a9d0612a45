"""A store and a log in one real SQLite file, and a request to answer."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.adapters.ledger import AuditLedger
from agent.adapters.store import Store
from agent.domain.approval import Answer, ApprovalRequest, Person
from agent.domain.cluster import node_ref
from agent.domain.proposal import BlastRadius, Proposal, Step, Verb
from agent.domain.verdict import ApprovalRequirement, ApproverGroup, Decision, Reason, Verdict
from agent.stages.approve import as_recorded
from audit.log import Log

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@dataclass
class HandClock:
    """Moves when told."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def pass_by(self, **delta: float) -> datetime:
        self.at += timedelta(**delta)
        return self.at


@dataclass
class Opened:
    """One process's view of the file."""

    path: Path
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        self.log = Log.open(self.path, durability="memory")
        self.ledger = AuditLedger(self.log, self.clock, "watchkeeper")
        self.store = Store.open(self.path, clock=self.clock, ledger=self.ledger, durability="memory")

    def close(self) -> None:
        self.store.close()
        self.log.close()


def request(identity: str = "inc-1/1", *, groups: dict[str, int] | None = None, node: str = "gpu-3") -> ApprovalRequest:
    target = node_ref(node)
    proposal = Proposal(
        id=identity,
        incident=identity.split("/", maxsplit=1)[0],
        action="cordon_node",
        target=target,
        steps=(Step(verb=Verb.PATCH, target=target, body={"spec": {"unschedulable": True}}),),
        blast_radius=BlastRadius(nodes=(node,)),
        destructive=False,
        protective=True,
        source="playbook:xid-79",
        confidence=0.9,
        statement="Keep work away from the node.",
    )
    wanted = groups or {"gpu-oncall": 1}
    requirement = ApprovalRequirement(
        groups=tuple(ApproverGroup(name=name, count=count) for name, count in wanted.items()),
        approve_within_s=3600,
        execute_within_s=1800,
    )
    verdict = Verdict(
        decision_id="d-1",
        decision=Decision.ESCALATE,
        reasons=(Reason(code="autonomy.approval", message="A person must approve."),),
        approval=requirement,
        proposal_digest=proposal.digest,
    )
    return ApprovalRequest(
        id=f"req-{identity}",
        incident=proposal.incident,
        proposal=proposal,
        verdict=verdict,
        requirement=requirement,
        requested_at=START,
        expires_at=START + timedelta(hours=1),
    )


def on_record(process: Opened, asked: ApprovalRequest) -> None:
    """What the stages record before they put a request on the desk."""
    proposal = asked.proposal
    process.ledger.record("proposal", {**proposal.json_object(), "digest": proposal.digest, "remedy": "cordon"})
    process.ledger.record("verdict", {"verdict": asked.verdict.json_object(), "input": {"phase": "propose"}})
    process.ledger.record("approval_requested", as_recorded(asked), unique_key=f"approval_requested:{asked.id}")


PEOPLE = {
    "alice": Person(name="alice", groups=("gpu-oncall",)),
    "bob": Person(name="bob", groups=("gpu-oncall",)),
    "carol": Person(name="carol", groups=("platform-leads",)),
    "dora": Person(name="dora", groups=("gpu-oncall", "platform-leads")),
    "dave": Person(name="dave", groups=("tenant-a",)),
    "watchkeeper": Person(name="watchkeeper", groups=("gpu-oncall",)),
}


def said(
    asked: ApprovalRequest,
    by: str,
    decision: str = "approve",
    *,
    after_s: int = 60,
    reason: str = "looks right",
    digest: str = "",
) -> Answer:
    return Answer(
        by=by,
        decision=decision,
        reason=reason,
        digest=digest or asked.digest,
        at=START + timedelta(seconds=after_s),
        door="terminal",
    )
