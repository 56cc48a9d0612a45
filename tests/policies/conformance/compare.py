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


def same(one: str, other: str) -> bool:
    """Do two engines say the same? Where several things are wrong with an input, one may stumble over the first while
    the other finds that there is no verdict: both are a deny that nobody can approve, and nothing is done.
    """
    return one == other or (_no_verdict(one) and _no_verdict(other))


def _no_verdict(answer: str) -> bool:
    return answer == "policy.error" or '"main.no_verdict"' in answer
