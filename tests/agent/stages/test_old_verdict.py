"""Nothing is begun on a verdict that is old, or of policies that are not in force any more."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from thread_house import START, House

from agent.domain.thread import Next, Thread
from agent.stages.execute import FRESH_S, execute


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def judged(house: House) -> Thread:
    return house.asking.but(judged_at=START, since=START)


def begun(house: House) -> bool:
    return "intent" in house.kinds()


def leads_to(house: House, thread: Thread, ports: Any = None) -> str:
    move = execute(thread, ports or house.ports)
    assert isinstance(move, Next)
    return move.to


def test_fresh_and_of_the_policies_in_force_it_is_begun(house: House) -> None:
    house.later(FRESH_S)
    assert leads_to(house, judged(house)) == "execute" and begun(house)


def test_old_it_is_judged_again(house: House) -> None:
    house.later(FRESH_S + 1)
    assert leads_to(house, judged(house)) == "judge_again" and not begun(house)


def test_of_other_policies_it_is_judged_again(house: House) -> None:
    other = house.escalated.model_copy(update={"policy_digest": "of-yesterday"})
    assert leads_to(house, judged(house).but(verdict=other)) == "judge_again" and not begun(house)


def test_without_a_verdict_it_is_judged(house: House) -> None:
    assert leads_to(house, judged(house).but(verdict=None)) == "judge_again" and not begun(house)


def test_policies_that_are_read_anew_while_it_runs_count_at_once(house: House) -> None:
    class Reloaded:
        digest = "of-now"

        def __getattr__(self, name: str) -> Any:
            return getattr(house.ports.policy, name)

    ports = replace(house.ports, policy=Reloaded())
    assert leads_to(house, judged(house), ports) == "judge_again" and not begun(house)


@pytest.mark.parametrize("change", ["demoted", "wrong", "withdrawn"])
def test_after_a_change_of_what_it_may_it_is_judged_again(house: House, change: str) -> None:
    said = {"change": change, "action": "cordon_node", "tenant": "*", "to": "suggest", "proposal": "inc-0/0"}
    house.later(1)
    house.ports.ledger.record("level_changed", {**said, "by": "dana", "reason": "a move"})
    assert leads_to(house, judged(house)) == "judge_again" and not begun(house)


def test_what_had_changed_before_it_was_judged_was_seen_then(house: House) -> None:
    said = {"change": "demoted", "action": "cordon_node", "tenant": "*", "to": "suggest", "by": "dana", "reason": "x"}
    house.ports.ledger.record("level_changed", said)
    house.later(1)
    assert leads_to(house, judged(house).but(judged_at=START + timedelta(seconds=1))) == "execute" and begun(house)


def test_a_change_that_another_clock_dates_later_keeps_nothing_in_circles(house: House) -> None:
    """It is there when the policies are asked; whoever looked for it after each verdict would find it each time."""
    said = {"change": "demoted", "action": "cordon_node", "tenant": "*", "to": "suggest", "by": "dana", "reason": "x"}
    house.later(60)
    house.ports.ledger.record("level_changed", said)
    standing = house.ports.ledger.standing()
    assert not standing.changed_between(START, START + timedelta(seconds=5))
    assert standing.changed_between(START, START + timedelta(seconds=60))
    assert not standing.changed_between(START + timedelta(seconds=60), START + timedelta(seconds=65))
