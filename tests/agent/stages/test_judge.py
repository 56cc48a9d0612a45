"""An approval covers these steps, under these policies, for these reasons, for a while; no decision is a no."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from step_field import STEPS, proposal

from agent.domain.approval import ApprovalRequest, RequestState
from agent.domain.counting import SKEW_S
from agent.domain.thread import Edit
from agent.domain.verdict import ApprovalRequirement, ApproverGroup, Decision, Obligations, Reason, Verdict
from agent.ports import JsonObject, PolicyUnavailable
from agent.stages.judge import approval_covers, asked_anew, decision, engine_failed

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
CORDON, EVICT = proposal(STEPS["patch"]), proposal(STEPS["evict"])
HALF_AN_HOUR_S = 1800


def verdict(*codes: str, policies: str = "v1", notice_s: int = 0) -> Verdict:
    reasons = tuple(Reason(code=code, message=code) for code in codes or ("autonomy.approval",))
    return Verdict(
        decision_id="dec-1",
        decision=Decision.ESCALATE,
        reasons=reasons,
        policy_digest=policies,
        obligations=Obligations(notice_s=notice_s),
    )


def request(state: RequestState = RequestState.APPROVED, age_s: float = 0, **changes: Any) -> ApprovalRequest:
    groups = (ApproverGroup(name="gpu-oncall", count=1),)
    given: dict[str, Any] = {"proposal": CORDON, "verdict": verdict(), **changes}
    return ApprovalRequest(
        id="apr-1",
        incident="inc-1",
        requirement=ApprovalRequirement(groups=groups, approve_within_s=3600, execute_within_s=HALF_AN_HOUR_S),
        requested_at=NOW - timedelta(hours=1),
        expires_at=NOW,
        state=state,
        decided_at=NOW - timedelta(seconds=age_s),
        **given,
    )


@pytest.mark.parametrize(
    ("asked", "now", "why"),
    [
        (request(), verdict(), ""),
        (request(age_s=HALF_AN_HOUR_S), verdict(), ""),
        (request(age_s=HALF_AN_HOUR_S + 1), verdict(), "too old"),
        (request(age_s=HALF_AN_HOUR_S + 900), verdict(notice_s=900), ""),
        (request(age_s=HALF_AN_HOUR_S + 901), verdict(notice_s=900), "too old"),
        (None, verdict(), "there is no approval"),
        *((request(state), verdict(), "there is no approval") for state in RequestState if state != "approved"),
        (request(proposal=EVICT), verdict(), "has changed"),
        (request(), verdict(policies="v2"), "policies have changed"),
        (request(), verdict("autonomy.approval", "blast_radius.gangs"), "nobody approved: blast_radius.gangs"),
        (request(verdict=verdict("autonomy.approval", "blast_radius.gangs")), verdict(), ""),
    ],
)
def test_what_an_approval_covers(asked: ApprovalRequest | None, now: Verdict, why: str) -> None:
    covered, said = approval_covers(asked, CORDON, now, NOW)
    assert covered is (why == "")
    assert why in said


def test_a_clock_that_went_back_covers_nothing() -> None:
    covered, said = approval_covers(request(age_s=-SKEW_S), CORDON, verdict(), NOW)
    assert covered
    covered, said = approval_covers(request(age_s=-SKEW_S - 1), CORDON, verdict(), NOW)
    assert not covered and "clocks disagree" in said


EDIT = Edit(
    remedy="cordon_node Node/gpu-1",
    changes={"delay_s": 60},
    editors=("alice",),
    requirement=ApprovalRequirement(
        groups=(ApproverGroup(name="gpu-oncall", count=2),), approve_within_s=60, execute_within_s=60
    ),
)


def test_what_the_policies_would_allow_is_asked_for_once_a_person_has_changed_it() -> None:
    allowed = verdict("autonomy.act").model_copy(update={"decision": Decision.ALLOW})
    edited = CORDON.model_copy(update={"edited_by": ("alice",)})
    asked = asked_anew(allowed, edited, EDIT)
    assert (asked.decision, asked.approval) == (Decision.ESCALATE, EDIT.requirement)
    assert [reason.code for reason in asked.reasons] == ["autonomy.act", "approval.edited"]
    assert asked_anew(allowed, CORDON, EDIT) == allowed
    denied = verdict("freeze.active").model_copy(update={"decision": Decision.DENY})
    assert asked_anew(denied, edited, EDIT) == denied
    assert asked_anew(verdict(), edited, EDIT) == verdict()


class Engine:
    """Answers the same to everything, or not at all."""

    digest = "v1"

    def __init__(self, answer: JsonObject | PolicyUnavailable) -> None:
        self._answer = answer

    def decide(self, policy_input: JsonObject) -> JsonObject:
        if isinstance(self._answer, PolicyUnavailable):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (PolicyUnavailable("policy.timeout", "too slow"), "policy.timeout"),
        ({}, "policy.ill_typed"),
        ({"decision": "yes", "reasons": []}, "policy.ill_typed"),
        ({"decision": "allow"}, "policy.ill_typed"),
        ({"decision": "allow", "reasons": "none"}, "policy.ill_typed"),
    ],
)
def test_what_is_no_clean_decision_is_a_deny_with_its_own_code(answer: Any, code: str) -> None:
    said = decision(Engine(answer), {"proposal": {"digest": CORDON.digest}})
    assert (said.decision, said.reasons[0].code) == (Decision.DENY, code)
    assert engine_failed(said)


def test_a_clean_decision_carries_what_it_was_for_and_under_which_policies() -> None:
    reasons = [{"code": "autonomy.act", "message": "may act"}]
    said = decision(Engine({"decision": "allow", "reasons": reasons}), {"proposal": {"digest": CORDON.digest}})
    assert (said.decision, said.policy_digest, said.proposal_digest) == (Decision.ALLOW, "v1", CORDON.digest)
    assert not engine_failed(said)
