"""Every recorded decision comes out again to the byte; other policies show where they would decide otherwise."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.gate.replay import Came, Recorded, replayed
from agent.adapters.rego import EmbeddedPolicyEngine
from agent.resources import bundled
from agent.scenarios.format import load_scenario
from agent.scenarios.performance import Performance
from agent.stages.judge import decision
from tests.agent.rego.bundles import GUARDRAIL, RULE, with_guardrail
from tests.policies.conformance.draw import draw_input, draw_limits
from tests.policies.inputs import cordon

ACT = {"autonomy": {"default": "act"}}


def recorded(engine: EmbeddedPolicyEngine, *inputs: dict[str, Any]) -> list[Recorded]:
    """As the log gives them back: as JSON."""
    made = [{"verdict": decision(engine, given).json_object(), "input": given} for given in inputs]
    return [Recorded(index, given["input"]["now"], json.loads(json.dumps(given))) for index, given in enumerate(made)]


def came(engine: EmbeddedPolicyEngine, records: list[Recorded]) -> list[Came]:
    return [again.came for again in replayed(engine, records)]


def test_the_decisions_of_a_whole_incident_come_out_again(tmp_path: Path) -> None:
    performance = Performance(load_scenario(bundled("scenarios") / "xid-79-under-a-gang.yaml"), tmp_path)
    with closing(performance):
        while performance.step():
            continue
        agent = performance.agent
        records = [Recorded(r.index, r.at, r.payload) for r in agent.log.query(kind="verdict")]
        bundle = agent.policies.bundle
    assert len(records) >= 4
    assert set(came(EmbeddedPolicyEngine.of(bundle), records)) == {Came.SAME}


def test_drawn_decisions_come_out_again() -> None:
    for number in range(3):
        engine = EmbeddedPolicyEngine(bundled("policies"), draw_limits(number))
        inputs = [given for seed in range(60) if "digest" in (given := draw_input(seed)).get("proposal", ())]
        assert set(came(engine, recorded(engine, *inputs))) <= {Came.SAME, Came.NO_DECISION}


def test_a_verdict_that_was_changed_is_seen() -> None:
    engine = EmbeddedPolicyEngine(bundled("policies"), ACT)
    (record,) = recorded(engine, cordon().document)
    changed = {**record.payload, "verdict": {**record.payload["verdict"], "decision_id": "dec-000000000000"}}
    assert came(engine, [Recorded(0, record.at, changed)]) == [Came.DIFFERENT]


def test_other_policies_show_what_they_flip(tmp_path: Path) -> None:
    engine = EmbeddedPolicyEngine(bundled("policies"), ACT)
    records = recorded(engine, cordon().document, cordon().proposed(confidence=0.1).document)
    stricter = with_guardrail(tmp_path, GUARDRAIL + RULE + "input.proposal.confidence > 0.5")
    assert came(EmbeddedPolicyEngine(stricter, ACT), records) == [Came.FLIPPED, Came.SAME]
    asking = EmbeddedPolicyEngine(bundled("policies"), {"autonomy": {"default": "act_with_approval"}})
    assert came(asking, records) == [Came.FLIPPED, Came.OTHER_REASONS]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"redacted": True}, Came.REDACTED),
        ({"payload": "lacking"}, Came.INCOMPLETE),
        ({"payload": "none"}, Came.NO_DECISION),
    ],
)
def test_what_cannot_be_repeated_is_counted(change: dict[str, Any], expected: Came) -> None:
    engine = EmbeddedPolicyEngine(bundled("policies"), ACT)
    (record,) = recorded(engine, cordon().document)
    if change.get("payload") == "lacking":
        record = Recorded(0, record.at, {**record.payload, "input": {"phase": "propose"}})
    elif change.get("payload") == "none":
        (record,) = recorded(engine, {**cordon().document, "now": "yesterday"})
    else:
        record = Recorded(0, record.at, record.payload, redacted=True)
    assert came(engine, [record]) == [expected]
