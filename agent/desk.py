"""The port to the approval desk, where all doors meet. `agent/ports.py` hands it on with the others."""

from typing import NoReturn, Protocol

from agent.domain.approval import Answer, ApprovalRequest, Person, Rules
from agent.domain.proposal import Refusal


class ApprovalDesk(Protocol):
    """One durable record per request, whatever the door. An answer never acts: it is read by the workflow."""

    def open(self, request: ApprovalRequest) -> ApprovalRequest:
        """Idempotent by request id: the stored request stands."""
        ...

    def get(self, request: str) -> ApprovalRequest | None: ...

    def pending(self) -> list[ApprovalRequest]: ...

    def answer(self, request: str, answer: Answer, person: Person, rules: Rules = ...) -> ApprovalRequest:
        """Adds an answer. Raises AnswerRefused when it may not count (wrong digest, stranger, late, twice)."""
        ...

    def refuse(self, request: str, answer: Answer, refusal: Refusal) -> NoReturn: ...

    def time_out(self, request: str) -> ApprovalRequest:
        """The next tier is asked, or it expires, if the time of those who are asked is over."""
        ...

    def proven(self, request: str) -> ApprovalRequest | Refusal:
        """The request as the log has it; a refusal, on the record, where the desk shows anything else."""
        ...

    def consume(self, request: str) -> bool:
        """Uses the approval up; False where it is not approved any more, or used already."""
        ...

    def close(self, request: str, state: str, why: str = "") -> None:
        """Expired, cancelled or consumed."""
        ...


class AnswerRefused(Exception):
    """An answer that does not count; `code` says why: stale_digest, not_pending, not_in_group, answered_already …"""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
