"""Attacks on an approval, each through the one service that all doors call: the safe outcome, a code, a record."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from at_once import at_once
from desk_world import Opened, on_record, request

from agent.answering import REASON_CHARACTERS_MAX, Answering, Decision, Said
from agent.domain.approval import ApprovalRequest, Person, RequestState, Rules
from agent.domain.identity import Claims, Directory
from agent.domain.proposal import Refusal
from agent.domain.verdict import ApproverGroup, ApproverTier
from agent.ports import AnswerRefused

ROUNDS = 100  # tests/live has a thousand
HOUSE = Directory(
    people=(
        Person(name="alice", groups=("gpu-oncall",), links={"slack": ("T1/U1",), "terminal": ("alice", "al")}),
        Person(name="bob", groups=("gpu-oncall",), links={"slack": ("T1/U2",)}),
        Person(name="carol", groups=("platform-leads",), links={"slack": ("T1/U3",)}),
        Person(name="dave", groups=("tenant-a",), links={"slack": ("T1/U4",)}),
    ),
    rules=Rules(break_glass=("platform-leads",)),
)
ALICE, BOB, CAROL, DAVE = (Claims(door="slack", account=f"T1/U{number}") for number in range(1, 5))
STRANGER = Claims(door="slack", account="T1/U9", groups=("gpu-oncall", "platform-leads"))


@pytest.fixture
def asked(opened: Opened) -> ApprovalRequest:
    made = request(groups={"gpu-oncall": 2})
    on_record(opened, made)
    return opened.store.desk.open(made)


def door(process: Opened, directory: Directory = HOUSE) -> Answering:
    return Answering(process.store.desk, directory, process.clock)


def tried(process: Opened, asked: ApprovalRequest, claims: Claims, decision: Decision = "approve", **more: Any) -> str:
    """The state that came of it, or the code by which it was refused."""
    said = {"request": asked.id, "digest": asked.digest, "reason": "seen", **more}
    try:
        return door(process).answer(Said(decision=decision, **said), claims).state.value
    except AnswerRefused as refused:
        return refused.code


def recorded(process: Opened) -> list[tuple[bool, str]]:
    return [(r.payload["counted"], r.payload.get("code", "")) for r in process.log.query(kind="approval")]


@pytest.mark.parametrize(
    ("claims", "more", "code"),
    [
        (STRANGER, {}, "unlinked"),
        (Claims(door="oidc", account="T1/U1"), {}, "unlinked"),
        (Claims(door="terminal", account="mallory", named="alice"), {}, "not_their_login"),
        (Claims(door="terminal", account="mallory", named="nobody"), {}, "unlinked"),
        (DAVE, {}, "not_in_group"),
        (CAROL, {}, "not_in_group"),
        (ALICE, {"digest": request(node="gpu-4").digest}, "stale_digest"),
        (ALICE, {"digest": ""}, "stale_digest"),
        (ALICE, {"request": "apr-none"}, "unknown_request"),
        (ALICE, {"decision": "consume"}, "unknown_decision"),
        (ALICE, {"decision": "reject", "reason": ""}, "reason_missing"),
        (ALICE, {"decision": "edit", "changes": {"namespace": "kube-system"}}, "parameters.invalid"),
        (ALICE, {"decision": "break_glass"}, "break_glass_not_theirs"),
        (CAROL, {"decision": "break_glass", "reason": " "}, "reason_missing"),
    ],
)
def test_what_does_not_count_is_refused_with_a_code_and_recorded(
    opened: Opened, asked: ApprovalRequest, claims: Claims, more: dict[str, Any], code: str
) -> None:
    assert tried(opened, asked, claims, **more) == code
    assert recorded(opened) == [(False, code)]
    assert opened.store.desk.get(asked.id) == asked


def test_an_unlinked_press_says_so_and_names_the_account_on_record(opened: Opened, asked: ApprovalRequest) -> None:
    with pytest.raises(AnswerRefused, match="linked to nobody, so this answer does not count") as refused:
        door(opened).answer(Said(asked.id, asked.digest, "approve"), STRANGER)
    assert "approvals link NAME slack T1/U9" in str(refused.value)
    (record,) = opened.log.query(kind="approval")
    assert (record.payload["door"], record.payload["account"], record.payload["by"]) == ("slack", "T1/U9", "T1/U9")


def test_twice_by_one_person_from_two_doors_counts_once(opened: Opened, asked: ApprovalRequest) -> None:
    assert tried(opened, asked, ALICE) == "pending"
    assert tried(opened, asked, Claims(door="terminal", account="al", named="alice")) == "answered_already"
    assert tried(opened, asked, Claims(door="terminal", account="al")) == "answered_already"
    assert tried(opened, asked, BOB) == "approved"


OPS_AS = {name: Claims(door="terminal", account="ops", named=name) for name in ("bob", "erin")}
ONE_HAND: dict[str, tuple[Claims, Claims, str]] = {
    "one login, two names": (OPS_AS["bob"], OPS_AS["erin"], "account_of_another"),
    "a linked login for another": (ALICE, Claims(door="terminal", account="al", named="erin"), "not_their_login"),
    "a login of one's own name for another": (
        Claims(door="terminal", account="erin"),
        Claims(door="terminal", account="erin", named="bob"),
        "not_their_login",
    ),
    "no login at all": (ALICE, Claims(door="terminal", account="", named="erin"), "not_their_login"),
    "two accounts in Slack": (BOB, Claims(door="slack", account="T2/U7"), "answered_already"),
    "two tokens": (
        Claims(door="oidc", account="https://id.example#1"),
        Claims(door="oidc", account="https://id.example#2"),
        "answered_already",
    ),
    "Slack and a token": (BOB, Claims(door="oidc", account="https://id.example#1"), "answered_already"),
    "Slack and a shared login": (BOB, OPS_AS["bob"], "answered_already"),
}
MANY_LINKS = {"slack": ("T1/U2", "T2/U7"), "oidc": ("https://id.example#1", "https://id.example#2")}
ONE_BY_ONE = Directory(
    people=(
        HOUSE.people[0],
        Person(name="bob", groups=("gpu-oncall",), links=MANY_LINKS),
        Person(name="erin", groups=("gpu-oncall",)),
    )
)


@pytest.mark.parametrize(("first", "second", "code"), ONE_HAND.values(), ids=ONE_HAND)
def test_one_hand_is_one_answer_at_every_door(
    opened: Opened, asked: ApprovalRequest, first: Claims, second: Claims, code: str
) -> None:
    answering = door(opened, ONE_BY_ONE)
    yes = Said(asked.id, asked.digest, "approve")
    assert answering.answer(yes, first).state is RequestState.PENDING
    with pytest.raises(AnswerRefused) as refused:
        answering.answer(yes, second)
    assert refused.value.code == code and recorded(opened)[-1] == (False, code)


def test_only_a_token_brings_groups(opened: Opened, asked: ApprovalRequest) -> None:
    for claims in (DAVE, Claims(door="terminal", account="dave")):
        assert tried(opened, asked, claims.model_copy(update={"groups": ("gpu-oncall",)})) == "not_in_group"


def test_a_yes_is_taken_back_from_whichever_page_and_by_nobody_else(opened: Opened, asked: ApprovalRequest) -> None:
    assert tried(opened, asked, ALICE) == "pending"
    assert tried(opened, asked, BOB, "withdraw") == "nothing_to_withdraw"
    assert tried(opened, asked, ALICE, "withdraw", reason="") == "reason_missing"
    here = Claims(door="terminal", account="al")
    assert tried(opened, asked, here, "withdraw", digest="", tier=7) == "pending"
    assert [tried(opened, asked, each) for each in (BOB, ALICE)] == ["pending", "approved"]


def test_late_by_the_clock_here_whatever_the_door_says(opened: Opened, asked: ApprovalRequest) -> None:
    assert tried(opened, asked, ALICE) == "pending"
    opened.clock.pass_by(hours=1)
    assert tried(opened, asked, BOB) == "expired"
    assert opened.store.desk.time_out(asked.id).state is RequestState.EXPIRED
    assert tried(opened, asked, BOB) == "not_pending"
    assert recorded(opened) == [(True, ""), (False, "expired"), (True, ""), (False, "not_pending")]


def test_a_clock_that_stands_before_the_request_counts_nothing(opened: Opened, asked: ApprovalRequest) -> None:
    opened.clock.pass_by(hours=-1)
    assert tried(opened, asked, ALICE) == "clock_skew"


def test_a_reason_is_cut_where_it_is_a_report(opened: Opened, asked: ApprovalRequest) -> None:
    tried(opened, asked, ALICE, "reject", reason="x" * 10_000)
    (record,) = opened.log.query(kind="approval")
    assert len(record.payload["reason"]) == REASON_CHARACTERS_MAX


def test_breaking_the_glass_is_a_kind_of_its_own_and_is_replayed_like_any_answer(
    opened: Opened, asked: ApprovalRequest
) -> None:
    assert tried(opened, asked, ALICE) == "pending"
    assert tried(opened, asked, CAROL, "break_glass", reason="it burns") == "approved"
    (record,) = opened.log.query(kind="break_glass", approver="carol")
    assert record.payload["skipped"] == ["bob", "group:gpu-oncall"]
    before = opened.store.desk.listed()
    opened.store.rebuild_projections(opened.log.query())
    assert opened.store.desk.listed() == before and before[0].broken_glass is not None


def test_tiers_are_timed_out_once_and_replayed(opened: Opened, another: Callable[[], Opened]) -> None:
    made = request(groups={"gpu-oncall": 2})
    leads = ApproverTier(groups=(ApproverGroup(name="platform-leads", count=1),), approve_within_s=600)
    made = made.model_copy(update={"requirement": made.requirement.model_copy(update={"tiers": (leads,)})})
    on_record(opened, made)
    opened.store.desk.open(made)
    desk = opened.store.desk
    assert tried(opened, made, ALICE) == "pending"
    assert desk.time_out(made.id).tier == 0, "its time is not over"
    opened.clock.pass_by(hours=1)
    assert [desk.time_out(made.id).tier, desk.time_out(made.id).tier] == [1, 1]
    assert tried(opened, made, CAROL) == "approved"
    assert desk.time_out(made.id).state is RequestState.APPROVED
    before = desk.listed()
    opened.store.rebuild_projections(opened.log.query())
    assert desk.listed() == before
    other = another()
    assert other.store.desk.get(made.id) == before[0]


def test_an_answer_from_two_doors_at_once_counts_once(opened: Opened, another: Callable[[], Opened]) -> None:
    """Alice presses in Slack and at a terminal in the same moment, again and again; two are wanted."""
    other, hers = another(), Claims(door="terminal", account="al")
    for asked in _requests(opened, {"gpu-oncall": 2}):
        outcomes = at_once(*[lambda a=asked: tried(opened, a, ALICE), lambda a=asked: tried(other, a, hers)])  # type: ignore[misc]
        assert sorted(outcomes) == ["answered_already", "pending"]
        standing = opened.store.desk.get(asked.id)
        assert standing is not None and len(standing.answers) == 1 and standing.state is RequestState.PENDING


def test_of_a_yes_and_a_no_at_once_the_no_ends_it(opened: Opened, another: Callable[[], Opened]) -> None:
    other = another()
    for asked in _requests(opened, {"gpu-oncall": 1}):
        outcomes = at_once(*[lambda a=asked: tried(opened, a, ALICE), lambda a=asked: tried(other, a, BOB, "reject")])  # type: ignore[misc]
        mine, theirs = opened.store.desk.get(asked.id), other.store.desk.get(asked.id)
        assert mine is not None and mine == theirs
        assert mine.state is RequestState.REJECTED
        assert sorted(outcomes) == (["approved", "rejected"] if len(mine.answers) == 2 else ["not_pending", "rejected"])


def _requests(process: Opened, groups: dict[str, int]) -> Iterator[ApprovalRequest]:
    for number in range(ROUNDS):
        yield process.store.desk.open(request(f"inc-{number}/1", groups=groups))


@pytest.mark.parametrize(
    ("people", "rules", "words"),
    [
        ([("alice", {}), ("Alice", {})], {}, "two people"),
        ([("alice", {}), ("ａｌｉｃｅ", {})], {}, "two people"),
        ([("alice", {"slack": ("U",)}), ("bob", {"slack": ("U",)})], {}, "two people"),
        ([("Watchkeeper", {})], {}, "the agent's own name"),
        ([("alice", {})], {"single_operator": "bob"}, "single_operator"),
        ([("alice", {}), ("bob", {})], {"single_operator": "alice"}, "single_operator"),
    ],
)
def test_a_directory_in_which_somebody_is_two_or_two_are_one_is_none(
    people: list[tuple[str, dict[str, tuple[str, ...]]]], rules: dict[str, Any], words: str
) -> None:
    named = tuple(Person(name=name, groups=("a",), links=links) for name, links in people)
    with pytest.raises(ValueError, match=words):
        Directory(people=named, rules=Rules(**rules))


def test_at_a_terminal_a_login_is_itself_or_whom_it_is_linked_to() -> None:
    def found(account: str, named: str = "") -> str:
        person = HOUSE.person_of(Claims(door="terminal", account=account, named=named))
        return person.code if isinstance(person, Refusal) else person.name

    assert [found("bob"), found("al"), found("alice"), found("root", "bob")] == ["bob", "alice", "alice", "bob"]
    assert [found("root"), found("root", "alice"), found("", "alice")] == ["unlinked", *["not_their_login"] * 2]
