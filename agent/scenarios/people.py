"""The people of a scenario: they answer requests as the timeline says, through the same desk as every other door.

An answer goes to the first pending request that it matches, now or within its while. One that finds nothing is
recorded and changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.assembly import Agent
from agent.domain.approval import Answer, ApprovalRequest, Person
from agent.domain.base import digest_of, rfc3339
from agent.ports import AnswerRefused, Fault
from agent.scenarios.match import matches
from agent.scenarios.run import VerdictRun
from agent.scenarios.timeline import AnswerEntry

KNOWN: Final = (
    Person(name="alice", groups=("gpu-oncall",)),
    Person(name="bob", groups=("gpu-oncall",)),
    Person(name="carol", groups=("platform-leads",)),
    Person(name="dave", groups=("tenant-a",)),
)


@dataclass(frozen=True, slots=True)
class _Waiting:
    entry: AnswerEntry
    decision: str  # approve | reject
    until: datetime


class People:
    """Those whom everybody knows, and the file's own; anybody else is a stranger without groups."""

    def __init__(self, identities: Sequence[Person]) -> None:
        self._known: Mapping[str, Person] = {person.name: person for person in (*KNOWN, *identities)}
        self._waiting: list[_Waiting] = []

    @property
    def identities(self) -> tuple[Person, ...]:
        return tuple(self._known.values())

    def wants_to(self, decision: str, entry: AnswerEntry, now: datetime) -> None:
        self._waiting.append(_Waiting(entry, decision, now + entry.within))

    def next_deadline(self) -> datetime | None:
        return min((w.until for w in self._waiting), default=None)

    def answer(self, agent: Agent, now: datetime) -> bool:
        """Each who waits answers if they can. True when somebody has: the agent may have something to do."""
        answered = False
        for waiting in list(self._waiting):
            if self._try(waiting, agent, now):
                self._waiting.remove(waiting)
                answered = True
            elif now >= waiting.until:
                self._waiting.remove(waiting)
                _record_in_vain(waiting, agent, now)
        return answered

    def answer_now(self, agent: Agent, request: ApprovalRequest, decision: str, reason: str, now: datetime) -> str:
        """The first person who may and has not yet answers this request; the name, or "" when nobody may."""
        wanted = {group.name for group in request.requirement.groups}
        said = {answer.by for answer in request.answers}
        for person in self._known.values():
            if person.name not in said and wanted & set(person.groups):
                answer = Answer(
                    by=person.name, decision=decision, reason=reason, digest=request.digest, at=now, door="terminal"
                )
                agent.ports.desk.answer(request.id, answer, person)
                return person.name
        return ""

    def _try(self, waiting: _Waiting, agent: Agent, now: datetime) -> bool:
        try:
            found = next((r for r in agent.ports.desk.pending() if _meant(waiting.entry, r)), None)
            if found is None:
                return False
            person = self._known.get(waiting.entry.by, Person(name=waiting.entry.by, groups=()))
            agent.ports.desk.answer(found.id, _answer(waiting, found, agent, now), person)
        except AnswerRefused:
            return True  # said, recorded by the desk, and of no effect
        except Fault:
            return False  # the desk does not answer: they try again while they care
        return True


def _meant(entry: AnswerEntry, request: ApprovalRequest) -> bool:
    proposal, verdict = request.proposal, request.verdict
    reasons = tuple(reason.code for reason in verdict.reasons)
    return matches(
        entry.match,
        VerdictRun(
            proposal.action, proposal.target.json_object(), proposal.parameters, verdict.decision.value, reasons
        ),
    )


def _answer(waiting: _Waiting, request: ApprovalRequest, agent: Agent, now: datetime) -> Answer:
    stale = waiting.entry.digest == "stale"
    return Answer(
        by=waiting.entry.by,
        decision=waiting.decision,
        reason=waiting.entry.reason,
        digest=_earlier_digest(request, agent) if stale else request.digest,
        at=now,
        door="scenario",
    )


def _earlier_digest(request: ApprovalRequest, agent: Agent) -> str:
    """The version before the last change; of what never changed, one that never was."""
    proposal = request.proposal
    earlier = digest_of(["before", request.digest])
    for record in agent.log.query(kind="proposal", attributes={"incident": request.incident}):
        payload = record.payload
        if isinstance(payload, Mapping) and payload["action"] == proposal.action:
            if payload["digest"] == request.digest:
                break
            earlier = str(payload["digest"])
    return earlier


def _record_in_vain(waiting: _Waiting, agent: Agent, now: datetime) -> None:
    payload = {
        "by": waiting.entry.by,
        "decision": waiting.decision,
        "reason": waiting.entry.reason,
        "counted": False,
        "code": "nothing_pending",
        "note": "nothing pending",
        "door": "scenario",
        "at": rfc3339(now),
    }
    try:
        agent.ports.ledger.record("approval", payload, attributes={"approver": waiting.entry.by})
    except Fault:
        return  # an answer without an effect may be missing from a log that is down
