"""The file format: what is accepted, and how a mistake is named."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from agent.scenarios.format import ScenarioInvalid, load_scenario, parse_scenario, scenario_schema
from agent.scenarios.manifest import bodies
from agent.scenarios.timeline import KEYS, moments
from tests.agent.scenarios.builders import scenario

NODE = "{apiVersion: v1, kind: Node, metadata: {name: gpu-0}}"
ENTRIES = {
    "metrics": 'metrics: "up 1\\n", ratePerSecond: 2',
    "drop": "drop: ['DCGM_FI_DEV_GPU_UTIL{pod=\"p\"}']",
    "event": "event: {apiVersion: v1, kind: Event}",
    "alert": 'alert: {version: "4", status: firing, alerts: []}',
    "cloudevent": 'cloudevent: {specversion: "1.0", type: t}',
    "log": "log: {node: gpu-0, line: 'NVRM: Xid (PCI:0000:b3:00): 79'}",
    "apply": f"apply: {NODE}",
    "delete": "delete: {apiVersion: v1, kind: Pod, namespace: a, name: p}",
    "approve": "approve: {by: alice, reason: yes please, match: {action: drain_node}, within: 5m, digest: stale}",
    "reject": "reject: {by: bob, match: {target: {kind: Node}}}",
    "fault": "fault: {target: apiserver, kind: down, for: 2m}",
    "crash": "crash: {after: intent}",
}


def problem(spec: str) -> str:
    with pytest.raises(ScenarioInvalid) as refused:
        scenario(spec)
    return refused.value.problems[0]


def test_every_key_has_its_documented_default() -> None:
    spec = scenario().spec
    assert (spec.seed, spec.autonomy, spec.world_metrics) == (0, "act", False)
    assert spec.scrape_interval == timedelta(seconds=15)
    assert scenario("{repair: {reboot: {}}}").spec.repair["reboot"].takes == timedelta(minutes=5)


def test_times_stay_as_written_and_need_a_zone() -> None:
    assert scenario("{start: 2026-11-02T09:00:00Z}").spec.start == datetime(2026, 11, 2, 9, tzinfo=UTC)
    assert scenario('{start: "2026-11-02T10:00:00+01:00"}').spec.start == datetime(2026, 11, 2, 9, tzinfo=UTC)
    assert "time zone" in problem('{start: "2026-11-02T09:00:00"}')
    body = bodies(
        scenario(
            "{cluster: [{apiVersion: v1, kind: Pod, metadata: {name: p, creationTimestamp: 2026-01-01T00:00:00Z}}]}"
        ).spec.cluster
    )
    assert body[0]["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"


def test_a_manifest_stays_as_written() -> None:
    text = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {a: [1, {b: null}]}, status: {phase: Running}}"
    assert bodies(scenario(f"{{cluster: [{text}]}}").spec.cluster) == [yaml.safe_load(text)]


def test_repeat_replaces_i_in_every_string() -> None:
    spec = scenario("""
  cluster:
    - repeat: 2
      from: 3
      manifest:
        apiVersion: v1
        kind: Node
        metadata: {name: "gpu-{i}", labels: {"h-{i}": "x{i}{i}"}}
        spec: {list: ["{i}", 7]}
""").spec
    assert [b["metadata"]["name"] for b in bodies(spec.cluster)] == ["gpu-3", "gpu-4"]
    assert bodies(spec.cluster)[1]["metadata"]["labels"] == {"h-4": "x44"}
    assert bodies(spec.cluster)[0]["spec"]["list"] == ["3", 7]


def test_bodies_are_the_worlds_to_write_into() -> None:
    cluster = scenario(f"{{cluster: [{NODE}]}}").spec.cluster
    bodies(cluster)[0]["metadata"]["name"] = "changed"
    assert bodies(cluster)[0]["metadata"]["name"] == "gpu-0"


@pytest.mark.parametrize("key", KEYS)
def test_each_timeline_key(key: str) -> None:
    entry = scenario(f"{{timeline: [{{at: 1m, {ENTRIES[key]}}}]}}").spec.timeline[0]
    assert entry.key == key
    assert moments([entry])[0].place == f"spec.timeline[0].{key}"


def test_a_bare_crash_kills_at_once() -> None:
    crash = scenario("{timeline: [{at: 1m, crash: }]}").spec.timeline[0].crash
    assert crash is not None
    assert crash.after is None


def test_repeated_entries_keep_time_and_then_the_order_of_the_file() -> None:
    spec = """
  timeline:
    - {at: 2s, log: {node: late, line: x}}
    - {at: 0s, repeat: 3, every: 1s, log: {node: "n-{i}", line: x}}
    - {at: -1h, drop: [a]}
"""
    order = [
        (m.at.total_seconds(), m.entry.log.node if m.entry.log else "drop")
        for m in moments(scenario(spec).spec.timeline)
    ]
    assert order == [(-3600, "drop"), (0, "n-0"), (1, "n-1"), (2, "late"), (2, "n-2")]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("{sede: 1}", "spec.sede: unknown key 'sede'"),
        ("{generate: {nodes: 32, gpus: 100}}", "spec.generate: 100 GPUs on 32 nodes"),
        ("{generate: {knights: 3}}", "spec.generate.knights: unknown key"),
        ("{autonomy: god}", "spec.autonomy: "),
        ("{duration: 0s}", "spec.duration: '0s' is not longer"),
        ("{scrapeInterval: 1x}", "spec.scrapeInterval: '1x' is no duration"),
        ("{repair: {explode: {}}}", "spec.repair.explode: "),
        ("{repair: {reboot: {outcome: maybe}}}", "spec.repair.reboot.outcome: "),
        (
            "{history: [{at: 1m, action: drain_node, target: {kind: Node, name: a}}]}",
            "spec.history[0].at: history lies before",
        ),
        (
            "{history: [{at: -1m, action: drain, target: {kind: Node, name: a}}]}",
            "spec.history[0].action: unknown action 'drain'",
        ),
        ("{history: [{at: -1m, action: drain_node, target: {kind: Node}}]}", "spec.history[0].target: kind and name"),
        ("{cluster: [{kind: Node, metadata: {name: a}}]}", "spec.cluster[0].apiVersion: Field required"),
        ("{cluster: [{apiVersion: v1, kind: Node, metadata: {}}]}", "spec.cluster[0].metadata.name: Field required"),
        (f"{{cluster: [{{repeat: 2, form: 1, manifest: {NODE}}}]}}", "spec.cluster[0].form: unknown key 'form'"),
        ("{cluster: [{repeat: 2, manifest: {kind: Node}}]}", "spec.cluster[0].manifest.apiVersion: Field required"),
        (f"{{cluster: [{{repeat: -1, manifest: {NODE}}}]}}", "spec.cluster[0].repeat: "),
        ("{timeline: [{drop: [a]}]}", "spec.timeline[0].at: Field required"),
        ("{timeline: [{at: 1m}]}", "spec.timeline[0]: exactly one of metrics, drop"),
        (f"{{timeline: [{{at: 1m, drop: [a], apply: {NODE}}}]}}", "found drop and apply"),
        ("{timeline: [{at: 1m, metrik: x}]}", "spec.timeline[0].metrik: unknown key"),
        ("{timeline: [{at: 1m, drop: [a], repeat: 3}]}", "spec.timeline[0]: repeat and every go together"),
        ("{timeline: [{at: 1m, drop: [a], ratePerSecond: 3}]}", "ratePerSecond goes with metrics"),
        ("{timeline: [{at: 1m, log: {line: x}}]}", "spec.timeline[0].log: exactly one of node and pod"),
        ("{timeline: [{at: 1m, approve: {match: {}}}]}", "spec.timeline[0].approve.by: Field required"),
        (
            "{timeline: [{at: 1m, approve: {by: a, match: {actoin: drain_node}}}]}",
            "spec.timeline[0].approve.match.actoin: unknown key",
        ),
        (
            "{timeline: [{at: 1m, approve: {by: a, match: {action: drian_node}}}]}",
            "approve.match.action: unknown action 'drian_node'",
        ),
        ("{timeline: [{at: 1m, fault: {target: moon, kind: down, for: 1m}}]}", "spec.timeline[0].fault.target: "),
        ("{timeline: [{at: 1m, fault: {target: log, kind: down}}]}", "spec.timeline[0].fault.for: Field required"),
        ("{timeline: [{at: 1m, crash: {after: lunch}}]}", "spec.timeline[0].crash.after: "),
        ("{expect: {actions: [{action: drian_node}]}}", "spec.expect.actions[0].action: unknown action 'drian_node'"),
        (
            "{expect: {actions: [{anyOf: [{action: drain_node, taget: {}}]}]}}",
            "spec.expect.actions[0].anyOf[0].taget: unknown key",
        ),
        ("{expect: {actions: [{anyOf: []}]}}", "spec.expect.actions[0].anyOf: at least one matcher"),
        (
            "{expect: {actions: [{anyOf: [{action: drain_node}], notBefor: 1m}]}}",
            "spec.expect.actions[0].notBefor: unknown key",
        ),
        (
            "{expect: {actions: [{anyOf: [{action: drain_node}], times: {min: 2, max: 1}}]}}",
            "actions[0].times: min 2 is more than max 1",
        ),
        (
            "{expect: {forbidden: [{action: drain_node, parameters: {foo: 1}}]}}",
            "spec.expect.forbidden[0]: unknown parameter 'foo'",
        ),
        ("{expect: {forbidden: [{action: drain_node, outcome: succeded}]}}", "spec.expect.forbidden[0].outcome: "),
        ("{expect: {verdicts: [{action: drain_node, decision: perhaps}]}}", "spec.expect.verdicts[0].decision: "),
        (
            "{expect: {verdicts: [{action: drain_node, outcome: failed}]}}",
            "spec.expect.verdicts[0].outcome: unknown key",
        ),
        (
            "{expect: {final: [{object: {apiVersion: v1, kind: Node, name: a}}]}}",
            "expect.final[0]: exactly one of equals and absent",
        ),
        ("{expect: {final: [{object: {apiVersion: v1, kind: Node, name: a}, equals: 1}]}}", "equals needs a pointer"),
        (
            "{expect: {final: [{object: {apiVersion: v1, kind: Node, name: a}, pointer: spec, equals: 1}]}}",
            "final[0].pointer: ",
        ),
        ("{expect: {gangs: half}}", "spec.expect.gangs: "),
        ("{expect: {log: {intakt: true}}}", "spec.expect.log.intakt: unknown key"),
    ],
)
def test_a_mistake_is_named_with_its_field(spec: str, says: str) -> None:
    assert says in problem(spec)
    assert "(line 4)" in problem(spec)


def test_the_line_of_a_mistake() -> None:
    assert problem("\n  seed: 1\n  timeline:\n    - {at: 1m, drop: [a]}\n    - {at: 1y, drop: [a]}").endswith(
        "(line 8)"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\na: 2\n", "line 2: key 'a' given twice"),
        ("a: {b: 1, b: 2}", "line 1: key 'b' given twice"),
        ("a: [1", "line 1: "),
        ("", "the document is no map"),
        ("- 1", "the document is no map"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("a: 1\n---\nb: 2\n", "another document"),
        ("kind: Scenario", "apiVersion: Field required"),
    ],
)
def test_what_is_no_scenario_at_all(text: str, says: str) -> None:
    with pytest.raises(ScenarioInvalid, match=r"f\.yaml") as refused:
        parse_scenario(text, "f.yaml")
    assert says in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"\xff\xfe\xfa")
    for name in ("missing.yaml", "latin.yaml"):
        with pytest.raises(ScenarioInvalid, match=f"{name}: cannot be read"):
            load_scenario(tmp_path / name)


def test_the_schema_accepts_what_the_models_accept_and_refuses_a_typing_error() -> None:
    schema = scenario_schema()
    text = "{timeline: [" + ", ".join(f"{{at: 1m, {e}}}" for e in ENTRIES.values()) + "]}"
    scenario(text)
    document = {
        "apiVersion": "watchkeeper.dev/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": "s"},
        "spec": yaml.safe_load(text),
    }
    jsonschema.validate(document, schema)
    document["spec"]["timeline"][0]["at"] = "1x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)
