"""What a run that was interrupted has proposed, and nobody wants any more when its round comes again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_repair_away import DIAGNOSED, REBOOT
from thread_house import START, House

from agent.doing import Effectors
from agent.domain.incident import IncidentState
from agent.domain.thread import Next, Thread
from agent.effects import StepCall, run_step
from agent.look import remedy_key
from agent.scenarios.crash import AgentKilled
from agent.stages.cancel import cancel
from agent.stages.propose import propose

CORDON = "cordon_node Node/gpu-1"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A reboot is on record for the round; what the playbook wants is the cordon."""
    made = House(tmp_path)
    about = {"incident": "inc-1", "proposal": "inc-1/0", "action": REBOOT.action, "target": str(REBOOT.target)}
    said = {**REBOOT.json_object(), "digest": REBOOT.digest, "remedy": remedy_key(REBOOT)}
    made.ports.ledger.record("proposal", said, unique_key="proposal:inc-1/0", attributes=about)
    yield made
    made.close()


def proposed(house: House, thread: Thread | None = None) -> Next:
    move = propose(thread or Thread(incident="inc-1", diagnosis=DIAGNOSED), house.ports)
    assert isinstance(move, Next)
    return move


def test_it_is_withdrawn_and_what_is_wanted_is_proposed_next(house: House) -> None:
    first = proposed(house)
    assert (first.to, first.thread.proposal, first.thread.tried) == ("cancel", REBOOT, ())
    after = cancel(first.thread, house.ports)
    second = proposed(house, after.thread)
    assert second.to == "judge" and second.thread.tried == (CORDON,)
    assert second.thread.proposal is not None and second.thread.proposal.id == "inc-1/1"
    (withdrawn,) = house.agent.log.query(kind="cancellation")
    assert withdrawn.payload["reason"] == "request_node_repair on Node/gpu-1 is no longer called for"


def test_what_was_begun_is_brought_to_its_end_and_the_other_is_still_to_be_tried(house: House) -> None:
    ports = house.ports
    through = Effectors(ports.cluster, ports.repairs, ports.notifier, ports.ledger, ports.boundaries)
    house.kills.arm("intent")
    with pytest.raises(AgentKilled):
        run_step(StepCall(REBOOT, 0, START, since=START), through)
    move = proposed(house)
    assert (move.to, move.thread.proposal) == ("judge", REBOOT)
    assert move.thread.tried == (remedy_key(REBOOT),)


def test_why_an_incident_ends_is_not_forgotten_over_it(house: House) -> None:
    ending = Thread(incident="inc-1", diagnosis=DIAGNOSED, ending=IncidentState.ESCALATED, statement="nobody knows why")
    after = cancel(proposed(house, ending).thread, house.ports)
    (told,) = [proposed(house, after.thread).thread.proposal]
    assert told is not None and told.action == "notify" and "nobody knows why" in str(told.parameters["message"])


def test_the_same_remedy_stands_as_it_was_recorded(house: House) -> None:
    first = proposed(house, Thread(incident="inc-1", diagnosis=DIAGNOSED, round=1))
    again = proposed(house, Thread(incident="inc-1", diagnosis=DIAGNOSED, round=1))
    assert first == again and first.to == "judge"
