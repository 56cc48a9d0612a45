"""A gate at level act with the shipped limits, unless a test says otherwise."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from agent.adapters.rego import EmbeddedPolicyEngine
from agent.resources import bundled
from tests.policies.inputs import Given

Answer = tuple[str, set[str]]


class Gate:
    """Asks the shipped policies: decision and reason codes."""

    def __init__(self, limits: Mapping[str, Any]) -> None:
        self.engine = EmbeddedPolicyEngine(bundled("policies"), limits)

    def verdict(self, given: Given) -> dict[str, Any]:
        return self.engine.decide(given.document)

    def __call__(self, given: Given) -> Answer:
        verdict = self.verdict(given)
        return verdict["decision"], {reason["code"] for reason in verdict["reasons"]}


@pytest.fixture(scope="session")
def gate() -> Gate:
    return Gate({"autonomy": {"default": "act"}})


@pytest.fixture(scope="session")
def gate_with() -> Callable[..., Gate]:
    """gate_with(freezes=[…]): other limits, at level act."""
    return lambda **limits: Gate({"autonomy": {"default": "act"}, **limits})
