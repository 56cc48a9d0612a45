"""A real agent on a world with one node, and a thread that has something to ask: for tests of single stages."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from step_field import NODE, STEPS, manifests, proposal

from agent.adapters.simulated.world import World
from agent.assembly import Agent, assemble
from agent.config import Settings
from agent.domain.approval import Answer, Person
from agent.domain.incident import Incident, IncidentState, Symptom
from agent.domain.signal import Signal, XidBody
from agent.domain.thread import Thread
from agent.domain.verdict import ApprovalRequirement, ApproverGroup, Decision, Reason, Verdict
from agent.scenarios.crash import Kills
from agent.scenarios.witness import Pager

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
APPROVE_WITHIN_S = 3600
ALICE = Person(name="alice", groups=("gpu-oncall",))
ESCALATED = Verdict(
    decision_id="dec-1",
    decision=Decision.ESCALATE,
    reasons=(Reason(code="autonomy.approval", message="asks"),),
    approval=ApprovalRequirement(
        groups=(ApproverGroup(name="gpu-oncall", count=1),), approve_within_s=APPROVE_WITHIN_S, execute_within_s=1800
    ),
)


class House:
    """`asking` is a thread that stands before its approval."""

    def __init__(self, folder: Path, repair: Mapping[str, Any] | None = None) -> None:
        self.world = World(7, START, timedelta(seconds=15), repair)
        self.world.load(manifests())
        self.world.advance_to(START)
        self.kills, self.pager = Kills(), Pager()
        settings = Settings(database=folder / "w.db", world="simulated")
        self.agent: Agent = assemble(
            settings, self.world, notifier=self.pager, boundaries=self.kills, durability="memory"
        )
        self.ports = self.agent.ports
        body = XidBody(node="gpu-1", xid=79)
        signal = Signal(id="s1", source="logs", type="dev.watchkeeper.xid", time=START, body=body)
        self.incident = Incident(
            id="inc-1", symptom=Symptom.GPU_FAULT, subject=NODE, opened_at=START, signals=(signal,)
        )
        self.ports.incidents.save(self.incident, IncidentState.OPEN)
        self.escalated = ESCALATED.model_copy(update={"policy_digest": self.ports.policy.digest})
        self.asking = Thread(incident="inc-1", proposal=proposal(STEPS["patch"]), verdict=self.escalated)

    def later(self, seconds: float) -> None:
        self.world.advance_to(self.world.clock.now() + timedelta(seconds=seconds))

    def recovers(self) -> None:
        well = self.incident.model_copy(update={"recovered_at": self.world.clock.now()})
        self.ports.incidents.save(well, IncidentState.OPEN)

    def answers(self, decision: str) -> None:
        (request,) = self.ports.desk.pending()
        said = {"by": "alice", "decision": decision, "reason": "seen", "digest": request.digest}
        self.ports.desk.answer(request.id, Answer(**said, at=self.world.clock.now(), door="terminal"), ALICE)

    def kinds(self) -> list[str]:
        return [record.kind for record in self.agent.log.query()][2:]  # after the two of the start

    def close(self) -> None:
        self.agent.close()
