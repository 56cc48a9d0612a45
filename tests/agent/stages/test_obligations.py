"""What a verdict obliges the executor to is fulfilled, or nothing is done and a code says why."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from step_field import NODE, POD, SERVER, STEPS, proposal
from thread_house import START, House

from agent.domain.cluster import ObjectRef
from agent.domain.incident import IncidentState
from agent.domain.proposal import Step, Verb
from agent.domain.thread import Next, Thread, Wait
from agent.domain.verdict import Obligations
from agent.evidence.canary import GATE_S, canary_of, not_well
from agent.evidence.owed import unfulfillable
from agent.stages.execute import execute
from agent.stages.notice import notice
from agent.stages.verify import verify

SECOND = ObjectRef(api_version="apps/v1", kind="Deployment", namespace="lab", name="second")
SHRINK = Step(verb=Verb.SCALE, target=SERVER, body={"replicas": 1}, undo={"replicas": 2})
END_A_POD = Step(verb=Verb.PATCH, target=POD, body={"spec": {"activeDeadlineSeconds": 1}}, undo={"metadata": {}})
NOBODY_MORE = {"unschedulable": True}
LABEL_A_POD = Step(verb=Verb.PATCH, target=POD, body={"metadata": {"labels": {"a": "b"}}}, undo={"metadata": {}})


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def thread(house: House, *steps: Step, **owed: Any) -> Thread:
    verdict = house.escalated.model_copy(update={"obligations": Obligations(**owed)})
    return Thread(incident="inc-1", proposal=proposal(*steps), verdict=verdict, judged_at=START)


def went(move: object) -> tuple[str, Thread]:
    assert isinstance(move, Next), move
    return move.to, move.thread


@pytest.mark.parametrize(
    ("steps", "owed", "code"),
    [
        ([END_A_POD], {"eviction_only": True}, "obligation.eviction_only"),
        ([SHRINK.model_copy(update={"target": POD})], {"eviction_only": True}, "obligation.eviction_only"),
        ([LABEL_A_POD], {"eviction_only": True}, ""),
        ([STEPS["evict"]], {"eviction_only": True}, ""),
        ([STEPS["patch"], STEPS["evict"]], {"rollback": True}, "obligation.rollback"),
        ([STEPS["patch"], STEPS["scale"]], {"rollback": True}, ""),
        ([LABEL_A_POD, STEPS["evict"]], {}, ""),
    ],
)
def test_what_cannot_be_done_as_obliged_is_not_begun(
    house: House, steps: list[Step], owed: dict[str, bool], code: str
) -> None:
    refusal = unfulfillable(proposal(*steps), Obligations(**owed))
    assert (refusal.code if refusal else "") == code
    to, after = went(execute(thread(house, *steps, **owed), house.ports))
    if code:
        assert (to, after.ending) == ("cancel", IncidentState.REFUSED) and after.statement.startswith(code)
        assert house.kinds() == [] and house.world.effects == []


def test_an_owner_who_has_to_be_told_is_told_before_anything_begins(house: House) -> None:
    to, _ = went(execute(thread(house, STEPS["patch"], notice_s=600), house.ports))
    assert to == "notice"
    told = thread(house, STEPS["patch"], notice_s=600).but(notice_at=START - timedelta(seconds=599))
    assert went(execute(told, house.ports))[0] == "notice"
    long_ago = told.but(notice_at=START - timedelta(seconds=600))
    assert went(execute(long_ago, house.ports))[1].step == 1


@pytest.mark.parametrize(("notice_s", "words"), [(900, "in 15 minutes: "), (20, "in 20 s: ")])
def test_an_owner_is_told_how_long_there_is_left(house: House, notice_s: int, words: str) -> None:
    move = notice(thread(house, STEPS["patch"], notice_s=notice_s), house.ports)
    assert isinstance(move, Wait) and move.until == START + timedelta(seconds=notice_s)
    (record,) = house.agent.log.query(kind="notice")
    assert words in record.payload["message"]


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_server_is_asked_first_where_it_has_to_be(house: House, dry_run: bool) -> None:
    gone = STEPS["patch"].model_copy(update={"target": NODE.model_copy(update={"name": "gpu-9"})})
    execute(thread(house, gone, dry_run=dry_run), house.ports)
    assert ("intent" in house.kinds()) is not dry_run, "a refused dry run begins nothing"


def test_it_is_verified_in_the_time_that_the_verdict_gives(house: House) -> None:
    waiting = thread(house, STEPS["patch"], verify_within_s=30).but(since=START)
    assert isinstance(verify(waiting, house.ports), Wait)
    house.later(31)
    to, after = went(verify(waiting, house.ports))
    assert after.ending is IncidentState.FAILED and to == "propose"
    assert isinstance(verify(waiting.but(verdict=house.escalated, since=START), house.ports), Wait), (
        "the action has 120 s"
    )


def test_one_first_and_the_rest_once_it_is_well(house: House) -> None:
    """Two deployments would be scaled; after the first, the second waits until all pods of the first are ready."""
    both = thread(house, SHRINK, SHRINK.model_copy(update={"target": SECOND}), canary=True)
    to, marked = went(execute(both, house.ports))
    assert to == "execute" and marked.canary is not None and (marked.canary.first, marked.canary.gate) == (SERVER, 1)
    _, first = went(execute(marked, house.ports))
    assert first.step == 1
    held = execute(first, house.ports)
    assert isinstance(held, Wait) and "0 of 1 pods of Deployment/lab/server are ready" in held.why
    house.world.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "gpu-1"}, "spec": NOBODY_MORE})
    house.later(GATE_S)
    to, failed = went(execute(first, house.ports))
    assert (to, failed.ending) == ("undo", IncidentState.FAILED)
    assert "stopped after the first" in failed.statement
    assert [effect.verb for effect in house.world.effects] == ["scale"]


def test_the_rest_follows_as_soon_as_the_first_is_well(house: House) -> None:
    _, marked = went(execute(thread(house, STEPS["evict"], SHRINK, canary=True), house.ports))
    _, first = went(execute(marked, house.ports))
    held = execute(first, house.ports)
    assert isinstance(held, Wait) and "has not stopped yet" in held.why
    house.later(60)  # its grace is over
    _, both = went(execute(first, house.ports))
    assert both.step == 2 and [effect.verb for effect in house.world.effects] == ["evict", "scale"]


def test_what_is_one_object_holds_nothing_back(house: House) -> None:
    view = house.ports.views.take()
    assert canary_of(proposal(STEPS["patch"]), view) is None, "a cordon stops nothing"
    assert canary_of(proposal(STEPS["patch"], STEPS["evict"]), view) is None
    assert canary_of(proposal(SHRINK, SHRINK), view) is None
    found = canary_of(proposal(STEPS["evict"], SHRINK), view)
    assert found is not None and (found.first, found.stopped, found.gate) == (POD, ("uid-loner",), 1)
    assert "has not stopped yet" in not_well(found, view)
