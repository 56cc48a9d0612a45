"""A step whose intent stands and whose effect was held off is not in hand: a freeze keeps it from being tried again."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from thread_house import START, House

from agent.domain.incident import IncidentState
from agent.domain.thread import Next, Wait
from agent.ports import Cluster
from agent.scenarios.crash import AgentKilled
from agent.stages.execute import execute


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


class SlowlyAsked:
    """The same cluster; while it answers a dry run, something happens elsewhere."""

    def __init__(self, cluster: Cluster, meanwhile: Callable[[], None]) -> None:
        self._cluster, self._meanwhile = cluster, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    def patch(self, *about: Any, dry_run: bool = False, **more: Any) -> Any:
        done = self._cluster.patch(*about, dry_run=dry_run, **more)
        if dry_run:
            self._meanwhile()
        return done


def begun(house: House) -> None:
    """The intent is on the record, and the process dies before anything is done."""
    house.kills.arm("intent")
    with pytest.raises(AgentKilled):
        execute(house.asking.but(judged_at=START, since=START), house.ports)


def freeze(house: House) -> None:
    house.ports.ledger.record("level_changed", {"change": "frozen", "by": "dana", "reason": "a move"})


def test_held_off_it_is_tried_again(house: House) -> None:
    begun(house)
    house.world.inject_fault("apiserver", "conflict", START + timedelta(seconds=20))
    assert isinstance(execute(house.asking.but(since=START), house.ports), Wait)
    house.later(30)
    assert isinstance(execute(house.asking.but(since=START), house.ports), Next)
    assert len(house.world.effects) == 1


def test_frozen_meanwhile_it_is_not(house: House) -> None:
    begun(house)
    freeze(house)
    house.later(30)
    move = execute(house.asking.but(since=START), house.ports)
    assert isinstance(move, Next) and move.thread.ending is IncidentState.FAILED
    assert "stopped by a freeze (log): 0 of 1 steps are done" in move.thread.statement
    assert house.world.effects == []
    assert [r.payload["outcome"] for r in house.agent.log.query(kind="outcome")] == ["failed"]


def test_what_had_happened_is_found_done_although_frozen(house: House) -> None:
    house.kills.arm("effect")
    with pytest.raises(AgentKilled):
        execute(house.asking.but(judged_at=START, since=START), house.ports)
    freeze(house)
    execute(house.asking.but(since=START), house.ports)
    assert [r.payload["outcome"] for r in house.agent.log.query(kind="outcome")] == ["succeeded"]


def test_frozen_while_the_dry_run_was_asked_it_does_not_begin(house: House) -> None:
    slow: Any = SlowlyAsked(house.ports.cluster, lambda: freeze(house))
    move = execute(house.asking.but(judged_at=START, since=START), replace(house.ports, cluster=slow))
    assert isinstance(move, Wait) and house.world.effects == []
    assert list(house.agent.log.query(kind="intent")) == []
    again = execute(move.thread, house.ports)
    assert isinstance(again, Next) and again.to == "judge_again", "and there the policies say no"
