"""A Verdict: what the policies say about one proposal, with reasons that name the rule."""

from enum import StrEnum

from pydantic import Field

from agent.domain.base import Noun


class Decision(StrEnum):
    ALLOW = "allow"
    ESCALATE = "escalate"
    DENY = "deny"


class Reason(Noun):
    """`code` is `guardrail.detail`, for example blast_radius.node_limit; the texts come from the rule's METADATA."""

    code: str
    message: str
    remedy: str = ""


class ApproverGroup(Noun):
    name: str
    count: int = Field(ge=1)


class ApprovalRequirement(Noun):
    """Snapshotted when the request is made. AND across groups; a person counts once."""

    groups: tuple[ApproverGroup, ...]
    approve_within_s: int = Field(gt=0)
    execute_within_s: int = Field(gt=0)


class Obligations(Noun):
    """What the executor must fulfil or not act."""

    dry_run: bool = True
    notice_s: int = 0  # tell the owner, then wait this long
    verify_within_s: int = 600


class Verdict(Noun):
    decision_id: str
    decision: Decision
    reasons: tuple[Reason, ...]
    obligations: Obligations = Obligations()
    approval: ApprovalRequirement | None = None
    policy_digest: str = ""
    proposal_digest: str = ""
