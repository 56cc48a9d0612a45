"""Days drawn from a seed: always the same, always a valid scenario, and always ended without a wrong action."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
import yaml
from pydantic import ValidationError

from agent.domain.duration import parse_duration
from agent.resources import bundled
from agent.scenarios.drawing import with_day
from agent.scenarios.format import Scenario, ScenarioInvalid, Spec
from agent.scenarios.generate import arrivals as arrivals_of
from agent.scenarios.generate.arrivals import limit_of, moments, programme
from agent.scenarios.generate.day import draw
from agent.scenarios.generate.monitoring import NAMESPACE
from agent.scenarios.generate.request import Generate
from agent.scenarios.generate.site import POOL_LABEL, Site, Tenant
from agent.scenarios.generate.submitted import RUNS_FOR
from agent.scenarios.generate.trace import BUILT_IN, statistics_of
from agent.scenarios.generate.troubles import ALL
from agent.scenarios.generate.work import LONGEST, SHORTEST, arrivals
from agent.scenarios.manifest import bodies
from agent.scenarios.matchers import as_any_of
from agent.scenarios.scenery import world_of
from agent.scenarios.timeline import moments as moments_of
from tests.agent.scenarios.days import DAY, asking_for, faults, played

NO_GPUS = {"limits": {"nvidia.com/gpu": "0"}}
NOTICE = timedelta(minutes=15)  # that an owner has, by the shipped policies
SMALLER = {"nodes": 16, "gpus": 128, "tenants": 2, "troubles": 6}  # tests/live plays twelve whole days, and the demo's


def test_a_day_ends_without_a_wrong_action(tmp_path: Path) -> None:
    assert faults(played(2, tmp_path, SMALLER)) == []


def test_the_same_seed_is_the_same_day_and_another_is_another() -> None:
    assert with_day(asking_for(5)) == with_day(asking_for(5))
    assert with_day(asking_for(5)) != with_day(asking_for(6))
    assert with_day(asking_for(5), seed=6).spec.cluster == with_day(asking_for(6)).spec.cluster


@pytest.mark.parametrize("seed", range(12))
def test_a_day_is_a_scenario_with_what_was_asked_for(seed: int) -> None:
    day = with_day(asking_for(seed))
    written = Scenario.model_validate(day.model_dump(by_alias=True, exclude_unset=True))
    assert written.spec == day.spec
    objects = bodies(day.spec.cluster)
    nodes = [each for each in objects if each["kind"] == "Node"]
    gpus = sum(int(each["status"]["allocatable"]["nvidia.com/gpu"]) for each in nodes)
    queues = [each for each in objects if each["kind"] == "ClusterQueue" and each["spec"]["cohortName"] == "company"]
    assert (len(nodes), gpus, len(queues)) == (DAY["nodes"], DAY["gpus"], DAY["tenants"])
    assert day.spec.world_metrics


def test_nothing_stands_where_there_is_no_room() -> None:
    used: dict[str, int] = {}
    for each in bodies(with_day(asking_for(9)).spec.cluster):
        node = each.get("spec", {}).get("nodeName")
        if each["kind"] == "Pod" and node:
            used[node] = used.get(node, 0) + int(
                each["spec"]["containers"][0].get("resources", NO_GPUS)["limits"]["nvidia.com/gpu"]
            )
    assert len(used) > DAY["nodes"] // 3
    assert max(used.values()) <= DAY["gpus"] // DAY["nodes"]


def test_each_trouble_comes_once_before_any_comes_again() -> None:
    large = {"nodes": 64, "gpus": 512, "tenants": 5, "troubles": len(ALL)}
    objects = bodies(with_day(asking_for(4, large)).spec.cluster)
    nodes = [each for each in objects if each["kind"] == "Node"]
    pools = {each["metadata"]["labels"][POOL_LABEL] for each in nodes}
    assert len({pool for pool in pools if pool[0] == "t"}) == sum(trouble.nodes > 0 for trouble in ALL)


@pytest.mark.parametrize("seed", range(10))
def test_troubles_come_together_and_never_all_at_once(seed: int) -> None:
    span = timedelta(hours=7)
    when = moments(Random(seed), 12, span, BUILT_IN)
    assert len(when) == 12 and when == sorted(when) and timedelta(0) < when[0] and when[-1] < span + timedelta(hours=1)
    assert all(later - at >= timedelta(minutes=30) for at, later in zip(when, when[3:], strict=False))
    assert sum(later - at < timedelta(minutes=20) for at, later in pairwise(when)) >= 2


@pytest.mark.parametrize("seed", range(10))
def test_what_would_reach_the_limits_together_comes_apart(seed: int) -> None:
    when = moments(Random(seed), 2 * len(ALL), timedelta(hours=34), BUILT_IN)
    limit = limit_of(64)
    plan = programme([*ALL, *ALL], when, limit)
    assert sorted(each.name for each, _ in plan) == sorted(each.name for each in ALL for _ in range(2))
    assert [at for _, at in plan] == sorted(at for _, at in plan)
    for _, start in plan:
        together = [each.touches for each, at in plan if start <= at < start + timedelta(minutes=70)]
        assert all(sum(touched) <= most for touched, most in zip(zip(*together, strict=True), limit, strict=True))


def test_a_day_counts_on_the_guardrails_as_they_are_shipped() -> None:
    shipped = yaml.safe_load((bundled("policies") / "data" / "limits.yaml").read_text(encoding="utf-8"))
    nodes, gangs = shipped["blast_radius"]["nodes"], shipped["blast_radius"]["gangs"]
    repairs = shipped["cooldown"]["request_node_repair"]["total"]
    assert (nodes["absolute"], nodes["percent"]) == (arrivals_of.NODES_MOST, arrivals_of.NODES_PERCENT)
    assert gangs["absolute"] == arrivals_of.GANGS_MOST
    assert (repairs["count"], repairs["window"]) == (arrivals_of.REPAIRS_AN_HOUR, "1h")
    longest = max(parse_duration(each) for each in (nodes["window"], gangs["window"], repairs["window"]))
    assert longest < arrivals_of.APART


@pytest.mark.parametrize(
    "asked",
    [
        {"nodes": 64, "gpus": 512, "tenants": 5, "troubles": 20},
        {"nodes": 8, "gpus": 64, "tenants": 1, "troubles": 3},
        {"nodes": 20, "gpus": 40, "tenants": 20, "troubles": 9},
        {"nodes": 1, "gpus": 16, "tenants": 1, "troubles": 1},
        {"nodes": 1, "gpus": 2, "tenants": 2, "troubles": 0},
    ],
)
def test_a_day_of_any_size(asked: dict[str, int]) -> None:
    for seed in range(5):
        day = with_day(asking_for(seed, asked)).spec
        assert sum(each["kind"] == "Node" for each in bodies(day.cluster)) == asked["nodes"]
        assert world_of(with_day(asking_for(seed, asked)), seed).objects()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"nodes": 64, "gpus": 500}, "500 GPUs on 64 nodes: each node has the same number, 2 to 16"),
        ({"nodes": 64, "gpus": 64}, "64 GPUs on 64 nodes: each node has the same number, 2 to 16"),
        ({"nodes": 0, "gpus": 8}, "nodes"),
        ({"tenants": 0}, "tenants"),
        ({"troubles": 101}, "troubles"),
    ],
)
def test_what_makes_no_cluster_is_one_error(wrong: dict[str, int], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as found:
        asking_for(1, {**DAY, **wrong})
    assert found.value.error_count() == 1


def test_on_a_cluster_too_small_for_its_guardrails_what_touches_nodes_is_a_persons() -> None:
    small = {"nodes": 8, "gpus": 64, "tenants": 1, "troubles": 5}
    days = [with_day(asking_for(seed, small)).spec.expect for seed in range(10)]
    asked = {matcher.action for day in days for item in day.actions for matcher in as_any_of(item).any_of}
    allowed = {matcher.action for day in days for item in day.allowed for matcher in as_any_of(item).any_of}
    assert "cordon_node" in allowed - asked


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


def test_work_follows_a_trace(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    rows = [f"p{i},8,{i * 3600 + 3590},{i * 3600 + 3590 + 60 * (1 + i % 2)}" for i in range(50)]
    trace.write_text("\n".join(["name,num_gpu,creation_time,deletion_time", *rows, "cpu,0,5,9", "runs,1,3590,"]))
    found = statistics_of(trace)
    assert found.gpus == ((1, 1), (8, 50))
    assert found.within_hour == (0,) * 11 + (51,)
    assert (min(found.runs), max(found.runs)) == (pytest.approx(2 / 3, rel=0.1), pytest.approx(4 / 3, rel=0.1))
    large = with_day(asking_for(2, {**DAY, "trace": str(trace)}))
    jobs = [each.apply.body() for each in large.spec.timeline if each.apply and each.apply.body()["kind"] == "Job"]
    asked = {job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] for job in jobs}
    assert asked == {"8"}


def test_a_trace_that_tells_nothing_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("num_gpu,creation_time,deletion_time\n")
    with pytest.raises(ScenarioInvalid, match=r"empty\.csv: too few pods"):
        with_day(asking_for(2, {**DAY, "trace": str(tmp_path / "empty.csv")}))
    with pytest.raises(ScenarioInvalid, match=r"none\.csv: no trace"):
        with_day(asking_for(2, {**DAY, "trace": str(tmp_path / "none.csv")}))


@pytest.mark.parametrize("seed", range(10))
def test_work_comes_in_order_fits_its_pool_and_ends(seed: int) -> None:
    site = Site("batch", "h100", ("a", "b"), 8, Tenant("x"), datetime(2026, 11, 2, 9, tzinfo=UTC))
    day = timedelta(hours=8)
    found = arrivals(Random(seed), site, BUILT_IN, day)
    assert len(found) > 10
    assert [each.at for each in found] == sorted(each.at for each in found)
    assert all(each.pods * each.gpus <= 16 and SHORTEST <= each.runs <= LONGEST for each in found)
    asked = sum(each.pods * each.gpus * each.runs.total_seconds() for each in found)
    assert 0.15 < asked / (16 * day.total_seconds()) < 1.0


def test_work_comes_in_every_form_that_people_use() -> None:
    forms = {"Job", "JobSet", "TrainJob", "PyTorchJob", "RayJob", "LeaderWorkerSet", "PodGroup", "Notebook"}
    came = [each.apply.body() for seed in range(3) for each in with_day(asking_for(seed)).spec.timeline if each.apply]
    assert forms <= {each["kind"] for each in came}


def test_a_day_has_what_a_site_sets_for_everybody() -> None:
    objects = bodies(with_day(asking_for(1)).spec.cluster)
    kinds = {each["kind"] for each in objects}
    assert {"PriorityClass", "PodDisruptionBudget", "ResourceQuota", "ClusterTrainingRuntime"} <= kinds
    exporters = [each for each in objects if each["metadata"].get("namespace") == NAMESPACE and each["kind"] == "Pod"]
    assert len({each["spec"]["nodeName"] for each in exporters}) == DAY["nodes"]


def test_jobs_of_the_day_wait_run_and_finish() -> None:
    day = with_day(asking_for(3, {"nodes": 8, "gpus": 64, "tenants": 2, "troubles": 0}))
    world = world_of(day, 3)
    for moment in moments_of(day.spec.timeline):
        world.advance_to(day.spec.start + moment.at)
        if moment.entry.apply is not None:
            world.apply(moment.entry.apply.body())
    world.advance_to(day.spec.start + day.spec.duration + LONGEST)
    ended = [each for each in world.objects() if each["kind"] in ("Job", "JobSet") and RUNS_FOR in str(each)]
    done = [each for each in ended if "Complete" in str(each.get("status"))]
    assert len(done) == len(ended) > 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1", "line 2 tells no number of GPUs or no time of creation"),
        ("1,nan,5", "line 2: creation_time is no number"),
        ("1,3,inf", "line 2: deletion_time is no number"),
        ("x,3,5", "line 2: num_gpu is no number"),
        (f"1,3,{'9' * 200_000}", "field larger"),
    ],
)
def test_a_line_of_a_trace_that_makes_no_sense_is_named(line: str, said: str, tmp_path: Path) -> None:
    trace = tmp_path / "odd.csv"
    trace.write_text(f"num_gpu,creation_time,deletion_time\n{line}\n")
    with pytest.raises(ValueError, match=rf"odd\.csv: no trace .*{said}"):
        statistics_of(trace)


def test_what_a_day_that_is_cut_short_does_not_live_to_see_is_not_asked_for() -> None:
    whole = with_day(asking_for(3)).spec
    asked = asking_for(3)
    spec = type(asked.spec).model_validate(
        {**asked.spec.model_dump(by_alias=True, exclude_unset=True), "duration": "5h"}
    )
    short = with_day(asked.model_copy(update={"spec": spec})).spec
    assert 0 < _asked(short) < _asked(whole)
    assert _asked(short) + len(short.expect.allowed) == _asked(whole) + len(whole.expect.allowed)
    assert not any(as_any_of(each).times.min for each in short.expect.allowed)
    assert short.expect.forbidden == whole.expect.forbidden


def test_a_short_day_asks_for_nothing_that_comes_after_it() -> None:
    asked, ends = Generate(nodes=16, gpus=128, tenants=2, troubles=6), timedelta(minutes=80)
    earliest = [
        parse_duration(each["notBefore"])
        for seed in range(300)
        for each in draw(asked, seed, datetime(2026, 11, 2, tzinfo=UTC), ends=ends).expect["actions"]
        if "notBefore" in each
    ]
    assert all(each + NOTICE <= ends for each in earliest)


def _asked(spec: Spec) -> int:
    return len(spec.expect.actions) + len(spec.expect.proposed)
