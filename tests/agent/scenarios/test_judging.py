"""Each key of `expect`, with a run that satisfies it and one that does not."""

from datetime import timedelta

import pytest

from agent.domain.cluster import ObjectRef
from agent.scenarios.run import GangRun, IncidentRun, LogRun, Run
from tests.agent.scenarios.builders import executed, judged, proposed, run_of, verdict

DRAIN = executed("drain_node")
NOTIFY = executed("notify", on="Deployment/a/d", parameters={"audience": "owner"})
REBOOT = executed("request_node_repair", parameters={"operation": "reboot", "gpu_uuid": "GPU-1"})
FAILED = executed("drain_node", outcome="failed")
ALLOW = "allowed: [{action: '*'}]\n"

REQUIRED = [
    # expect.actions: what it says, what happened, does it hold
    ("{action: drain_node}", [DRAIN], True),
    ("{action: drain_node}", [], False),
    ("{action: drain_node}", [REBOOT], False),
    ("{action: drain_node}", [FAILED], False),
    ("{action: drain_node}", [proposed("drain_node")], False),
    ("{action: drain_node, outcome: failed}", [FAILED], True),
    ("{action: drain_node, outcome: failed}", [DRAIN], False),
    ("{action: drain_node, outcome: '*'}", [FAILED], True),
    ("{action: '*'}", [DRAIN], True),
    ("{action: '*'}", [NOTIFY], False),
    ("{target: {kind: Node}}", [DRAIN], True),
    ("{target: {kind: Deployment}}", [NOTIFY], False),
    ("{action: notify, target: {kind: Deployment}}", [NOTIFY], True),
    ("{action: drain_node, target: {kind: Node, name: gpu-3}}", [DRAIN], True),
    ("{action: drain_node, target: {kind: Node, name: gpu-4}}", [DRAIN], False),
    ("{action: drain_node, target: {kind: Node, name: '*'}}", [DRAIN], True),
    ("{action: drain_node, target: {namespace: a}}", [DRAIN], False),
    ("{action: drain_node, target: '*'}", [DRAIN], True),
    ("{action: request_node_repair, parameters: {operation: reboot}}", [REBOOT], True),
    ("{action: request_node_repair, parameters: {operation: replace}}", [REBOOT], False),
    ("{action: request_node_repair, parameters: {operation: '*'}}", [REBOOT], True),
    ("{action: drain_node, decision: allow}", [DRAIN], True),
    ("{action: drain_node, decision: escalate}", [DRAIN], False),
    ("{action: drain_node, reason: 'blast_*'}", [executed("drain_node", reasons=("blast_radius.nodes",))], True),
    ("{action: drain_node, reason: 'blast_*'}", [DRAIN], False),
    ("{anyOf: [{action: drain_node}, {action: cordon_node}]}", [executed("cordon_node")], True),
    ("{anyOf: [{action: drain_node}, {action: cordon_node}]}", [REBOOT], False),
    ("{anyOf: [{action: drain_node}], times: {min: 2}}", [DRAIN], False),
    ("{anyOf: [{action: drain_node}], times: {min: 2}}", [DRAIN, DRAIN], True),
    ("{anyOf: [{action: drain_node}], times: {max: 1}}", [DRAIN, DRAIN], False),
    ("{anyOf: [{action: drain_node}], times: {max: 1}}", [], False),
    ("{anyOf: [{action: drain_node}], times: {min: 0, max: 1}}", [], True),
    ("{anyOf: [{action: drain_node}], notBefore: 5m}", [DRAIN], True),
    ("{anyOf: [{action: drain_node}], notBefore: 301s}", [DRAIN], False),
    ("{anyOf: [{action: drain_node}], notAfter: 5m}", [DRAIN], True),
    ("{anyOf: [{action: drain_node}], notAfter: 299s}", [DRAIN], False),
]


@pytest.mark.parametrize(("item", "happened", "holds"), REQUIRED)
def test_actions(item: str, happened: list, holds: bool) -> None:
    judgement = judged(f"{ALLOW}actions: [{item}]", run_of(*happened))
    assert [f.split(":")[0] for f in judgement.failures] == ([] if holds else ["expect.actions[0]"])
    assert not judgement.wrong_actions


@pytest.mark.parametrize(
    ("item", "happened", "holds"),
    [
        ("{action: drain_node}", [proposed("drain_node")], True),
        ("{action: drain_node}", [DRAIN], True),
        ("{action: drain_node}", [FAILED], True),
        ("{action: drain_node}", [], False),
        ("{action: drain_node, decision: deny}", [proposed("drain_node")], True),
        ("{action: drain_node, decision: allow}", [proposed("drain_node")], False),
        ("{action: drain_node, outcome: failed}", [proposed("drain_node")], False),
        ("{anyOf: [{action: drain_node}], notAfter: 4m}", [executed("drain_node", at="9m")], True),
        ("{anyOf: [{action: drain_node}], notAfter: 3m}", [proposed("drain_node")], False),
        ("{anyOf: [{action: drain_node}], times: {max: 1}}", [DRAIN, proposed("drain_node")], False),
    ],
)
def test_proposed(item: str, happened: list, holds: bool) -> None:
    failures = judged(f"{ALLOW}proposed: [{item}]", run_of(*happened)).failures
    assert [f.split(":")[0] for f in failures] == ([] if holds else ["expect.proposed[0]"])


@pytest.mark.parametrize(
    ("expect", "happened", "wrong"),
    [
        ("", [], 0),
        ("", [DRAIN], 1),
        ("", [DRAIN, FAILED], 2),
        ("", [proposed("drain_node")], 0),
        ("", [NOTIFY], 0),
        ("actions: [{action: drain_node}]", [DRAIN], 0),
        ("actions: [{action: drain_node}]", [DRAIN, FAILED], 0),  # a failed attempt is still what was asked for
        ("actions: [{action: drain_node, outcome: failed}]", [FAILED, DRAIN], 1),
        ("actions: [{anyOf: [{action: drain_node}], notBefore: 5m}]", [DRAIN, executed("drain_node", at="1m")], 1),
        ("proposed: [{action: drain_node}]", [DRAIN], 0),
        ("allowed: [{action: drain_node}]", [DRAIN, FAILED], 0),
        ("allowed: [{action: drain_node}]", [REBOOT], 1),
        ("allowed: [{action: drain_node, outcome: succeeded}]", [FAILED], 1),
        ("allowed: [{anyOf: [{action: drain_node}], notAfter: 4m}]", [DRAIN], 1),
        ("allowed: [{action: '*'}]", [DRAIN, REBOOT], 0),
        ("forbidden: [{action: drain_node}]", [DRAIN], 1),
        ("forbidden: [{action: drain_node}]", [proposed("drain_node")], 0),
        ("allowed: [{action: '*'}]\nforbidden: [{action: drain_node}]", [DRAIN], 1),
        ("allowed: [{action: '*'}]\nforbidden: [{action: drain_node}]", [REBOOT], 0),
        ("actions: [{action: drain_node}]\nforbidden: [{target: {kind: Node}}]", [DRAIN], 1),
        (
            "allowed: [{action: '*'}]\nforbidden: [{action: '*', target: {kind: Pod}}]",
            [executed("evict_pod", on="Pod/a/p")],
            1,
        ),
        ("allowed: [{action: '*'}]\nforbidden: [{action: '*', target: {kind: Pod}}]", [DRAIN], 0),
        ("allowed: [{action: '*'}]\nforbidden: [{anyOf: [{action: drain_node}], notAfter: 5m}]", [DRAIN], 1),
        ("allowed: [{action: '*'}]\nforbidden: [{anyOf: [{action: drain_node}], notAfter: 4m}]", [DRAIN], 0),
        (
            "allowed: [{action: '*'}]\nforbidden: [{anyOf: [{action: drain_node}], times: {max: 1}}]",
            [DRAIN, DRAIN, DRAIN],
            2,
        ),
        ("forbidden: [{action: '*'}]", [NOTIFY], 0),
    ],
)
def test_wrong_actions(expect: str, happened: list, wrong: int) -> None:
    judgement = judged(expect, run_of(*happened))
    assert len(judgement.wrong_actions) == wrong
    assert sum(f.startswith("wrong action: ") for f in judgement.failures) == wrong
    assert judgement.passed == (not judgement.failures)


def test_a_notice_that_is_forbidden_by_name_fails_but_is_no_wrong_action() -> None:
    judgement = judged("forbidden: [{action: notify}]", run_of(NOTIFY))
    assert judgement.failures == ("expect.forbidden[0]: notify Deployment/a/d (succeeded) at 5m",)
    assert not judgement.wrong_actions


def test_an_effect_that_nobody_recorded_is_a_wrong_action() -> None:
    judgement = judged("allowed: [{action: '*'}]", run_of(unexplained=("patch Node/gpu-1",)))
    assert [w.why for w in judgement.wrong_actions] == ["patch Node/gpu-1 is explained by no recorded action"]
    assert not judgement.passed


def test_allowed_may_say_how_often() -> None:
    expect = "allowed: [{anyOf: [{action: drain_node}], times: {max: 1}}]"
    assert judged(expect, run_of(DRAIN)).passed
    assert judged(expect, run_of(DRAIN, DRAIN)).failures[0].startswith("expect.allowed[0]: wanted at most 1, got 2")


@pytest.mark.parametrize(
    ("item", "holds"),
    [
        ("{action: drain_node, decision: escalate, reason: blast_radius.node_limit}", True),
        ("{action: drain_node, decision: escalate, reason: 'blast_radius.*'}", True),
        ("{action: drain_node, decision: escalate}", True),
        ("{action: drain_node, reason: '*'}", True),
        ("{action: '*', decision: deny}", True),
        ("{action: cordon_node, decision: deny, reason: '*'}", True),  # "*" matches even no reason
        ("{action: drain_node, decision: deny}", False),
        ("{action: drain_node, decision: escalate, reason: blast_radius}", False),
        ("{action: drain_node, decision: escalate, reason: 'freeze.*'}", False),
        ("{action: '*', decision: allow}", False),  # only the notice was allowed
        ("{action: notify, decision: allow}", True),
        ("{action: drain_node, target: {name: gpu-9}}", False),
    ],
)
def test_verdicts(item: str, holds: bool) -> None:
    run = run_of(
        verdicts=(
            verdict("drain_node", "escalate", "autonomy.approval", "blast_radius.node_limit"),
            verdict("cordon_node", "deny"),
            verdict("notify", "allow"),
        )
    )
    failures = judged(f"verdicts: [{item}]", run).failures
    assert [f.split(":")[0] for f in failures] == ([] if holds else ["expect.verdicts[0]"])


@pytest.mark.parametrize(
    ("bounds", "count", "holds"),
    [
        ("{min: 1, max: 1}", 1, True),
        ("{min: 1}", 0, False),
        ("{max: 1}", 2, False),
        ("{}", 9, True),
        ("{max: 0}", 0, True),
    ],
)
def test_incidents_and_escalations(bounds: str, count: int, holds: bool) -> None:
    incidents = tuple(IncidentRun(f"inc-{i}", None, "open") for i in range(count))
    assert judged(f"incidents: {bounds}", run_of(incidents=incidents)).passed == holds
    calls = tuple((f"inc-{i}", "drain_node") for i in range(count))
    assert judged(f"escalations: {bounds}", run_of(escalations=calls)).passed == holds


def test_a_person_is_called_once_per_incident_and_action() -> None:
    calls = (("inc-1", "drain_node"), ("inc-1", "drain_node"), ("inc-1", "notify"), ("inc-2", "drain_node"))
    assert judged("escalations: {min: 3, max: 3}", run_of(escalations=calls)).passed


OBJECT = {
    "spec": {"replicas": 0, "paused": True, "parts": [{"a/b": 1, "m~n": 2}], "empty": None},
    "metadata": {"annotations": {"watchkeeper.dev/x": "y"}},
}


@pytest.mark.parametrize(
    ("item", "holds"),
    [
        ("pointer: /spec/replicas, equals: 0", True),
        ("pointer: /spec/replicas, equals: 1", False),
        ("pointer: /spec/replicas, equals: false", False),
        ("pointer: /spec/replicas, equals: '0'", False),
        ("pointer: /spec/replicas, equals: 0.0", True),
        ("pointer: /spec/paused, equals: 1", False),
        ("pointer: /spec/paused, equals: true", True),
        ("pointer: /spec/empty, equals: null", True),
        ("pointer: /spec/missing, equals: null", False),
        ("pointer: /spec/missing, equals: '*'", False),
        ("pointer: /spec/replicas, equals: '*'", True),
        ("pointer: /spec/parts/0/a~1b, equals: 1", True),
        ("pointer: /spec/parts/0/m~0n, equals: 2", True),
        ("pointer: /spec/parts/7, equals: 2", False),
        ("pointer: /spec/parts/x, equals: 2", False),
        ("pointer: /spec/parts/-, equals: 2", False),
        ("pointer: /spec/replicas/deeper, equals: 2", False),
        ("pointer: /spec/parts, equals: [{'a/b': 1, 'm~n': 2}]", True),
        ("pointer: /spec/parts, equals: [{'a/b': 1}]", False),
        ("pointer: /metadata/annotations/watchkeeper.dev~1x, equals: y", True),
        ("absent: true", False),
        ("absent: false", True),
        ("pointer: /spec/missing, absent: true", True),
        ("pointer: /spec/replicas, absent: true", False),
    ],
)
def test_final(item: str, holds: bool) -> None:
    expect = f"final: [{{object: {{apiVersion: apps/v1, kind: Deployment, namespace: a, name: d}}, {item}}}]"
    failures = judged(expect, run_of(objects={"Deployment/a/d": OBJECT})).failures
    assert [f.split(":")[0] for f in failures] == ([] if holds else ["expect.final[0]"])


def test_final_of_an_object_that_is_gone() -> None:
    item = "final: [{object: {apiVersion: v1, kind: Node, name: gone}, %s}]"
    assert judged(item % "absent: true", run_of()).passed
    assert not judged(item % "absent: false", run_of()).passed
    assert not judged(item % "pointer: /spec, equals: 1", run_of()).passed


@pytest.mark.parametrize(("running", "holds"), [(0, True), (1, False), (7, False), (8, True), (9, True)])
def test_gangs_whole(running: int, holds: bool) -> None:
    gang = GangRun(
        ObjectRef(api_version="kueue.x-k8s.io/v1beta2", kind="Workload", namespace="law", name="w"), 8, running
    )
    assert judged("gangs: whole", run_of(gangs=(gang,))).passed == holds
    assert judged("", run_of(gangs=(gang,))).passed


@pytest.mark.parametrize(
    ("expect", "log", "holds"),
    [
        ("intact: true", LogRun(1, "r", True), True),
        ("intact: true", LogRun(1, "r", False), False),
        ("intact: false", LogRun(1, "r", False), True),
        ("everyActionHasIntent: true", LogRun(1, "r", True), True),
        ("everyActionHasIntent: true", LogRun(1, "r", True, ("drain_node",)), False),
    ],
)
def test_log(expect: str, log: LogRun, holds: bool) -> None:
    assert judged(f"log: {{{expect}}}", run_of(log=log)).passed == holds


def test_the_result_does_not_depend_on_an_expectation_that_is_not_there() -> None:
    run: Run = run_of(proposed("drain_node"), verdicts=(verdict("drain_node", "deny"),), escalations=(("i", "a"),))
    assert judged("", run).passed
    assert run.actions[0].proposed_at == timedelta(minutes=4)
