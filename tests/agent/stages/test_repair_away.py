"""A repair system that is away is asked again on fresh looks; after a repair that did not help comes the next rung."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from step_field import STEPS, proposal
from thread_house import START, House

from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import IncidentState
from agent.domain.proposal import Proposal
from agent.domain.thread import Move, Next, Thread, Wait
from agent.effects import REPAIR_GIVE_UP_AFTER_S
from agent.look import remedy_key
from agent.stages.cancel import cancel
from agent.stages.execute import execute
from agent.stages.propose import propose
from agent.stages.verify import verify

REBOOT: Proposal = proposal(STEPS["request_repair"]).model_copy(
    update={"action": "request_node_repair", "parameters": {"operation": "reboot"}, "protective": False}
)
DIAGNOSED = Diagnosis(
    incident="inc-1",
    cause="xid.79",
    statement="",
    source="playbook:gpu-fallen-off-bus",
    playbook="gpu-fallen-off-bus",
    confidence=0.95,
    evidence=(),
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def judged(house: House, thread: Thread | None = None) -> Thread:
    """As it comes from the last look before execution."""
    start = Thread(incident="inc-1", proposal=REBOOT, diagnosis=DIAGNOSED, verdict=house.escalated)
    return (thread or start).but(judged_at=house.world.clock.now())


def away(house: House, seconds: float) -> None:
    house.world.inject_fault("repair", "down", house.world.clock.now() + timedelta(seconds=seconds))


def waits(move: Move) -> Thread:
    assert isinstance(move, Wait)
    return move.thread


def test_it_is_asked_ever_more_seldom_and_a_person_told_once(house: House) -> None:
    away(house, 3 * 3600)
    thread, pauses = waits(execute(judged(house), house.ports)), []
    for _ in range(14):
        move = execute(thread, house.ports)
        assert isinstance(move, Wait)
        pauses.append((move.until - house.world.clock.now()).total_seconds())
        thread = move.thread
        house.later(pauses[-1])
    assert pauses[0] == 30 and pauses[-1] == 600 and pauses == sorted(pauses)
    assert house.kinds() == ["intent"]
    assert len(house.pager.calls()) == 1
    assert thread.away_told


def test_a_short_outage_calls_nobody(house: House) -> None:
    away(house, 120)
    thread = waits(execute(judged(house), house.ports))
    house.later(110)
    waits(execute(thread, house.ports))
    assert list(house.pager.calls()) == []


def test_back_again_it_is_looked_at_anew_before_it_is_asked(house: House) -> None:
    away(house, 1800)
    thread = waits(execute(judged(house), house.ports))
    house.later(1801)
    move = execute(thread, house.ports)
    assert isinstance(move, Next) and move.to == "judge_again"
    done = execute(judged(house, thread), house.ports)
    assert isinstance(done, Next) and (done.to, done.thread.step) == ("execute", 1)
    assert house.kinds() == ["intent", "outcome"]


def test_what_it_took_before_the_answer_was_lost_is_not_asked_again(house: House) -> None:
    execute(judged(house), house.ports)
    house.later(3600)
    again = execute(judged(house).but(judged_at=START), house.ports)
    assert isinstance(again, Next) and again.to == "execute"
    assert [effect.verb for effect in house.world.effects] == ["request_repair"]


def test_half_a_day_is_long_enough(house: House) -> None:
    away(house, 2 * REPAIR_GIVE_UP_AFTER_S)
    thread = waits(execute(judged(house), house.ports))
    house.later(REPAIR_GIVE_UP_AFTER_S + 1)
    move = execute(thread, house.ports)
    assert isinstance(move, Next) and (move.to, move.thread.ending) == ("propose", IncidentState.FAILED)
    assert house.kinds() == ["intent", "outcome"]


def test_what_is_not_called_for_any_more_is_ended_on_the_record(house: House) -> None:
    away(house, 600)
    thread = waits(execute(judged(house), house.ports))
    cancel(thread.but(statement="it is over"), house.ports)
    assert house.kinds() == ["intent", "cancellation", "outcome"]
    (past,) = house.ports.ledger.past_actions(START - timedelta(days=1))
    assert past.outcome == "failed"


# --- the next rung --------------------------------------------------------------------------------------------------


def test_a_reset_and_a_reboot_are_two_remedies_and_two_resets_of_one_gpu_are_one() -> None:
    def key(**parameters: object) -> str:
        return remedy_key(REBOOT.model_copy(update={"parameters": parameters}))

    first = key(operation="reset_gpu", gpu_uuid="GPU-1")
    assert len({first, key(operation="reset_gpu", gpu_uuid="GPU-2"), key(operation="reboot")}) == 3
    assert first == key(operation="reset_gpu", gpu_uuid="GPU-1")
    assert key(operation="support", gpu_uuid="GPU-1") == key(operation="support")


def test_what_did_not_help_is_no_end_while_there_is_a_next_rung(house: House) -> None:
    thread = Thread(incident="inc-1", diagnosis=DIAGNOSED, unhelped="reboot of gpu-1 did not help", tried=())
    move = propose(thread, house.ports)
    assert isinstance(move, Next) and move.to == "judge"  # the playbook still has something to try


def test_and_a_person_is_called_when_there_is_none(house: House) -> None:
    thread = Thread(incident="inc-1", diagnosis=DIAGNOSED, unhelped="reboot of gpu-1 did not help")
    move = propose(thread.but(tried=("cordon_node Node/gpu-1",)), house.ports)
    assert isinstance(move, Next) and (move.to, move.thread.ending) == ("propose", IncidentState.FAILED)
    assert move.thread.statement == "reboot of gpu-1 did not help"


@pytest.mark.parametrize(("outcome", "to_a_person"), [("stuck", True), ("failed", False)])
def test_only_a_repair_that_is_over_is_followed_by_another(tmp_path: Path, outcome: str, to_a_person: bool) -> None:
    house = House(tmp_path, {"reboot": {"outcome": outcome, "takes": "10m"}})
    execute(judged(house), house.ports)
    since = house.world.clock.now()
    house.later(1801)
    move = verify(judged(house).but(since=since), house.ports)
    assert isinstance(move, Next) and move.to == "propose"
    assert (move.thread.ending is IncidentState.FAILED) == to_a_person
    assert bool(move.thread.unhelped) == (not to_a_person)
    (past,) = house.ports.ledger.past_actions(START - timedelta(days=1))
    assert past.helped is False
    house.close()
