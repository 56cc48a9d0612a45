"""What counts as an approval, in the language of the people who answer."""

import pytest
from desk_world import PEOPLE, START, request, said

from agent.domain.approval import Answer, ApprovalRequest, RequestState, ended
from agent.domain.counting import counted
from agent.domain.proposal import Refusal


def answered(asked: ApprovalRequest, *answers: Answer) -> ApprovalRequest:
    for answer in answers:
        result = counted(asked, answer, PEOPLE[answer.by])
        assert isinstance(result, ApprovalRequest), result
        asked = result
    return asked


def refused(asked: ApprovalRequest, answer: Answer) -> str:
    result = counted(asked, answer, PEOPLE[answer.by])
    assert isinstance(result, Refusal), result
    assert result.message.endswith(".")
    return result.code


def test_one_of_one_grants_it() -> None:
    asked = request()
    granted = answered(asked, said(asked, "alice"))
    assert granted.state is RequestState.APPROVED
    assert granted.answers[0].groups == ("gpu-oncall",)
    assert granted.decided_at == granted.answers[0].at
    assert asked.state is RequestState.PENDING


def test_two_of_a_group_are_two_people() -> None:
    asked = request(groups={"gpu-oncall": 2})
    first = answered(asked, said(asked, "alice"))
    assert first.state is RequestState.PENDING
    assert refused(first, said(asked, "alice")) == "answered_already"
    assert answered(first, said(asked, "bob")).state is RequestState.APPROVED


def test_every_group_must_be_satisfied() -> None:
    asked = request(groups={"gpu-oncall": 1, "platform-leads": 1})
    first = answered(asked, said(asked, "alice"))
    assert first.state is RequestState.PENDING
    assert answered(first, said(asked, "bob")).state is RequestState.PENDING
    assert answered(first, said(asked, "carol")).state is RequestState.APPROVED


def test_a_person_in_two_groups_counts_once() -> None:
    asked = request(groups={"gpu-oncall": 1, "platform-leads": 1})
    assert answered(asked, said(asked, "dora")).state is RequestState.PENDING


@pytest.mark.parametrize("second", ["alice", "carol"])
def test_a_person_in_two_groups_fills_whichever_place_is_left(second: str) -> None:
    asked = request(groups={"gpu-oncall": 1, "platform-leads": 1})
    assert answered(asked, said(asked, "dora"), said(asked, second)).state is RequestState.APPROVED


def test_one_reject_ends_it() -> None:
    asked = request(groups={"gpu-oncall": 2})
    ended_by = answered(asked, said(asked, "alice"), said(asked, "bob", "reject"))
    assert ended_by.state is RequestState.REJECTED
    assert refused(ended_by, said(asked, "dora")) == "not_pending"


def test_what_does_not_count() -> None:
    asked = request()
    assert refused(asked, said(asked, "dave")) == "not_in_group"
    assert refused(asked, said(asked, "dave", "reject")) == "not_in_group"
    assert refused(asked, said(asked, "watchkeeper")) == "requester"
    assert refused(asked, said(asked, "alice", digest=request(node="gpu-4").digest)) == "stale_digest"
    assert refused(asked, said(asked, "alice", "reject", reason="  ")) == "reason_missing"
    assert refused(asked, said(asked, "alice", "maybe")) == "unknown_decision"
    assert refused(asked, said(asked, "alice", after_s=3600)) == "expired"
    assert answered(asked, said(asked, "alice", after_s=3599)).state is RequestState.APPROVED


def test_nobody_answers_for_another() -> None:
    asked = request()
    result = counted(asked, said(asked, "alice"), PEOPLE["bob"])
    assert isinstance(result, Refusal)


def test_only_what_is_approved_is_consumed_and_what_has_ended_stays() -> None:
    asked = request()
    refusal = ended(asked, RequestState.CONSUMED, START)
    assert isinstance(refusal, Refusal) and refusal.code == "not_approved"
    granted = answered(asked, said(asked, "alice"))
    consumed = ended(granted, RequestState.CONSUMED, START)
    assert isinstance(consumed, ApprovalRequest) and consumed.state is RequestState.CONSUMED
    assert ended(consumed, RequestState.CONSUMED, START) == consumed
    assert ended(consumed, RequestState.CANCELLED, START) == consumed
