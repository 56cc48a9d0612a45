"""A guardrail may want another group by the facts alone, without a reason that says so: a yes of fewer is none."""

import pytest

from agent.domain.approval import ApprovalRequest, RequestState
from agent.domain.covering import approval_covers
from agent.domain.verdict import ApprovalRequirement, ApproverGroup, ApproverTier
from tests.agent.store.desk_world import START, request


def approved(*tiers: dict[str, int]) -> ApprovalRequest:
    asked = request(groups={"gpu-oncall": 1, "platform-leads": 1})
    wanted = requirement({"gpu-oncall": 1, "platform-leads": 1}, *tiers)
    return asked.model_copy(
        update={"requirement": wanted, "state": RequestState.APPROVED, "decided_at": START, "requested_at": START}
    )


def groups(wanted: dict[str, int]) -> tuple[ApproverGroup, ...]:
    return tuple(ApproverGroup(name=name, count=count) for name, count in wanted.items())


def requirement(first: dict[str, int], *tiers: dict[str, int]) -> ApprovalRequirement:
    later = tuple(ApproverTier(groups=groups(tier), approve_within_s=600) for tier in tiers)
    return ApprovalRequirement(groups=groups(first), approve_within_s=3600, execute_within_s=1800, tiers=later)


@pytest.mark.parametrize(
    ("now", "more"),
    [
        (requirement({"gpu-oncall": 1, "platform-leads": 1}, {"platform-leads": 1}), ""),
        (requirement({"platform-leads": 1, "gpu-oncall": 1}), ""),
        (requirement({"gpu-oncall": 1}), ""),
        (requirement({"gpu-oncall": 1, "platform-leads": 1, "security": 1}), "security"),
        (requirement({"gpu-oncall": 2, "platform-leads": 1}), "gpu-oncall"),
        (requirement({"gpu-oncall": 1}, {"platform-leads": 2}), "platform-leads"),
        (requirement({"gpu-oncall": 1}, {"platform-leads": 1}, {"directors": 1}), "directors"),
        (None, ""),
    ],
)
def test_it_covers_nothing_for_which_more_people_are_wanted_by_now(now: ApprovalRequirement | None, more: str) -> None:
    asked = approved({"platform-leads": 1})
    covered, why = approval_covers(asked, asked.proposal, asked.verdict.model_copy(update={"approval": now}), START)
    assert covered is (more == "")
    assert why == (f"it takes more approvers than were asked: {more}" if more else "approved")
