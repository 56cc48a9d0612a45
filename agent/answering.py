"""The one way in for answers: every door (terminal, chat, web) calls it with what it knows, and nothing decides there.

A door hands over the request, the digest that the person saw, whose account it was, the answer and the reason. Here
the account becomes a linked person, an edit is held against the action's own parameters, and the desk counts: one
durable record, whatever the door. What does not count is refused with a code, and recorded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agent.domain.approval import Answer, ApprovalRequest, Person
from agent.domain.identity import Claims, Directory
from agent.domain.proposal import Proposal, Refusal
from agent.ports import ApprovalDesk, Clock

Decision = Literal["approve", "reject", "edit", "break_glass", "withdraw"]
REASON_CHARACTERS_MAX = 2000
"""Of a reason; more is no reason but a report, and a chat message ends about there."""


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody answers, as their door understood it. `digest` is that of the page they saw."""

    request: str
    digest: str
    decision: Decision
    reason: str = ""
    changes: Mapping[str, Any] | None = None  # of an edit: parameters, null takes one out
    tier: int | None = None  # who was asked on that page, where the door can tell


class Answering:
    """`answer` is all that a door needs."""

    def __init__(self, desk: ApprovalDesk, directory: Directory, clock: Clock) -> None:
        self._desk = desk
        self._directory = directory
        self._clock = clock

    def answer(self, said: Said, claims: Claims) -> ApprovalRequest:
        """The request as it stands afterwards. Raises AnswerRefused, with a code, for what does not count."""
        person = self._directory.person_of(claims)
        answer = self._answer(said, claims, person)
        if isinstance(person, Refusal):
            self._desk.refuse(said.request, answer, person)
        standing = self._desk.get(said.request)
        gives = said.decision != "withdraw"  # to take back is good for whatever page it was said on
        if standing is not None and gives and said.tier is not None and said.tier != standing.tier:
            self._desk.refuse(said.request, answer, _OTHERS_ARE_ASKED)
        if said.decision == "edit":
            wrong = unfit(standing.proposal, answer.changes) if standing else None
            if wrong is not None:
                self._desk.refuse(said.request, answer, wrong)
        return self._desk.answer(said.request, answer, person, self._directory.rules)

    def _answer(self, said: Said, claims: Claims, person: Person | Refusal) -> Answer:
        return Answer(
            by=claims.named or claims.account if isinstance(person, Refusal) else person.name,
            decision=said.decision,
            reason=said.reason[:REASON_CHARACTERS_MAX],
            digest=said.digest,
            at=self._clock.now(),
            door=claims.door,
            account=claims.account,
            changes=dict(said.changes or {}),
            skipped=self._skipped(said, person) if said.decision == "break_glass" else (),
        )

    def _skipped(self, said: Said, person: Person | Refusal) -> tuple[str, ...]:
        """Everybody who could have been asked, of every tier, but for whoever breaks the glass; and the groups
        themselves, in which there may be more people than the settings name."""
        standing = self._desk.get(said.request)
        if standing is None or isinstance(person, Refusal):
            return ()
        tiers = (standing.requirement.groups, *(tier.groups for tier in standing.requirement.tiers))
        groups = tuple(dict.fromkeys(group.name for tier in tiers for group in tier))
        people = dict.fromkeys(name for group in groups for name in self._directory.members(group))
        heard = {person.name, *(answer.by for answer in standing.answers)}
        return (*(name for name in people if name not in heard), *(f"group:{group}" for group in groups))


_OTHERS_ARE_ASKED = Refusal(
    code="stale_tier",
    message="This answer is for a page on which others were asked; by now the next tier is.",
    remedy="Open the request again, and answer if you are still asked.",
)


def unfit(proposal: Proposal, changes: Mapping[str, Any]) -> Refusal | None:
    """Why the action cannot be done with these changes, as far as its parameters alone can say."""
    from agent.actions.base import read_parameters
    from agent.actions.catalogue import CATALOGUE

    unknown = sorted(set(changes) - set(CATALOGUE[proposal.action].parameters.model_fields))
    if unknown:
        known = ", ".join(CATALOGUE[proposal.action].parameters.model_fields) or "none"
        return Refusal(
            code="parameters.invalid",
            message=f"{proposal.action} has no parameter {unknown[0]}.",
            remedy=f"It has these: {known}.",
        )
    merged = {**proposal.parameters, **changes}
    read = read_parameters(
        CATALOGUE[proposal.action], {name: value for name, value in merged.items() if value is not None}
    )
    return read if isinstance(read, Refusal) else None
