"""The embedded engine over drawn inputs: the same answer each time. tests/live holds OPA equal to it."""

import json

from agent.adapters.rego import EmbeddedPolicyEngine
from agent.resources import bundled
from tests.policies.conformance.compare import said
from tests.policies.conformance.draw import draw_input, draw_limits

INPUTS = 200  # tests/live asks both engines about ten thousand
LIMITS = 4


def test_drawn_inputs_reach_every_decision_and_every_failure_is_a_deny() -> None:
    decisions: set[str] = set()
    for limits in range(LIMITS):
        engine = EmbeddedPolicyEngine(bundled("policies"), draw_limits(limits))
        again = EmbeddedPolicyEngine(bundled("policies"), draw_limits(limits))
        for seed in range(limits, INPUTS, LIMITS):
            answer = said(engine, draw_input(seed))
            assert answer == said(again, draw_input(seed))
            decisions.add(json.loads(answer)["decision"] if answer.startswith("{") else answer)
    assert decisions >= {"allow", "escalate", "deny"}
    assert decisions <= {"allow", "escalate", "deny", "policy.error"}
