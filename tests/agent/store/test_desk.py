"""The desk on a real file: idempotent, racing, crashing between log and projection, rebuilt from the log."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from at_once import at_once
from desk_world import PEOPLE, START, Opened, on_record, request, said
from sqlalchemy import create_engine, text

from agent.adapters.store.database import Database
from agent.adapters.store.desk import write
from agent.domain.approval import ApprovalRequest, RequestState
from agent.ports import AlreadyRecorded, AnswerRefused


def test_the_request_shown_first_stands(opened: Opened, another: Callable[[], Opened]) -> None:
    first = opened.store.desk.open(request())
    assert another().store.desk.open(request(node="gpu-9")) == first
    assert opened.store.desk.pending() == [first]


def test_an_answer_is_in_the_log_and_seen_by_others(opened: Opened, another: Callable[[], Opened]) -> None:
    asked = opened.store.desk.open(request())
    granted = another().store.desk.answer(asked.id, said(asked, "alice"), PEOPLE["alice"])
    assert granted.state is RequestState.APPROVED
    assert opened.store.desk.get(asked.id) == granted
    assert opened.store.desk.pending() == []
    (record,) = opened.log.query(kind="approval", approver="alice", incident="inc-1", target="Node/gpu-3")
    assert record.payload["counted"] is True and record.payload["digest"] == asked.digest


def test_an_answer_that_does_not_count_is_refused_and_recorded(opened: Opened) -> None:
    asked = opened.store.desk.open(request())
    with pytest.raises(AnswerRefused) as refused:
        opened.store.desk.answer(asked.id, said(asked, "dave"), PEOPLE["dave"])
    assert refused.value.code == "not_in_group"
    (record,) = opened.log.query(kind="approval")
    assert (record.payload["counted"], record.payload["code"]) == (False, "not_in_group")
    assert opened.store.desk.get(asked.id) == asked


def test_nothing_to_answer(opened: Opened) -> None:
    with pytest.raises(AnswerRefused) as refused:
        opened.store.desk.answer("req-none", said(request(), "alice"), PEOPLE["alice"])
    assert refused.value.code == "unknown_request"


def test_closing(opened: Opened) -> None:
    desk = opened.store.desk
    expired = desk.open(request("inc-1/1"))
    desk.close(expired.id, "expired")
    desk.close(expired.id, "cancelled")
    assert [r.payload["decision"] for r in opened.log.query(kind="approval")] == ["expired"]
    with pytest.raises(AnswerRefused) as refused:
        desk.answer(expired.id, said(expired, "alice"), PEOPLE["alice"])
    assert refused.value.code == "not_pending"
    with pytest.raises(AnswerRefused) as refused:
        desk.close(expired.id, "consumed")
    assert refused.value.code == "not_approved"
    granted = desk.open(request("inc-2/1"))
    desk.answer(granted.id, said(granted, "alice"), PEOPLE["alice"])
    desk.close(granted.id, "consumed")
    desk.close(granted.id, "consumed")
    assert [r.state.value for r in desk.listed()] == ["expired", "consumed"]
    assert [r.id for r in desk.listed(limit=1)] == ["req-inc-2/1"]
    assert desk.listed(until=START) == []


def test_a_crash_between_log_and_projection_loses_nothing(opened: Opened, another: Callable[[], Opened]) -> None:
    """The log has the answer, the projection does not: the next reader puts it right."""
    asked = opened.store.desk.open(request(groups={"gpu-oncall": 2}))
    other = another()
    other.store.desk.answer(asked.id, said(asked, "alice"), PEOPLE["alice"])
    other.store.desk.answer(asked.id, said(asked, "bob"), PEOPLE["bob"])
    _set_back(opened, asked)
    assert opened.store.desk.pending() == []
    healed = opened.store.desk.get(asked.id)
    assert healed and [a.by for a in healed.answers] == ["alice", "bob"] and healed.state is RequestState.APPROVED
    assert _sql(opened, "SELECT state FROM agent_requests") == [("approved",)]


def test_a_slower_process_takes_nothing_back(opened: Opened) -> None:
    asked = opened.store.desk.open(request(groups={"gpu-oncall": 2}))
    first = opened.store.desk.answer(asked.id, said(asked, "alice"), PEOPLE["alice"])
    second = opened.store.desk.answer(asked.id, said(asked, "bob"), PEOPLE["bob"])
    database = Database(opened.path, "memory")
    for late in (first, asked, second.model_copy(update={"answers": second.answers[::-1]})):
        with database.writing() as connection:
            write(connection, late)
    database.close()
    assert opened.store.desk.get(asked.id) == second


def test_projections_are_rebuilt_from_the_log(opened: Opened) -> None:
    desk = opened.store.desk
    for incident, who in (("inc-1", "alice"), ("inc-2", None), ("inc-3", "bob"), ("inc-4", "alice")):
        asked = desk.open(request(f"{incident}/1"))
        on_record(opened, asked)
        if who:
            desk.answer(asked.id, said(asked, who, "approve" if who == "alice" else "reject"), PEOPLE[who])
    opened.ledger.record("intent", {"proposal": "inc-1/1", "action": "cordon_node"})
    desk.close("req-inc-1/1", "consumed")
    with pytest.raises(AnswerRefused):
        desk.answer("req-inc-2/1", said(request("inc-2/1"), "dave"), PEOPLE["dave"])
    before = desk.listed()
    assert [r.state.value for r in before] == ["consumed", "pending", "rejected", "approved"]
    _sql(opened, "DELETE FROM agent_requests")
    opened.store.rebuild_projections(opened.log.query())
    assert desk.listed() == before


def test_racing_threads_of_two_stores_agree(opened: Opened, another: Callable[[], Opened]) -> None:
    """Alice rejects while Bob approves: the no ends it whichever was first, and everybody sees the same."""
    other = another()
    for turn in range(20):
        asked = opened.store.desk.open(request(f"inc-{turn}/1"))
        outcomes = at_once(
            lambda asked=asked: _try(opened, asked, "alice", "reject"),
            lambda asked=asked: _try(other, asked, "bob", "approve"),
        )
        mine, theirs = opened.store.desk.get(asked.id), other.store.desk.get(asked.id)
        assert mine == theirs and mine and mine.state is RequestState.REJECTED
        assert sorted(outcomes) == (["approved", "rejected"] if len(mine.answers) == 2 else ["not_pending", "rejected"])


def test_two_approvals_at_once_both_count(opened: Opened, another: Callable[[], Opened]) -> None:
    other = another()
    for turn in range(20):
        asked = opened.store.desk.open(request(f"inc-{turn}/1", groups={"gpu-oncall": 2}))
        at_once(
            lambda asked=asked: _try(opened, asked, "alice", "approve"),
            lambda asked=asked: _try(other, asked, "bob", "approve"),
        )
        seen = opened.store.desk.get(asked.id)
        assert seen and seen.state is RequestState.APPROVED and len(seen.answers) == 2


_ANSWERER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from desk_world import Opened, PEOPLE, said
from agent.ports import AnswerRefused
opened = Opened(Path(sys.argv[2]))
who, decision = sys.argv[3:5]
print("ready", flush=True)
sys.stdin.readline()
for turn in range(10):
    asked = opened.store.desk.get(f"req-inc-{turn}/1")
    try:
        print(turn, opened.store.desk.answer(asked.id, said(asked, who, decision), PEOPLE[who]).state.value)
    except AnswerRefused as refused:
        print(turn, refused.code)
"""


def test_two_processesat_once(opened: Opened) -> None:
    for turn in range(10):
        opened.store.desk.open(request(f"inc-{turn}/1"))
    here = str(__file__).rsplit("/", 1)[0]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _ANSWERER, here, str(opened.path), who, decision],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for who, decision in (("alice", "approve"), ("bob", "reject"))
    ]
    for racer in racers:
        assert racer.stdout and racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said_by = [dict(line.split() for line in racer.communicate(timeout=60)[0].splitlines()) for racer in racers]
    for turn in range(10):
        stands = opened.store.desk.get(f"req-inc-{turn}/1")
        assert stands and stands.state is RequestState.REJECTED
        first = "approved" if len(stands.answers) == 2 else "not_pending"
        heard = {said_by[0][str(turn)], said_by[1][str(turn)]}
        assert heard == {first, "rejected"}, json.dumps(said_by)


def _try(process: Opened, asked: ApprovalRequest, who: str, decision: str) -> str:
    try:
        return process.store.desk.answer(asked.id, said(asked, who, decision), PEOPLE[who]).state.value
    except AnswerRefused as refused:
        return refused.code


def _set_back(process: Opened, asked: ApprovalRequest) -> None:
    """As if the process had died before its projection changed."""
    _sql(
        process,
        "UPDATE agent_requests SET body = :body, state = 'pending', changes = 0 WHERE id = :id",
        body=asked.model_dump_json(by_alias=True),
        id=asked.id,
    )


def _sql(process: Opened, statement: str, **values: str) -> list[tuple[Any, ...]]:
    engine = create_engine(f"sqlite:///{process.path}")
    with engine.begin() as connection:
        result = connection.execute(text(statement), values)
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


def test_the_log_itself_refuses_a_place_twice(opened: Opened) -> None:
    opened.ledger.record("approval", {"counted": True}, unique_key="approval/r/0")
    with pytest.raises(AlreadyRecorded) as taken:
        opened.ledger.record("approval", {"counted": False}, unique_key="approval/r/0")
    assert taken.value.payload == {"counted": True}
