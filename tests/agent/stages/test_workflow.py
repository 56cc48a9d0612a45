"""The graph around the stages, and the loop around the graph: what waits, what ends, what fails."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.serde.types import INTERRUPT
from thread_house import START, House

from agent.adapters.checkpoints import close, open_checkpointer
from agent.assembly import Agent, assemble
from agent.config import Settings
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import Incident, IncidentState
from agent.domain.signal import FindingBody, Signal, XidBody
from agent.ports import Fault, Ports, StoreUnavailable
from agent.scenarios.witness import Pager
from agent.stages.diagnose import SETTLE_S
from agent.watch import RETRY_AT_MOST_S, RETRY_FIRST_S, Watch
from agent.workflow import STAGES, Workflow


class Quarrelsome:
    """ports.Reasoner with a fault of its own: it raises what nobody expects."""

    def explain(self, incident: Incident, view: ClusterView) -> Diagnosis | None:
        raise RuntimeError("the model's answer has no choices")

    def thinking(self, incident: str) -> bool:
        return False


class Deaf(Pager):
    """Reaches nobody."""

    def notify(self, audience: str, subject: ObjectRef, message: str, *, key: str) -> None:
        raise Fault("the pager does not answer")


class Flaky:
    """ports.Timers that the disk has let down, until it is mended."""

    def __init__(self, timers: Any) -> None:
        self._timers, self.broken = timers, True

    def __getattr__(self, name: str) -> Any:
        if self.broken:
            raise StoreUnavailable("disk full")
        return getattr(self._timers, name)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_every_destination_is_a_stage() -> None:
    names = {stage.__name__ for stage, _ in STAGES} | {"close"}
    assert {to for _, destinations in STAGES for to in destinations} <= names


def test_a_thread_that_waits_has_its_wake_up_and_one_that_ended_leaves_nothing(house: House, tmp_path: Path) -> None:
    """Under `suggest` the incident is refused and a person told; before that the policies have to answer."""
    saver = open_checkpointer(tmp_path / "threads.db", "memory")
    workflow = Workflow(house.ports, saver)
    assert workflow.advance("inc-1", "opened") is None
    assert list(saver.list({"configurable": {"thread_id": "inc-1"}})) == []
    assert house.ports.timers.next_due() is None
    assert house.kinds()[-1] == "incident_closed"
    close(saver)


def test_a_fault_leaves_the_thread_where_it_was(house: House, tmp_path: Path) -> None:
    saver = open_checkpointer(tmp_path / "threads.db", "memory")
    workflow = Workflow(house.ports, saver)
    house.world.inject_fault("apiserver", "down", house.world.clock.now() + timedelta(seconds=30))
    with pytest.raises(Fault):
        workflow.advance("inc-1", "opened")
    house.later(31)
    assert workflow.advance("inc-1", "retry") is None
    assert house.kinds().count("diagnosis") == 1
    close(saver)


def test_beside_a_checkpoint_stands_only_what_is_in_none(house: House, tmp_path: Path) -> None:
    """And who opens the file next goes on from there."""
    unknown = Signal(
        id="s2", source="logs", type="dev.watchkeeper.xid", time=START, body=XidBody(node="gpu-1", xid=999)
    )
    incident = house.incident.model_copy(update={"id": "inc-2", "signals": (unknown,)})
    house.ports.incidents.save(incident, IncidentState.OPEN)
    saver = open_checkpointer(tmp_path / "threads.db", "memory")
    assert Workflow(house.ports, saver).advance("inc-2", "opened") is None
    assert house.kinds() == []  # more may be on its way
    assert saver.conn.execute("SELECT DISTINCT channel FROM writes").fetchall() == [(INTERRUPT,)]
    close(saver)
    house.later(SETTLE_S)
    saver = open_checkpointer(tmp_path / "threads.db", "memory")
    assert Workflow(house.ports, saver).advance("inc-2", "due") is None
    assert house.kinds()[0] == "diagnosis" and house.kinds()[-1] == "incident_closed"
    close(saver)


# --- the loop -------------------------------------------------------------------------------------------------------


def news(agent: Agent, xid: int = 999) -> None:
    """Something that no playbook knows: the reasoner is asked."""
    body = XidBody(node="gpu-1", xid=xid)
    signal = Signal(id=f"x{xid}", source="logs", type="dev.watchkeeper.xid", time=agent.ports.clock.now(), body=body)
    agent.receive([signal])
    agent.run_until_idle()


def settles(house: House, agent: Agent) -> None:
    house.later(SETTLE_S + 1)
    agent.run_until_idle()


def test_an_error_of_ours_ends_one_incident_by_name_and_calls_a_person(house: House, tmp_path: Path) -> None:
    agent, pager = with_reasoner(house, tmp_path, Pager())
    news(agent)
    settles(house, agent)
    assert agent.ports.incidents.open() == []
    (closed,) = [record.payload for record in agent.log.query(kind="incident_closed")]
    assert closed["state"] == "failed" and "no choices" in closed["statement"]
    assert [audience for audience, _ in pager.told.values()] == ["oncall"]
    agent.close()


def test_where_nobody_can_be_called_that_is_on_record_and_the_loop_goes_on(house: House, tmp_path: Path) -> None:
    agent, _ = with_reasoner(house, tmp_path, Deaf())
    news(agent)
    settles(house, agent)
    assert agent.ports.incidents.open() == []
    assert [record.payload["reason"] for record in agent.log.query(kind="notification_failed")] == [
        "the pager does not answer"
    ]
    agent.close()


def test_what_fails_is_tried_again_later_and_later_but_not_too_late(house: House) -> None:
    house.world.inject_fault("apiserver", "down", house.world.clock.now() + timedelta(hours=2))
    watch = Watch(house.ports, house.agent.watch._workflow, house.agent.watch._order)
    waits = []
    for _ in range(8):
        watch.run_until_idle()
        wake = watch.next_wake()
        assert wake is not None
        waits.append((wake - house.world.clock.now()).total_seconds())
        house.world.advance_to(wake)
    assert waits[:3] == [RETRY_FIRST_S, 2 * RETRY_FIRST_S, 4 * RETRY_FIRST_S]
    assert waits[-1] == RETRY_AT_MOST_S


def test_a_store_that_does_not_answer_stops_nothing_for_good(house: House) -> None:
    timers = Flaky(house.ports.timers)
    ports = Ports(**{name: getattr(house.ports, name) for name in Ports.__slots__} | {"timers": timers})
    watch = Watch(ports, house.agent.watch._workflow, house.agent.watch._order)
    watch.run_until_idle()
    assert watch.next_wake() is None
    timers.broken = False
    watch.run_until_idle()
    assert house.ports.incidents.open() == []


def with_reasoner(house: House, tmp_path: Path, pager: Pager) -> tuple[Agent, Pager]:
    """An agent on the same world whose reasoner is quarrelsome."""
    (tmp_path / "second").mkdir()
    settings = Settings(database=tmp_path / "second" / "w.db", world="simulated")

    def interpose(name: str, port: Any) -> Any:
        return Quarrelsome() if name == "llm" else port

    agent = assemble(settings, house.world, notifier=pager, durability="memory", interpose=interpose)
    return agent, pager


def test_one_signal_that_we_cannot_work_with_is_set_aside_and_the_others_are_heard(house: House) -> None:
    subject = ObjectRef(api_version="v1", kind="Node", name="gpu-1")
    poison = FindingBody(symptom="no such symptom", subject=subject, status="firing")
    now = house.world.clock.now()
    odd = Signal(id="odd", source="test", type="dev.watchkeeper.finding", time=now, body=poison)
    house.agent.receive([odd])
    news(house.agent, xid=48)
    house.agent.run_until_idle()
    refused = [record.payload for record in house.agent.log.query(kind="refused")]
    assert [r["place"] for r in refused] == ["test#odd"]
    assert house.kinds().count("incident") == 1
