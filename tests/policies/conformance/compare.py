"""What one engine says, in a form that two engines can be compared by."""

import json
from typing import Any

from agent.ports import PolicyEngine, PolicyUnavailable


def said(engine: PolicyEngine, policy_input: dict[str, Any]) -> str:
    """The whole verdict, its reasons in the order of their codes; or the code of not deciding."""
    try:
        verdict = engine.decide(policy_input)
    except PolicyUnavailable as fault:
        return fault.code
    verdict["reasons"] = sorted(verdict["reasons"], key=json.dumps)
    return json.dumps(verdict, sort_keys=True)
