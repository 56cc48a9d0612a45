"""A site sets from when on something counts: what is told earlier then, and what stays just below it."""

from pathlib import Path
from typing import Any

import pytest

from agent.scenarios.format import ScenarioInvalid, parse_scenario
from agent.scenarios.report import result_json
from agent.scenarios.runner import run_scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"
EMPTY_SINCE = ("08:25:00Z", "08:54:30Z")  # five and a half minutes before the agent looks first
HANGS = "training-hangs-in-the-world"


def lived(name: str, folder: Path, change: tuple[str, str] = ("", ""), **thresholds: int) -> dict[str, Any]:
    """The scenario with these thresholds under `spec.settings`, as a reviewer would write them."""
    text = (SCENARIOS / f"{name}.yaml").read_text(encoding="utf-8").replace(*change)
    set_so = parse_scenario(text, f"{name}.yaml").with_settings({"thresholds": thresholds})
    return result_json(run_scenario(set_so, f"{name}.yaml", folder))


def done(result: dict[str, Any]) -> list[str]:
    return [f"{a['action']} {a['at'][11:16]}" for a in result["actions"] if a["action"] != "notify"]


@pytest.mark.parametrize(
    ("set_so", "incidents"),
    [({}, 0), ({"queue_starved_after_s": 600}, 1), ({"queue_starved_after_s": 1500}, 0)],
    ids=["waits 22 minutes of 30", "of 10", "of 25"],
)
def test_a_starved_queue(set_so: dict[str, int], incidents: int, tmp_path: Path) -> None:
    result = lived("queue-starved-for-minutes-only", tmp_path, **set_so)
    assert (len(result["incidents"]), result["escalations"], done(result)) == (incidents, incidents, [])


@pytest.mark.parametrize(
    ("set_so", "at"),
    [({}, "deactivate_workload 09:04"), ({"quota_empty_after_s": 300}, "deactivate_workload 09:00"),
     ({"quota_empty_after_s": 420}, "deactivate_workload 09:01")],
)  # fmt: skip
def test_quota_that_nobody_uses(set_so: dict[str, int], at: str, tmp_path: Path) -> None:
    assert done(lived("quota-held-without-pods", tmp_path, EMPTY_SINCE, **set_so)) == [at]


@pytest.mark.parametrize(
    ("times", "set_so", "happens"),
    [(2, {}, []), (2, {"admission_loop_times_min": 2}, ["deactivate_workload 09:00"]),
     (3, {"admission_loop_times_min": 4}, [])],
)  # fmt: skip
def test_an_admission_loop(times: int, set_so: dict[str, int], happens: list[str], tmp_path: Path) -> None:
    change = ("requeueState: {count: 4,", f"requeueState: {{count: {times},")
    assert done(lived("admission-loop-that-never-fits", tmp_path, change, **set_so)) == happens


@pytest.mark.parametrize(
    ("set_so", "happens"), [({"gang_waiting_after_s": 1200}, True), ({"gang_waiting_after_s": 7200}, False)]
)
def test_a_gang_whose_gpus_lie_scattered(set_so: dict[str, int], happens: bool, tmp_path: Path) -> None:
    result = lived("gpus-scattered-so-that-a-gang-cannot-start", tmp_path, **set_so)
    assert bool(done(result)) is happens is bool(result["incidents"])


@pytest.mark.parametrize(
    ("name", "set_so", "happens"),
    [(HANGS, {}, ["requeue_gang 10:00"]), (HANGS, {"hang_after_s": 600}, ["requeue_gang 09:40"]),
     ("training-hangs-and-goes-on-by-itself", {"hang_after_s": 4200}, [])],
)  # fmt: skip
def test_a_training_that_hangs(name: str, set_so: dict[str, int], happens: list[str], tmp_path: Path) -> None:
    result = lived(name, tmp_path, **set_so)
    assert done(result) == happens
    assert bool(result["incidents"]) is bool(happens), "it went on after 65 minutes: no word of it with 70"


def test_a_bad_threshold_of_a_scenario_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioInvalid, match=r"spec\.settings\.thresholds\.hang_after_s: .* 600: five minutes"):
        lived(HANGS, tmp_path, hang_after_s=60)
