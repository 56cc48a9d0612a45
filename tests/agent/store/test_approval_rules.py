"""What counts as an approval, in the language of the people who answer."""

from datetime import timedelta
from itertools import combinations

import pytest
from desk_world import PEOPLE, START, request, said
from hypothesis import given, strategies as st

from agent.domain.approval import (
    Answer,
    ApprovalRequest,
    Person,
    RequestState,
    Rules,
    ended,
    escalated,
    missing,
)
from agent.domain.counting import SKEW_S, counted
from agent.domain.proposal import Refusal
from agent.domain.verdict import ApproverGroup, ApproverTier


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


def test_one_reject_ends_it_after_the_last_yes_too_until_it_begins() -> None:
    asked = request()
    granted = answered(asked, said(asked, "alice"))
    assert granted.state is RequestState.APPROVED
    for who in ("alice", "bob"):
        assert answered(granted, said(asked, who, "reject")).state is RequestState.REJECTED
    assert answered(granted, said(asked, "bob", "reject", after_s=4000)).state is RequestState.REJECTED, (
        "a no is not late"
    )
    assert refused(granted, said(asked, "dave", "reject")) == "not_in_group"
    assert refused(granted, said(asked, "bob", "reject", reason=" ")) == "reason_missing"
    assert refused(granted, said(asked, "bob")) == "not_pending"
    begun = granted.model_copy(update={"state": RequestState.CONSUMED})
    assert refused(begun, said(asked, "bob", "reject")) == "begun"


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


TIERED = request(groups={"gpu-oncall": 2}).requirement.model_copy(
    update={
        "tiers": (
            ApproverTier(groups=(ApproverGroup(name="platform-leads", count=1),), approve_within_s=600),
            ApproverTier(groups=(ApproverGroup(name="gpu-oncall", count=1),), approve_within_s=60),
        )
    }
)


def tiered() -> ApprovalRequest:
    return request().model_copy(update={"requirement": TIERED})


def test_time_asks_the_next_tier_and_after_the_last_it_is_a_no() -> None:
    late = START + timedelta(hours=2)  # the agent was away when the time was over
    second = escalated(tiered(), late)
    assert (second.tier, second.expires_at, second.state) == (1, late + timedelta(seconds=600), RequestState.PENDING)
    third = escalated(second, late + timedelta(seconds=600))
    assert third.expires_at == late + timedelta(seconds=660)
    assert escalated(third, late + timedelta(seconds=660)).state is RequestState.EXPIRED
    assert escalated(request(), late).state is RequestState.EXPIRED


def test_no_earlier_yes_counts_for_the_next_tier_so_time_completes_nothing() -> None:
    """One of two had approved; the third tier wants one of the same group: it is asked anew."""
    asked = answered(tiered(), said(tiered(), "alice"))
    third = escalated(escalated(asked, START + timedelta(hours=1)), START + timedelta(hours=1, minutes=10))
    assert (third.state, missing(third)) == (RequestState.PENDING, ("gpu-oncall",))
    again = answered(third, said(asked, "alice", after_s=4201))
    assert (again.state, again.answers[-1].tier) == (RequestState.APPROVED, 2)


def test_a_tier_is_asked_alone_and_a_no_is_heard_from_those_before_it() -> None:
    second = escalated(tiered(), START + timedelta(hours=1))
    assert refused(second, said(second, "bob", after_s=3660)) == "not_in_group"
    assert answered(second, said(second, "carol", after_s=3660)).state is RequestState.APPROVED
    assert answered(second, said(second, "bob", "reject", after_s=3660)).state is RequestState.REJECTED
    assert refused(tiered(), said(tiered(), "carol", "reject")) == "not_in_group"  # not asked yet


def test_who_said_yes_may_still_say_no_while_others_are_asked() -> None:
    asked = request(groups={"gpu-oncall": 2})
    assert answered(asked, said(asked, "alice"), said(asked, "alice", "reject")).state is RequestState.REJECTED


def test_who_changed_what_is_asked_may_withdraw_it_but_never_approves_it() -> None:
    asked = request().model_copy(update={"requested_by": "bob", "editors": ("alice", "bob")})
    for name in ("alice", "bob"):
        assert refused(asked, said(asked, name)) == "requester"
        assert answered(asked, said(asked, name, "reject")).state is RequestState.REJECTED
    assert answered(asked, said(asked, "dora")).state is RequestState.APPROVED
    assert refused(asked, said(asked, "watchkeeper", "reject")) == "requester"


def test_an_edit_ends_the_request_and_needs_a_reason_and_a_change() -> None:
    asked = request()
    edit = said(asked, "alice", "edit").model_copy(update={"changes": {"delay_s": 60}})
    assert answered(asked, edit).state is RequestState.EDITED
    assert refused(asked, edit.model_copy(update={"changes": {}})) == "nothing_changed"
    assert refused(asked, edit.model_copy(update={"reason": ""})) == "reason_missing"
    assert refused(asked, edit.model_copy(update={"by": "dave"})) == "not_in_group"


def test_the_single_operator_fills_every_place_and_nobody_else_does() -> None:
    asked = request(groups={"gpu-oncall": 2, "platform-leads": 1}).model_copy(update={"editors": ("dave",)})
    alone = counted(asked, said(asked, "dave"), PEOPLE["dave"], Rules(single_operator="dave"))
    assert isinstance(alone, ApprovalRequest)
    assert (alone.state, alone.answers[0].alone) == (RequestState.APPROVED, True)
    assert refused(asked, said(asked, "dave")) == "requester"
    other = counted(asked, said(asked, "alice"), PEOPLE["alice"], Rules(single_operator="dave"))
    assert isinstance(other, ApprovalRequest) and other.state is RequestState.PENDING
    agent = counted(asked, said(asked, "watchkeeper"), PEOPLE["watchkeeper"], Rules(single_operator="watchkeeper"))
    assert isinstance(agent, Refusal) and agent.code == "requester"


def test_the_glass_is_broken_by_one_in_time_with_a_reason_where_the_settings_allow_it() -> None:
    asked, glass = request(groups={"gpu-oncall": 2, "platform-leads": 2}), Rules(break_glass=("tenant-a",))
    broken = counted(asked, said(asked, "dave", "break_glass"), PEOPLE["dave"], glass)
    assert isinstance(broken, ApprovalRequest) and broken.state is RequestState.APPROVED
    assert broken.broken_glass is not None and broken.broken_glass.by == "dave"
    late = counted(asked, said(asked, "dave", "break_glass", after_s=3600), PEOPLE["dave"], glass)
    assert isinstance(late, Refusal) and late.code == "expired"


def test_clocks_may_differ_a_little_and_no_more() -> None:
    asked = request()
    assert refused(asked, said(asked, "alice", after_s=-SKEW_S - 1)) == "clock_skew"
    assert answered(asked, said(asked, "alice", after_s=-SKEW_S)).state is RequestState.APPROVED


GROUPS = ("a", "b", "c")
WANTED = st.dictionaries(st.sampled_from(GROUPS), st.integers(1, 3), min_size=1)
BELONGING = st.lists(st.sets(st.sampled_from(GROUPS)), max_size=6)


@given(WANTED, BELONGING)
def test_it_is_granted_exactly_when_the_people_can_fill_the_places(
    wanted: dict[str, int], groups: list[set[str]]
) -> None:
    """Against Hall's condition: each set of groups has at least as many people as places."""
    asked = request(groups=wanted)
    for number, own in enumerate(groups):
        person = Person(name=f"p{number}", groups=tuple(own))
        result = counted(asked, said(asked, person.name), person)
        asked = result if isinstance(result, ApprovalRequest) else asked
    full = all(
        sum(bool(own & set(some)) for own in groups) >= sum(wanted[group] for group in some)
        for size in range(1, len(wanted) + 1)
        for some in combinations(wanted, size)
    )
    assert (asked.state is RequestState.APPROVED) == full
