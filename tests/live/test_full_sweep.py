"""Every kill at every boundary, every outage at several moments, other orders: `tests/simulation` tries a choice of it.

It needs no server; it is here because it takes minutes.
"""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "simulation"))

from sweeping import FILES, KillAt, faults_of_safety, play, scenario, with_fault
from test_kill_between_stages import STAGES_OF, assert_nothing_changed, killed_at
from test_sweep import CROSSED, LASTS, undisturbed

from agent.domain.duration import parse_duration

MOMENTS = dict(
    zip(FILES, (("0s", "5m", "5m1s", "5m30s", "10m"), ("0s", "10m", "24m50s"), ("0s", "10s", "2m")), strict=True)
)
WHEN = [(name, at) for name in FILES for at in MOMENTS[name]]
TARGETS = ("apiserver", "policy", "log", "prometheus", "llm", "approvals", "repair", "kubelet")
KINDS = ("down", "error", "latency", "conflict")
LONG = timedelta(minutes=20)  # longer than anything is tried for
EVERY_KILL = [
    (name, boundary, n) for name in FILES for boundary, times in CROSSED[name].items() for n in range(1, times + 1)
]


@pytest.mark.parametrize(("name", "boundary", "occurrence"), EVERY_KILL)
def test_every_kill_changes_nothing(name: str, boundary: str, occurrence: int, tmp_path: Path) -> None:
    played = play(scenario(name), tmp_path, kills=KillAt((boundary, occurrence)))
    assert played.judgement.failures == ()
    assert played.effects == undisturbed(name).effects
    assert faults_of_safety(played) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("name", "at"), WHEN)
def test_every_outage_does_no_harm(name: str, at: str, target: str, kind: str, tmp_path: Path) -> None:
    played = play(with_fault(scenario(name), target, kind, parse_duration(at), LASTS), tmp_path)
    assert faults_of_safety(played) == []
    assert played.changes - undisturbed(name).changes == {}


@pytest.mark.parametrize(("target", "kind"), [*((target, "down") for target in TARGETS), ("apiserver", "conflict")])
@pytest.mark.parametrize(("name", "at"), WHEN)
def test_every_long_outage_does_no_harm(name: str, at: str, target: str, kind: str, tmp_path: Path) -> None:
    played = play(with_fault(scenario(name), target, kind, parse_duration(at), LONG), tmp_path)
    assert faults_of_safety(played) == []
    assert played.changes - undisturbed(name).changes == {}


@pytest.mark.parametrize("seed", range(1, 11))
@pytest.mark.parametrize("name", FILES)
def test_the_order_of_tasks_changes_nothing(name: str, seed: int, tmp_path: Path) -> None:
    played = play(scenario(name), tmp_path, seed=seed)
    assert played.judgement.failures == ()
    assert played.effects == undisturbed(name).effects


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("name", "nth"), [(name, nth) for name in FILES for nth in range(1, STAGES_OF[name] + 1)])
def test_every_kill_between_two_stages_changes_nothing(
    name: str, nth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    played, _ = killed_at(name, nth, tmp_path, monkeypatch, after=after)
    assert_nothing_changed(name, played)
