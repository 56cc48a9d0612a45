"""Days drawn from a seed: always the same, always a valid scenario, and always ended without a wrong action."""

from pathlib import Path

import pytest

from agent.scenarios.drawing import with_day
from agent.scenarios.format import Scenario, ScenarioInvalid
from agent.scenarios.generate.arrivals import pattern_of
from agent.scenarios.generate.site import POOL_LABEL
from agent.scenarios.generate.troubles import ALL
from agent.scenarios.manifest import bodies
from tests.agent.scenarios.days import DAY, asking_for, faults, played

QUICK = (1, 2, 3)


@pytest.mark.parametrize("seed", QUICK)
def test_a_day_ends_without_a_wrong_action(seed: int, tmp_path: Path) -> None:
    assert faults(played(seed, tmp_path)) == []


def test_the_same_seed_is_the_same_day_and_another_is_another() -> None:
    assert with_day(asking_for(5)) == with_day(asking_for(5))
    assert with_day(asking_for(5)) != with_day(asking_for(6))
    assert with_day(asking_for(5), seed=6).spec.cluster == with_day(asking_for(6)).spec.cluster


@pytest.mark.parametrize("seed", range(30))
def test_a_day_is_a_scenario_with_what_was_asked_for(seed: int) -> None:
    day = with_day(asking_for(seed))
    written = Scenario.model_validate(day.model_dump(by_alias=True, exclude_unset=True))
    assert written.spec == day.spec
    objects = bodies(day.spec.cluster)
    nodes = [each for each in objects if each["kind"] == "Node"]
    gpus = sum(int(each["status"]["allocatable"]["nvidia.com/gpu"]) for each in nodes)
    queues = [each for each in objects if each["kind"] == "ClusterQueue"]
    assert (len(nodes), gpus, len(queues)) == (DAY["nodes"], DAY["gpus"], DAY["tenants"])
    assert day.spec.world_metrics


def test_nothing_stands_where_there_is_no_room() -> None:
    used: dict[str, int] = {}
    for each in bodies(with_day(asking_for(9)).spec.cluster):
        node = each.get("spec", {}).get("nodeName")
        if each["kind"] == "Pod" and node:
            used[node] = used.get(node, 0) + int(each["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"])
    assert len(used) > DAY["nodes"] // 2
    assert max(used.values()) <= DAY["gpus"] // DAY["nodes"]


def test_each_trouble_comes_once_before_any_comes_again() -> None:
    large = {"nodes": 64, "gpus": 512, "tenants": 5, "troubles": len(ALL)}
    objects = bodies(with_day(asking_for(4, large)).spec.cluster)
    nodes = [each for each in objects if each["kind"] == "Node"]
    pools = {each["metadata"]["labels"][POOL_LABEL] for each in nodes}
    assert len({pool for pool in pools if pool.startswith("t")}) == sum(trouble.nodes > 0 for trouble in ALL)


def test_a_cluster_too_small_for_its_troubles_is_an_error_that_names_the_field() -> None:
    with pytest.raises(ScenarioInvalid, match=r"spec\.generate: there is no room for 90 troubles"):
        with_day(asking_for(1, {"nodes": 8, "gpus": 64, "tenants": 1, "troubles": 90}))


def test_what_the_file_says_itself_comes_on_top() -> None:
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine"}}
    forbidden = {"action": "drain_node"}
    day = with_day(asking_for(1, cluster=[own], expect={"forbidden": [forbidden]}, duration="20m"))
    assert bodies(day.spec.cluster)[-1] == own
    assert day.spec.expect.gangs == "whole"
    assert day.spec.duration.total_seconds() == 1200
    assert len(day.spec.expect.forbidden) == len(with_day(asking_for(1)).spec.expect.forbidden) + 1


def test_arrivals_follow_a_trace(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("name,creation_time\n" + "".join(f"p{i},{i * 3600 + 3590}\n" for i in range(50)))
    assert pattern_of(trace).weights == (0,) * 11 + (50,)
    late = with_day(asking_for(2), trace=trace).spec.timeline
    assert late != with_day(asking_for(2)).spec.timeline
    (tmp_path / "empty.csv").write_text("name,creation_time\n")
    with pytest.raises(ValueError, match=r"empty\.csv: no arrivals"):
        pattern_of(tmp_path / "empty.csv")
    with pytest.raises(ValueError, match=r"none\.csv: no trace"):
        pattern_of(tmp_path / "none.csv")
