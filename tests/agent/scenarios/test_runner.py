"""Whole runs of small scenarios: the real agent on the simulated world."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.domain.cluster import node_ref
from agent.resources import bundled
from agent.scenarios.format import Scenario, ScenarioInvalid, load_scenario
from agent.scenarios.performance import Performance
from agent.scenarios.report import result_json
from agent.scenarios.runner import files_in, run_file_json, run_scenario, what_happened
from tests.agent.scenarios.builders import scenario

NODES = """
  cluster:
    - repeat: 20
      from: 1
      manifest:
        apiVersion: v1
        kind: Node
        metadata: {name: "gpu-{i}", labels: {kubernetes.io/hostname: "gpu-{i}"}}
        status: {allocatable: {cpu: "64", nvidia.com/gpu: "8"}, conditions: [{type: Ready, status: "True"}]}
"""
XID_79 = 'log: {node: gpu-7, line: "NVRM: Xid (PCI:0000:b3:00): 79, GPU has fallen off the bus."}'
ON_GPU_7 = "{kind: Node, name: gpu-7}"


def story(timeline: str, more: str = "", expect: str = "{}") -> Scenario:
    """Twenty nodes and a timeline of flow entries, one a line."""
    entries = "".join(f"\n    - {{{line.strip()}}}" for line in timeline.strip().splitlines())
    return scenario(f"\n  duration: 20m{more}{NODES}  timeline:{entries}\n  expect: {expect}")


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Scenario], dict[str, Any]]:
    return lambda one: result_json(run_scenario(one, "s.yaml", tmp_path))


def actions(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(a["action"], a["outcome"], a["after"]) for a in result["actions"] if a["action"] != "notify"]


def test_a_fault_is_remedied_and_told(play: Callable[..., Any]) -> None:
    result = play(story(f"at: 1m, {XID_79}", expect="{actions: [{action: cordon_node}], allowed: [{action: '*'}]}"))
    assert [a[0] for a in actions(result)] == ["cordon_node", "request_node_repair", "uncordon_node"]
    assert (result["passed"], result["log"]["intact"]) == (True, True)
    assert [i["state"] for i in result["incidents"]] == ["resolved"]


def test_an_action_that_nobody_expected_is_a_wrong_action(play: Callable[..., Any]) -> None:
    result = play(story(f"at: 1m, {XID_79}"))
    assert [w["action"] for w in result["wrong_actions"]] == ["cordon_node", "request_node_repair", "uncordon_node"]
    assert not result["passed"]


def test_an_effect_that_no_record_explains_is_a_wrong_action(tmp_path: Path) -> None:
    performance = Performance(story("at: 5m, drop: [up]"), tmp_path)
    with closing(performance):
        performance.step()
        performance.world.cluster.patch(node_ref("gpu-3"), {"spec": {"unschedulable": True}})
        assert what_happened(performance, 0).unexplained == ("patch Node/gpu-3",)


def test_the_same_seed_gives_the_same_log(play: Callable[..., Any], tmp_path: Path) -> None:
    one = story(f"at: 1m, {XID_79}")
    (tmp_path / "again").mkdir()
    first, second = play(one), result_json(run_scenario(one, "s.yaml", tmp_path / "again"))
    assert first["log"] == second["log"]
    assert first["log"]["records"] > 10


def test_what_was_sent_before_the_start_is_heard_at_the_start(play: Callable[..., Any]) -> None:
    assert actions(play(story(f"at: -5m, {XID_79}")))[0] == ("cordon_node", "succeeded", "0s")


def test_history_counts_as_done(play: Callable[..., Any]) -> None:
    past = (
        "\n  history: [{at: -10m, action: request_node_repair, target: {kind: Node, name: gpu-7},"
        " parameters: {operation: reboot}}]"
    )
    result = play(story(f"at: 1m, {XID_79}", more=past))
    assert [a[0] for a in actions(result)] == ["cordon_node"]
    assert [p["action"] for p in result["proposed"]] == ["request_node_repair"]
    assert any("cooldown" in reason for reason in result["proposed"][0]["reasons"])


@pytest.mark.parametrize("boundary", ["intent", "effect", "outcome"])
def test_killed_at_a_boundary_each_action_happens_once(tmp_path: Path, boundary: str) -> None:
    one = story(f"at: 30s, crash: {{after: {boundary}}}\nat: 1m, {XID_79}\nat: 90s, crash: {{after: {boundary}}}")
    performance = Performance(one, tmp_path)
    with closing(performance):
        while performance.step():
            pass
        run = what_happened(performance, 0)
        assert performance.process.restarts == 2
        done = [a.action for a in run.actions if a.executed]
        assert done == ["cordon_node", "request_node_repair", "uncordon_node"]
        assert {a.outcome for a in run.actions} == {"succeeded"}
        assert (run.unexplained, run.log.intact, len(run.incidents)) == ((), True, 1)


def test_killed_between_two_boundaries_it_goes_on(tmp_path: Path) -> None:
    performance = Performance(story(f"at: 1m, {XID_79}\nat: 2m, crash: "), tmp_path)
    with closing(performance):
        while performance.step():
            pass
        assert performance.process.restarts == 1
        assert [a.action for a in what_happened(performance, 0).actions][-1] == "uncordon_node"


ASK = "\n  autonomy: act_with_approval"


@pytest.mark.parametrize(
    ("answers", "first"),
    [
        ("at: 2m, approve: {by: alice, match: {action: cordon_node}}", "2m"),
        ("at: 30s, approve: {by: alice, match: {action: cordon_node}, within: 5m}", "1m"),
        ("at: 30s, approve: {by: alice, match: {action: cordon_node}, within: 10s}", None),
        ("at: 2m, approve: {by: alice, match: {action: drain_node}}", None),
        ("at: 2m, approve: {by: alice, match: {target: {kind: Node, name: gpu-8}}, within: 10m}", None),
        ("at: 2m, approve: {by: carol, match: {}}", None),
        ("at: 2m, approve: {by: mallory, match: {}}", None),
        ("at: 2m, approve: {by: erin, match: {}}", "2m"),
        ("at: 2m, approve: {by: alice, match: {}, digest: stale}", None),
        ("at: 2m, reject: {by: bob, reason: not now, match: {}}\nat: 3m, approve: {by: alice, match: {}}", None),
    ],
)
def test_who_answers_what_and_when(play: Callable[..., Any], answers: str, first: str | None) -> None:
    erin = "\n  identities: [{name: erin, groups: [gpu-oncall]}]"
    done = actions(
        play(
            story(
                f"{answers.splitlines()[0]}\nat: 1m, {XID_79}\n" + "\n".join(answers.splitlines()[1:]), more=ASK + erin
            )
        )
    )
    assert [after for _, _, after in done][:1] == ([first] if first else [])


def test_an_answer_to_nothing_is_recorded_and_harmless(tmp_path: Path) -> None:
    performance = Performance(story("at: 2m, approve: {by: alice, reason: why not, match: {}, within: 1m}"), tmp_path)
    with closing(performance):
        while performance.step():
            pass
        (record,) = performance.agent.log.query(kind="approval")
    assert isinstance(record.payload, dict)
    assert (record.payload["note"], record.payload["by"], record.at[14:16]) == ("nothing pending", "alice", "03")


@pytest.mark.parametrize(
    ("fault", "earliest_s"),
    [
        ("{target: log, kind: error, for: 4m}", 270),
        ("{target: apiserver, kind: down, for: 4m}", 270),
        ("{target: apiserver, kind: conflict, for: 4m}", 270),
        ("{target: policy, kind: down, for: 4m}", 270),
        ("{target: policy, kind: latency, for: 4m}", 60),
        ("{target: prometheus, kind: down, for: 4m}", 60),
        ("{target: llm, kind: down, for: 4m}", 60),
        ("{target: approvals, kind: down, for: 4m}", 60),
    ],
)
def test_nothing_is_done_through_what_is_down(tmp_path: Path, fault: str, earliest_s: int) -> None:
    performance = Performance(story(f"at: 30s, fault: {fault}\nat: 1m, {XID_79}"), tmp_path)
    with closing(performance):
        while performance.step():
            pass
        run = what_happened(performance, 0)
    begun = [a.at.total_seconds() for a in run.actions if a.at is not None and a.action == "cordon_node"]
    assert len(begun) == 1
    assert begun[0] >= earliest_s


def test_a_storm_is_one_incident_and_each_action_happens_once(play: Callable[..., Any]) -> None:
    line = 'log: {node: gpu-7, line: "NVRM: Xid (PCI:0000:b3:00): 79, pid={i}"}'
    result = play(story(f"at: 1m, repeat: 500, every: 20ms, {line}", expect="{allowed: [{action: '*'}]}"))
    assert [a[0] for a in actions(result)] == ["cordon_node", "request_node_repair", "uncordon_node"]
    assert len(result["incidents"]) == 1
    assert result["log"]["records"] < 50


def test_a_refusing_repair_system_is_asked_again(play: Callable[..., Any]) -> None:
    result = play(story(f"at: 30s, fault: {{target: repair, kind: down, for: 4m}}\nat: 1m, {XID_79}"))
    assert [a[0] for a in actions(result)] == ["cordon_node", "request_node_repair", "uncordon_node"]


def test_what_a_door_refuses_is_recorded_and_the_rest_counts(tmp_path: Path) -> None:
    bad = 'at: 1m, alert: {version: "4", alerts: [{status: firing}]}'
    performance = Performance(story(f"{bad}\nat: 1m, cloudevent: {{}}\nat: 1m, {XID_79}"), tmp_path)
    with closing(performance):
        while performance.step():
            pass
        refused = [r.payload for r in performance.agent.log.query(kind="refused")]
        assert [p["door"] for p in refused if isinstance(p, dict)] == ["alertmanager", "cloudevents"]
        assert len(what_happened(performance, 0).incidents) == 1


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("{settings: {colour: red}}", "spec.settings.colour"),
        ("{settings: {look_every_s: 0}}", "spec.settings.look_every_s"),
        ("{policyData: {freezs: []}}", "spec.policyData: "),
        ("{policyData: {autonomy: {default: god}}}", "spec.policyData: "),
        (
            "{cluster: [{repeat: 2, manifest: {apiVersion: v1, kind: Node, metadata: {name: a}}}]}",
            "spec.cluster: Node/a",
        ),
    ],
)
def test_what_only_a_run_can_see_to_be_wrong(spec: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioInvalid) as refused:
        run_scenario(scenario(spec), "s.yaml", tmp_path)
    assert says in refused.value.problems[0]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("at: 1m, metrics: 'a{ 1'", "spec.timeline[0].metrics: "),
        ("at: 1m, drop: ['a{']", "spec.timeline[0].drop: "),
    ],
)
def test_an_entry_that_cannot_be_played_fails_the_scenario(play: Callable[..., Any], entry: str, says: str) -> None:
    result = play(story(f"{entry}\nat: 2m, {XID_79}", expect="{allowed: [{action: '*'}]}"))
    assert result["failures"][0].startswith(says)
    assert actions(result), "the rest was played"


def evaluate(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    return result.exit_code, result.stdout, result.stderr


GOOD = f"""
apiVersion: watchkeeper.dev/v1alpha1
kind: Scenario
metadata: {{name: good}}
spec:
  duration: 5m
  timeline: [{{at: 1m, {XID_79}}}]
"""


def test_evaluate_runs_the_others_when_one_file_is_no_scenario(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: Scenario\nkind: Scenario\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.yaml").write_text(GOOD)
    status, out, _ = evaluate(str(tmp_path), "--json")
    report = json.loads(out)
    assert (status, report["passed"], report["failed"]) == (1, 1, 1)
    assert [s["name"] for s in report["scenarios"]] == ["a", "good"]
    assert report["scenarios"][0]["failures"] == ["line 2: key 'kind' given twice"]


def test_evaluate_shows_a_table_and_exits_with_0_when_all_passed(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(GOOD)
    status, out, _ = evaluate(str(tmp_path / "b.yaml"))
    assert status == 0
    assert "1 passed, 0 failed, 0 wrong actions." in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_file_that_is_not_there_counts_as_failed_and_the_others_run(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(GOOD)
    status, out, _ = evaluate(str(tmp_path / "none.yaml"), str(tmp_path / "b.yaml"))
    assert status == 1
    assert "none.yamlcannotberead:Nosuchfileordirectory" in "".join(out.split())  # a long path wraps anywhere
    assert "1 passed, 1 failed, 0 wrong actions." in out


def test_a_folder_without_scenarios_is_a_mistake_of_the_call(tmp_path: Path) -> None:
    assert evaluate(str(tmp_path))[0] == 2


def test_the_report_stays_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(GOOD)
    assert evaluate(str(tmp_path / "b.yaml"), "--report", str(tmp_path / "report.json"))[0] == 0
    assert json.loads((tmp_path / "report.json").read_text())["passed"] == 1
    assert evaluate(str(tmp_path / "b.yaml"), "--report", str(tmp_path / "no" / "report.json"))[0] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--reasoner", "ftp://models"], "--reasoner: "),
        (["--reasoner", "http://user:secret@models/v1"], "--reasoner: "),
        (["--reasoner", "http://models/v1", "--model", "two words"], "--model: "),
        (["--model", "m"], "--reasoner URL"),
    ],
)
def test_a_model_that_cannot_be_is_said_before_anything_runs(options: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(GOOD)
    status, out, err = evaluate(str(tmp_path / "b.yaml"), *options)
    assert (status, out) == (2, "")
    assert said in err and "secret" not in err and len(err.splitlines()) == 1


def test_evaluate_in_two_processes_gives_the_same(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(GOOD.replace("good", name))
    reports = [json.loads(evaluate(str(tmp_path), "--json", "--jobs", jobs)[1]) for jobs in "12"]
    for report in reports:
        for result in report["scenarios"]:
            del result["timings_ms"]
    assert reports[0] == reports[1]


def test_another_seed_may_be_given(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(GOOD)
    one, two = (run_file_json(tmp_path / "b.yaml", seed) for seed in (1, 1))
    assert one["log"] == two["log"]


def test_every_bundled_scenario_is_read_and_named_after_its_file() -> None:
    files = files_in([bundled("scenarios")])
    assert len(files) >= 14
    assert [load_scenario(file).metadata.name for file in files] == [file.stem for file in files]


def test_the_scenarios_of_the_docs_pass(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "scenarios.md").read_text()
    blocks = [block.split("```")[0] for block in page.split("```yaml\n")[1:]]
    for number, block in enumerate(blocks):
        (tmp_path / f"{number}.yaml").write_text(block)
    results = [run_file_json(tmp_path / f"{number}.yaml") for number in range(len(blocks))]
    assert [result["failures"] for result in results] == [[], []]
    assert [len(actions(result)) for result in results] == [3, 0]
