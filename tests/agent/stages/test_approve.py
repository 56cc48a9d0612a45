"""Asking people: once, on the record, and whatever they say or do not say leads somewhere."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from step_field import STEPS, proposal
from thread_house import APPROVE_WITHIN_S, ESCALATED, START, House

from agent.domain.incident import IncidentState
from agent.domain.thread import Next, Wait
from agent.scenarios.crash import AgentKilled
from agent.stages.approve import approve, request_for

CORDON = proposal(STEPS["patch"])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_it_asks_once_and_waits_until_the_request_expires(house: House) -> None:
    first = approve(house.asking, house.ports)
    assert isinstance(first, Wait) and first.until == START + timedelta(seconds=APPROVE_WITHIN_S)
    house.later(60)
    again = approve(first.thread, house.ports)
    assert isinstance(again, Wait) and again.until == first.until
    assert house.kinds() == ["approval_requested"]


def test_asked_again_after_a_crash_it_is_the_same_request_with_the_same_end(house: House) -> None:
    """The thread as it was before: what it had asked is lost to it, not to the log."""
    first = approve(house.asking, house.ports)
    house.later(60)
    again = approve(house.asking, house.ports)
    assert isinstance(first, Wait) and isinstance(again, Wait)
    assert (again.thread.request, again.until) == (first.thread.request, first.until)
    assert house.kinds() == ["approval_requested"]


def test_a_yes_leads_on_and_is_a_boundary(house: House) -> None:
    approve(house.asking, house.ports)
    house.answers("approve")
    move = approve(house.asking, house.ports)
    assert isinstance(move, Next) and move.to == "notice"
    house.kills.arm("approval")
    with pytest.raises(AgentKilled):
        approve(house.asking, house.ports)


@pytest.mark.parametrize(("on_refusal", "ending"), [("stop", IncidentState.REJECTED), ("continue", None)])
def test_a_no_ends_it_unless_the_playbook_can_do_without(
    house: House, on_refusal: str, ending: IncidentState | None
) -> None:
    thread = house.asking.but(on_refusal=on_refusal)
    approve(thread, house.ports)
    house.answers("reject")
    move = approve(thread, house.ports)
    assert isinstance(move, Next) and (move.to, move.thread.ending) == ("propose", ending)


def test_silence_expires_to_a_no(house: House) -> None:
    waiting = approve(house.asking, house.ports)
    house.later(APPROVE_WITHIN_S)
    move = approve(waiting.thread, house.ports)
    assert isinstance(move, Next) and move.thread.ending is IncidentState.EXPIRED
    assert house.ports.desk.pending() == []


def test_a_recovery_withdraws_what_nobody_answered_yet(house: House) -> None:
    waiting = approve(house.asking, house.ports)
    house.recovers()
    move = approve(waiting.thread, house.ports)
    assert isinstance(move, Next) and move.to == "cancel"


def test_another_verdict_is_another_request() -> None:
    one = request_for(CORDON, ESCALATED, START)
    assert request_for(CORDON, ESCALATED, START + timedelta(hours=1)).id == one.id
    other = ESCALATED.model_copy(update={"decision_id": "dec-2"})
    assert request_for(CORDON, other, START).id != one.id


def test_who_is_to_be_asked_must_be_said() -> None:
    with pytest.raises(ValueError, match="without saying who"):
        request_for(CORDON, ESCALATED.model_copy(update={"approval": None}), START)
