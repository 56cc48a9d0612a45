"""Two workers with one approval: one run. The intent's unique key decides, and the other leaves the step alone."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from racing import Rivals, race
from step_field import STEPS

from agent.effects import RIVAL_S, StepState

ROUNDS = 100  # tests/live has a thousand, and PostgreSQL


@pytest.fixture
def rivals(tmp_path: Path) -> Iterator[Rivals]:
    made = Rivals(tmp_path / "log.db")
    yield made
    made.close()


@pytest.mark.parametrize("verb", ["patch", "evict", "create", "request_repair"])
def test_two_workers_at_once_are_one_run(rivals: Rivals, verb: str) -> None:
    for number in range(ROUNDS):
        steps = rivals.begin(number, STEPS[verb])
        outcomes = race(*steps)
        assert StepState.DONE in outcomes and StepState.FAILED not in outcomes
        assert rivals.effects() == 1, number
        assert rivals.intents(number) == 1


def test_two_threads_of_one_worker_are_one_run_too(rivals: Rivals) -> None:
    for number in range(ROUNDS):
        one, _ = rivals.begin(number, STEPS["patch"])
        race(one, one)
        assert rivals.effects() == 1, number


def test_a_rival_that_is_slow_is_left_alone_and_one_that_is_dead_is_not(rivals: Rivals) -> None:
    """The first has begun and says nothing: the second waits, and in the end looks for itself."""
    first, second = rivals.begin(1, STEPS["patch"])
    rivals.dies_after_its_intent(first)
    assert second() is StepState.WAITING and rivals.effects() == 0
    rivals.clock.pass_by(timedelta(seconds=RIVAL_S))
    assert second() is StepState.DONE and rivals.effects() == 1


def test_who_comes_after_a_death_goes_on_at_once(rivals: Rivals, tmp_path: Path) -> None:
    first, _ = rivals.begin(1, STEPS["patch"])
    rivals.dies_after_its_intent(first)
    heir = rivals.heir(tmp_path / "log.db")
    assert heir() is StepState.DONE and rivals.effects() == 1
