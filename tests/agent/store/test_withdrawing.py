"""A yes may be taken back by who gave it, until what it is for begins: of the two one is first, and only one counts."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from at_once import at_once
from desk_world import PEOPLE, START, Opened, on_record, request, said

from agent.answering import Decision
from agent.domain.approval import Answer, ApprovalRequest, RequestState, Rules, escalated, missing
from agent.domain.counting import counted
from agent.domain.proposal import Refusal
from agent.domain.verdict import ApproverGroup, ApproverTier
from agent.ports import AnswerRefused

ROUNDS = 100  # tests/live has a thousand


def after(asked: ApprovalRequest, *answers: Answer) -> ApprovalRequest:
    for answer in answers:
        result = counted(asked, answer, PEOPLE[answer.by], Rules(break_glass=("tenant-a",)))
        assert isinstance(result, ApprovalRequest), result
        asked = result
    return asked


def refused(asked: ApprovalRequest, answer: Answer) -> str:
    result = counted(asked, answer, PEOPLE[answer.by])
    assert isinstance(result, Refusal), result
    return result.code


def test_taken_back_it_is_asked_again_for_what_is_left_of_its_time() -> None:
    asked = request(groups={"gpu-oncall": 2})
    granted = after(asked, said(asked, "alice"), said(asked, "bob"))
    assert granted.state is RequestState.APPROVED
    again = after(granted, said(asked, "bob", "withdraw"))
    assert (again.state, again.decided_at, missing(again)) == (RequestState.PENDING, None, ("gpu-oncall",))
    assert again.expires_at == asked.expires_at
    assert after(again, said(asked, "dora")).state is RequestState.APPROVED
    assert after(again, said(asked, "bob")).state is RequestState.APPROVED, "who took it back may think again"


def test_past_its_time_it_can_be_taken_back_and_not_given_again() -> None:
    asked = request()
    late = after(after(asked, said(asked, "alice")), said(asked, "alice", "withdraw", after_s=4000))
    assert late.state is RequestState.PENDING and refused(late, said(asked, "alice", after_s=4001)) == "expired"
    assert escalated(late, START + timedelta(seconds=4001)).state is RequestState.EXPIRED


def test_only_ones_own_yes_with_a_reason_while_nothing_has_begun() -> None:
    asked = request(groups={"gpu-oncall": 2})
    granted = after(asked, said(asked, "alice"), said(asked, "bob"))
    assert refused(asked, said(asked, "alice", "withdraw")) == "nothing_to_withdraw"
    assert refused(granted, said(asked, "dora", "withdraw")) == "nothing_to_withdraw"
    assert refused(granted, said(asked, "alice", "withdraw", reason=" ")) == "reason_missing"
    twice = after(granted, said(asked, "alice", "withdraw"))
    assert refused(twice, said(asked, "alice", "withdraw")) == "nothing_to_withdraw"
    begun = granted.model_copy(update={"state": RequestState.CONSUMED})
    assert refused(begun, said(asked, "alice", "withdraw")) == "begun"
    for state in (RequestState.REJECTED, RequestState.EDITED, RequestState.EXPIRED, RequestState.CANCELLED):
        ended = granted.model_copy(update={"state": state})
        assert refused(ended, said(asked, "alice", "withdraw")) == "not_pending"
    posing = counted(granted, said(asked, "alice", "withdraw"), PEOPLE["dave"])
    assert isinstance(posing, Refusal) and posing.code == "nothing_to_withdraw"


def test_broken_glass_is_mended_by_who_broke_it() -> None:
    asked = request(groups={"gpu-oncall": 2})
    broken = after(asked, said(asked, "dave", "break_glass"))
    assert broken.state is RequestState.APPROVED and broken.broken_glass is not None
    mended = after(broken, said(asked, "dave", "withdraw"))
    assert (mended.state, mended.broken_glass) == (RequestState.PENDING, None)


def test_a_yes_of_an_earlier_tier_counts_for_no_later_one_once_it_is_taken_back() -> None:
    asked = request(groups={"gpu-oncall": 2})
    tiers = (ApproverTier(groups=(ApproverGroup(name="gpu-oncall", count=1),), approve_within_s=600),)
    asked = asked.model_copy(update={"requirement": asked.requirement.model_copy(update={"tiers": tiers})})
    second = escalated(after(asked, said(asked, "alice")), START + timedelta(hours=1))
    back = after(second, said(asked, "alice", "withdraw", after_s=3601))
    assert missing(back) == ("gpu-oncall",) and back.standing == ()
    assert after(back, said(asked, "bob", after_s=3602)).state is RequestState.APPROVED


def test_on_the_record_like_any_answer(opened: Opened) -> None:
    asked = request()
    on_record(opened, asked)
    desk = opened.store.desk
    desk.open(asked)
    desk.answer(asked.id, said(asked, "alice"), PEOPLE["alice"])
    back = desk.answer(asked.id, said(asked, "alice", "withdraw", reason="they have a deadline"), PEOPLE["alice"])
    assert back.state is RequestState.PENDING and not desk.consume(asked.id)
    told = [
        (r.payload["decision"], r.payload["reason"], r.payload["counted"]) for r in opened.log.query(kind="approval")
    ]
    assert told[-1] == ("withdraw", "they have a deadline", True)
    before = desk.listed()
    opened.store.rebuild_projections(opened.log.query())
    assert desk.listed() == before


@pytest.mark.parametrize(
    ("decision", "who", "instead"), [("reject", "bob", "rejected"), ("withdraw", "alice", "pending")]
)
def test_of_an_answer_against_it_and_a_beginning_one_is_first(
    opened: Opened, another: Callable[[], Opened], decision: Decision, who: str, instead: str
) -> None:
    """Rejected or withdrawn, it does not begin; begun, it is neither. Never both, and the log bears either out."""
    other = another()
    for number in range(ROUNDS):
        asked = request(f"inc-{number}/1")
        on_record(opened, asked)
        opened.store.desk.open(asked)
        opened.store.desk.answer(asked.id, said(asked, "alice"), PEOPLE["alice"])

        def answers(asked: ApprovalRequest = asked) -> str:
            try:
                return other.store.desk.answer(asked.id, said(asked, who, decision), PEOPLE[who]).state.value
            except AnswerRefused as refusal:
                return refusal.code

        outcomes = sorted(map(str, at_once(answers, lambda a=asked: opened.store.desk.consume(a.id))))  # type: ignore[misc]
        assert outcomes in (["False", instead], ["True", "begun"]), number
        assert not isinstance(opened.store.desk.proven(asked.id), Refusal)


@pytest.mark.parametrize("begin", [2, 4])
def test_of_many_beginnings_one_is_first(opened: Opened, another: Callable[[], Opened], begin: int) -> None:
    others = [opened, *(another() for _ in range(begin - 1))]
    for number in range(20):
        asked = request(f"inc-{begin}{number}/1")
        on_record(opened, asked)
        opened.store.desk.open(asked)
        opened.store.desk.answer(asked.id, said(asked, "alice"), PEOPLE["alice"])
        begun = at_once(*(lambda p=process, a=asked: p.store.desk.consume(a.id) for process in others))  # type: ignore[misc]
        assert sorted(begun) == [False] * (begin - 1) + [True]
