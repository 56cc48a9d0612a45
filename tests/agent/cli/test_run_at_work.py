"""What stands around the agent in `watchkeeper run`: the gate before every write, the lease, a stop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_house import ACTING, House
from typer.testing import CliRunner

from agent.adapters.gate import policies_for
from agent.adapters.gated import GatedCluster
from agent.cli.policy import app as policy_app
from agent.cli.post import post_of
from agent.config import Settings, as_run, load_settings
from agent.doctor import own


def test_who_only_observes_proposes_records_and_changes_nothing(house: Callable[..., House]) -> None:
    here = house(observe=True)
    here.begin()
    here.falls_off_the_bus()
    assert here.changes == []
    assert [p["action"] for p in here.recorded("proposal")] != []
    assert {v["verdict"]["decision"] for v in here.recorded("verdict")} == {"deny"}
    assert here.recorded("intent") == []


def test_a_live_cluster_is_only_observed_until_somebody_sets_a_level() -> None:
    unset = as_run(Settings(world="live"))
    assert unset.observes
    assert unset.policy_data["autonomy"] == {"default": "observe"}
    assert post_of(unset.model_copy(update={"leader_election": False})).gate.observing
    assert not as_run(Settings(world="live", policy_data=ACTING)).observes
    assert as_run(Settings(world="live", policy_data=ACTING, observe=True)).observes
    assert not as_run(Settings(world="simulated")).observes


def test_the_bundle_that_is_built_and_the_doctors_word_are_of_the_digest_that_runs(tmp_path: Path) -> None:
    """A level that only observes is part of what decides; without a level a live agent observes."""
    config = tmp_path / "w.yaml"
    config.write_text("world: live\nleader_election: false\n", encoding="utf-8")

    def runs(observe: bool | None) -> str:
        return policies_for(as_run(load_settings(config, {"observe": observe}))).digest

    def built(*flags: str) -> str:
        told = CliRunner().invoke(policy_app, ["build", str(tmp_path / "b.tar.gz"), "--config", str(config), *flags])
        assert told.exit_code == 0, told.stderr
        return " ".join(told.stdout.split())

    assert runs(None) == runs(True) != runs(False)
    assert f"revision {runs(True)}" in built("--observe") and "only observes" not in built("--observe")
    assert f"revision {runs(False)}" in built() and f"only observes, by revision {runs(True)}" in built()
    config.write_text("world: live\npolicy_data: {autonomy: {default: act}}\n", encoding="utf-8")
    assert f"revision {runs(None)}" in built() and "only observes" not in built()
    config.write_text("world: live\n", encoding="utf-8")
    assert any(runs(None)[:12] in each.said for each in own.policies(as_run(load_settings(config))))


def test_even_a_level_does_not_open_the_gate_of_who_observes(house: Callable[..., House]) -> None:
    here = house()
    here.post.gate.observing = True
    here.begin()
    here.falls_off_the_bus()
    assert here.changes == []
    assert here.recorded("intent") == []


def test_without_the_lease_nothing_is_begun_and_with_it_it_goes_on(house: Callable[..., House]) -> None:
    here = house()
    held = False
    here.post.gate.held = lambda: held
    turn = here.begin()
    here.falls_off_the_bus()
    assert here.changes == [] and here.recorded("incident") == []
    assert turn.agent.waiting()["inbox"] == 1  # what came is kept
    held = True
    turn.agent.run_until_idle(lambda: not here.post.may_act())
    assert "patch Node/gpu-6" in here.changes


def test_a_lease_lost_in_mid_incident_ends_the_writes_and_leaves_the_thread(house: Callable[..., House]) -> None:
    """The dry run ends it, before there is an intent."""
    here = house()
    asked: list[bool] = []

    def held() -> bool:
        asked.append(True)
        return len(asked) < 3  # to begin, and to sense; not to write

    here.post.gate.held = held
    turn = here.begin()
    here.falls_off_the_bus()
    assert here.changes == [] and here.recorded("intent") == []
    assert [i.id for i in turn.agent.ports.incidents.open()] != []
    here.post.gate.held = lambda: True
    turn.agent.watch._retry_at.clear()
    turn.agent.run_until_idle()
    assert "patch Node/gpu-6" in here.changes


def test_a_stop_lets_the_step_in_hand_end_and_begins_no_other(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM comes while the server is being asked."""
    here = house()
    patch = GatedCluster.patch

    def stopped_meanwhile(self: GatedCluster, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("dry_run"):
            here.post.stop()
        return patch(self, *args, **kwargs)

    monkeypatch.setattr(GatedCluster, "patch", stopped_meanwhile)
    here.begin()
    here.falls_off_the_bus()
    assert here.changes == ["patch Node/gpu-6"]
    assert [o["outcome"] for o in here.recorded("outcome")] == ["succeeded"]
    assert len(here.recorded("intent")) == 1
