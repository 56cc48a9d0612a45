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
    params: dict[str, object] = {}  # what the sentence was filled with, so that numbers can be compared


class ApproverGroup(Noun):
    name: str
    count: int = Field(ge=1)


class ApproverTier(Noun):
    """Who is asked once the time of those before them is over. They decide anew: no earlier yes counts for them."""

    groups: tuple[ApproverGroup, ...] = Field(min_length=1)
    approve_within_s: int = Field(gt=0)


class ApprovalRequirement(Noun):
    """Snapshotted when the request is made. AND across groups; a person counts once."""

    groups: tuple[ApproverGroup, ...]
    approve_within_s: int = Field(gt=0)
    execute_within_s: int = Field(gt=0)
    tiers: tuple[ApproverTier, ...] = ()  # after `groups`, in this order; after the last it is a no

    def tier(self, number: int) -> ApproverTier:
        """The first tier is 0. Raises IndexError past the last."""
        first = ApproverTier(groups=self.groups, approve_within_s=self.approve_within_s)
        return (first, *self.tiers)[number]

    def has_tier(self, number: int) -> bool:
        return number <= len(self.tiers)


class Obligations(Noun):
    """What the executor must fulfil or not act."""

    dry_run: bool = True
    notice_s: int = 0  # tell the owner, then wait this long
    verify_within_s: int = 600
    canary: bool = False  # of several objects one is acted on first, and the rest once it is well again
    eviction_only: bool = False  # pods end by the Eviction API alone, which heeds disruption budgets
    rollback: bool = False  # only what can be taken back step by step is done


class Verdict(Noun):
    decision_id: str
    decision: Decision
    reasons: tuple[Reason, ...]
    obligations: Obligations = Obligations()
    approval: ApprovalRequirement | None = None
    policy_digest: str = ""
    proposal_digest: str = ""
