"""Killed before or after any stage: the stages since the last checkpoint run again, and nothing is done twice, left out
or done that was not judged. A choice of what `tests/live/test_full_sweep.py` tries whole."""

from pathlib import Path

import pytest
from sweeping import FILES, KillAtStage, Played, faults_of_safety, play, scenario
from test_sweep import undisturbed

STAGES_OF = dict(zip(FILES, (46, 15, 13), strict=True))
EACH = 6  # of each scenario every so many-eth stage


def killed_at(
    name: str, nth: int, folder: Path, monkeypatch: pytest.MonkeyPatch, *, after: bool = False
) -> tuple[Played, KillAtStage]:
    kill = KillAtStage(nth, after=after)
    monkeypatch.setattr("agent.scenarios.performance.Outages", kill.interposed)
    return play(scenario(name), folder), kill


def assert_nothing_changed(name: str, played: Played) -> None:
    assert played.restarts == 1
    assert played.judgement.failures == ()
    assert played.effects == undisturbed(name).effects
    assert faults_of_safety(played) == []


@pytest.mark.parametrize("name", FILES)
def test_as_many_stages_run_as_the_sweep_knows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, kill = killed_at(name, 0, tmp_path, monkeypatch)
    assert len(kill.stages) == STAGES_OF[name], kill.stages


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("name", "nth"), [(name, nth) for name in FILES for nth in range(3, STAGES_OF[name], EACH)])
def test_a_kill_between_two_stages_changes_nothing(
    name: str, nth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    played, _ = killed_at(name, nth, tmp_path, monkeypatch, after=after)
    assert_nothing_changed(name, played)
