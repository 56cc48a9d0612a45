"""A gang as large as its queue, behind small ones that keep coming: with starts held it starts then, else never."""

from pathlib import Path

from agent.scenarios.runner import run_file

SCENARIO = Path(__file__).parents[2] / "scenarios" / "large-gang-starts-on-time-behind-small-ones.yaml"


def test_its_start_is_held_and_it_starts_then_and_nobody_has_to_do_anything() -> None:
    result = run_file(SCENARIO)
    assert result.judgement.failures == ()


def test_without_a_start_that_is_held_it_waits_as_long_as_they_come() -> None:
    failures = run_file(SCENARIO, settings={"reservations": None}).judgement.failures
    assert len(failures) == 2 and all("asr-xl" in each for each in failures), failures
