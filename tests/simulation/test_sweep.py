"""One thing goes wrong, at each place where it could: a choice of what `tests/live/test_full_sweep.py` tries whole.

Every kill must leave the incident as if nothing had happened; every outage must do no harm.
"""

from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sweeping import FILES, KillAt, Played, faults_of_safety, play, scenario, with_fault

from agent.domain.duration import parse_duration

XID, IDLE, STUCK = FILES
CROSSED = {
    XID: {"intent": 5, "effect": 5, "outcome": 5},
    IDLE: {"approval": 1, "intent": 1, "effect": 1, "outcome": 1},
    STUCK: {"intent": 2, "effect": 2, "outcome": 2},
}
KILLS = [
    *((XID, "intent", 2), (XID, "intent", 5), (XID, "effect", 1), (XID, "effect", 4), (XID, "outcome", 3)),
    *((IDLE, boundary, 1) for boundary in CROSSED[IDLE]),
    *((STUCK, "intent", 1), (STUCK, "effect", 1), (STUCK, "effect", 2), (STUCK, "outcome", 1)),
]
FAULTS = [
    (XID, "apiserver", "conflict", "5m"),
    (XID, "apiserver", "down", "5m1s"),
    (XID, "log", "down", "5m"),
    (XID, "policy", "error", "5m"),
    (XID, "repair", "down", "5m"),
    (XID, "kubelet", "down", "5m"),
    (XID, "prometheus", "down", "9m"),
    (IDLE, "approvals", "down", "9m"),
    (IDLE, "log", "down", "24m"),
    (IDLE, "policy", "down", "24m"),
    (IDLE, "prometheus", "error", "24m"),
    (STUCK, "apiserver", "conflict", "0s"),
    (STUCK, "apiserver", "error", "10s"),
    (STUCK, "log", "latency", "0s"),
]
LASTS = timedelta(minutes=4)


@cache
def undisturbed(name: str) -> Played:
    with TemporaryDirectory() as folder:
        return play(scenario(name), Path(folder))


@pytest.mark.parametrize("name", FILES)
def test_undisturbed_each_boundary_is_crossed_as_often_as_the_sweep_knows(name: str) -> None:
    assert undisturbed(name).judgement.passed
    assert dict(undisturbed(name).crossed) == CROSSED[name]


@pytest.mark.parametrize(("name", "boundary", "occurrence"), KILLS)
def test_a_kill_changes_nothing(name: str, boundary: str, occurrence: int, tmp_path: Path) -> None:
    played = play(scenario(name), tmp_path, kills=KillAt((boundary, occurrence)))
    assert played.restarts == 1
    assert played.judgement.failures == ()
    assert played.effects == undisturbed(name).effects
    assert faults_of_safety(played) == []


def test_killed_at_every_boundary_of_one_run_it_still_comes_to_its_end(tmp_path: Path) -> None:
    """A boundary that was crossed before a kill is crossed again only where that changes nothing."""
    every = [(boundary, n) for boundary, times in CROSSED[STUCK].items() for n in range(1, times + 1)]
    played = play(scenario(STUCK), tmp_path, kills=KillAt(*every))
    assert played.restarts >= len(CROSSED[STUCK])
    assert played.judgement.failures == ()
    assert played.effects == undisturbed(STUCK).effects


@pytest.mark.parametrize(("name", "target", "kind", "at"), FAULTS)
def test_an_outage_does_no_harm(name: str, target: str, kind: str, at: str, tmp_path: Path) -> None:
    played = play(with_fault(scenario(name), target, kind, parse_duration(at), LASTS), tmp_path)
    assert faults_of_safety(played) == []
    assert played.changes - undisturbed(name).changes == {}, "an outage makes the agent do less, never more"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_tasks_changes_nothing(seed: int, tmp_path: Path) -> None:
    played = play(scenario(STUCK), tmp_path, seed=seed)
    assert played.judgement.failures == ()
    assert faults_of_safety(played) == []
    assert played.effects == undisturbed(STUCK).effects
