import json

from agent.scenarios.report import Result, report_json, result_json, unreadable
from agent.scenarios.run import IncidentRun
from tests.agent.scenarios.builders import executed, judged, proposed, run_of


def test_the_report_has_the_documented_keys() -> None:
    run = run_of(
        executed("drain_node", reasons=("a.b",), approvals=({"by": "alice"},), at="1h2m3s"),
        proposed("cordon_node"),
        incidents=(IncidentRun("inc-1", "xid", "resolved"),),
        escalations=(("inc-1", "drain_node"), ("inc-1", "drain_node")),
        timings_ms={"run": 12.5},
    )
    result = Result("s", "s.yaml", judged("forbidden: [{action: '*'}]", run), run)
    report = report_json([result_json(result), result_json(unreadable("b.yaml", "b", ["spec.foo: unknown key 'foo'"]))])
    one, two = json.loads(json.dumps(report))["scenarios"]
    assert one["actions"][0] == {
        "action": "drain_node",
        "target": {"apiVersion": "v1", "kind": "Node", "name": "gpu-3"},
        "parameters": {},
        "decision": "allow",
        "reasons": ["a.b"],
        "approvals": [{"by": "alice"}],
        "outcome": "succeeded",
        "at": "2026-11-02T10:02:03Z",
        "after": "1h2m3s",
        "incident": "",
    }
    assert [a["action"] for a in one["proposed"]] == ["cordon_node"]
    assert one["incidents"] == [{"id": "inc-1", "playbook": "xid", "state": "resolved"}]
    assert (one["escalations"], one["log"]) == (1, {"records": 3, "root": "r" * 64, "intact": True})
    assert one["wrong_actions"][0]["action"] == "drain_node"
    assert one["timings_ms"] == {"run": 12.5}
    assert (two["name"], two["file"], two["passed"], two["failures"]) == (
        "b",
        "b.yaml",
        False,
        ["spec.foo: unknown key 'foo'"],
    )
    assert (report["passed"], report["failed"], report["wrong_actions"]) == (0, 2, 1)
