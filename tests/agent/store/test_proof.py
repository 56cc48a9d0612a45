"""The desk's row is believed only as far as the log bears it out: whoever writes into the database alone decides
nothing. Each forgery is refused with one code, is on the record, and leaves a request that covers nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from desk_world import PEOPLE, START, Opened, on_record, request, said
from sqlalchemy import create_engine, text

from agent.domain.approval import Answer, ApprovalRequest, RequestState, Rules
from agent.domain.proposal import BlastRadius, Refusal
from agent.domain.verdict import ApprovalRequirement, ApproverGroup, ApproverTier

Forge = Callable[[ApprovalRequest], ApprovalRequest]


def asked(opened: Opened, **more: Any) -> ApprovalRequest:
    made = request(groups={"gpu-oncall": 2}).model_copy(update=more)
    on_record(opened, made)
    return opened.store.desk.open(made)


def overwrites(opened: Opened, row: ApprovalRequest) -> None:
    engine = create_engine(f"sqlite:///{opened.path}")
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE agent_requests SET body = :body, state = :state, changes = 99 WHERE id = :id"),
            {"body": row.model_dump_json(by_alias=True), "state": row.state.value, "id": row.id},
        )
    engine.dispose()


def yes(row: ApprovalRequest, *names: str) -> ApprovalRequest:
    given = tuple(said(row, name).model_copy(update={"groups": ("gpu-oncall",)}) for name in names)
    decided = {"state": RequestState.APPROVED, "decided_at": START}
    return row.model_copy(update={"answers": (*row.answers, *given), **decided})


def few(row: ApprovalRequest) -> ApprovalRequest:
    requirement = ApprovalRequirement(
        groups=(ApproverGroup(name="tenant-a", count=1),), approve_within_s=3600, execute_within_s=1800
    )
    return row.model_copy(update={"requirement": requirement})


def another_proposal(row: ApprovalRequest, **changes: Any) -> ApprovalRequest:
    return row.model_copy(update={"proposal": row.proposal.model_copy(update=changes)})


FORGERIES: dict[str, Forge] = {
    "a state that nobody gave": lambda row: row.model_copy(
        update={"state": RequestState.APPROVED, "decided_at": START}
    ),
    "answers that nobody gave": lambda row: yes(row, "alice", "bob"),
    "one answer more": lambda row: yes(row, "bob"),
    "fewer wanted": few,
    "more time": lambda row: row.model_copy(update={"expires_at": row.expires_at.replace(year=2099)}),
    "a yes of another day": lambda row: yes(row).model_copy(update={"decided_at": START.replace(year=2099)}),
    "an editor left out": lambda row: row.model_copy(update={"editors": (), "requested_by": "watchkeeper"}),
    "an editor's account left out": lambda row: row.model_copy(update={"editor_accounts": ()}),
    "other steps": lambda row: another_proposal(row, steps=()),
    "a smaller reach": lambda row: another_proposal(row, blast_radius=BlastRadius()),
    "other words": lambda row: another_proposal(row, statement="It is harmless."),
    "no reasons": lambda row: row.model_copy(update={"verdict": row.verdict.model_copy(update={"reasons": ()})}),
    "other policies": lambda row: row.model_copy(
        update={"verdict": row.verdict.model_copy(update={"policy_digest": "v2"})}
    ),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_row_that_the_log_does_not_bear_out_covers_nothing(opened: Opened, forge: Forge) -> None:
    made = asked(opened, editors=("dave",), requested_by="dave", editor_accounts=("slack:T1/U4",))
    opened.store.desk.answer(made.id, said(made, "alice"), PEOPLE["alice"])
    standing = opened.store.desk.get(made.id)
    assert standing is not None and opened.store.desk.proven(made.id) == standing
    overwrites(opened, forge(standing))
    refused = opened.store.desk.proven(made.id)
    assert isinstance(refused, Refusal) and refused.code == "approval.unproven"
    (record,) = opened.log.query(kind="refused")
    assert (record.payload["code"], record.payload["door"]) == ("approval.unproven", "desk")
    ended = opened.store.desk.get(made.id)
    assert ended is not None and ended.state is RequestState.CANCELLED
    assert not opened.store.desk.consume(made.id)


def test_a_row_without_any_record_is_nothing(opened: Opened) -> None:
    made = opened.store.desk.open(yes(request(), "alice"))
    refused = opened.store.desk.proven(made.id)
    assert isinstance(refused, Refusal) and "never asked" in refused.message


def test_a_row_from_before_a_no_is_set_right(opened: Opened) -> None:
    made = asked(opened)
    opened.store.desk.answer(made.id, said(made, "alice"), PEOPLE["alice"])
    opened.store.desk.answer(made.id, said(made, "bob", "reject"), PEOPLE["bob"])
    overwrites(opened, yes(made, "alice", "bob"))
    assert isinstance(opened.store.desk.proven(made.id), Refusal)
    right = opened.store.desk.get(made.id)
    assert right is not None and right.state is RequestState.REJECTED


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "0" * 64},
        {"by": "watchkeeper"},
        {"groups": []},
        {"counted": False},
        {"request": "apr-another"},
        {"at": "2026-11-02T11:00:00Z"},
    ],
)
def test_a_record_that_the_rules_would_not_count_counts_for_nothing(opened: Opened, change: dict[str, Any]) -> None:
    """Whoever gets a record into the log without the desk is held to the same rules."""
    made = asked(opened)
    for place, name in enumerate(("alice", "bob")):
        answer: Answer = said(made, name).model_copy(update={"groups": ("gpu-oncall",)})
        payload = {"request": made.id, "counted": True, **answer.json_object(), **(change if place else {})}
        opened.ledger.record("approval", payload, unique_key=f"approval/{made.id}/{place}")
    refused = opened.store.desk.proven(made.id)
    assert refused != made and (isinstance(refused, Refusal) or refused.state is RequestState.PENDING)
    assert not opened.store.desk.consume(made.id)


def test_every_way_to_a_yes_is_proven(opened: Opened) -> None:
    desk, clock = opened.store.desk, opened.clock
    tiers = (ApproverTier(groups=(ApproverGroup(name="platform-leads", count=1),), approve_within_s=600),)
    made = request(groups={"gpu-oncall": 2})
    made = made.model_copy(update={"requirement": made.requirement.model_copy(update={"tiers": tiers})})
    on_record(opened, made)
    desk.open(made)
    clock.pass_by(seconds=1, microseconds=1234)
    desk.answer(made.id, said(made, "alice"), PEOPLE["alice"])
    clock.pass_by(hours=1, microseconds=777)
    assert desk.time_out(made.id).tier == 1
    desk.answer(made.id, said(made, "carol"), PEOPLE["carol"])
    desk.answer(made.id, said(made, "carol", "withdraw"), PEOPLE["carol"])
    desk.answer(made.id, said(made, "dora"), PEOPLE["dora"])
    _proven(opened, made.id, RequestState.APPROVED)
    assert desk.consume(made.id) and not desk.consume(made.id)
    _proven(opened, made.id, RequestState.CONSUMED)
    glass, alone = request("inc-2/1"), request("inc-3/1", groups={"gpu-oncall": 2})
    for each in (glass, alone):
        on_record(opened, each)
        desk.open(each)
    clock.at = START
    desk.answer(glass.id, said(glass, "dave", "break_glass"), PEOPLE["dave"], Rules(break_glass=("tenant-a",)))
    desk.answer(alone.id, said(alone, "dave"), PEOPLE["dave"], Rules(single_operator="dave"))
    _proven(opened, glass.id, RequestState.APPROVED)
    _proven(opened, alone.id, RequestState.APPROVED)


def _proven(opened: Opened, identity: str, state: RequestState) -> None:
    found = opened.store.desk.proven(identity)
    assert isinstance(found, ApprovalRequest), found
    assert found.state is state
    opened.store.rebuild_projections(opened.log.query())
    again = opened.store.desk.proven(identity)
    assert again == found, "what is rebuilt from the log is borne out by it"
