"""The embedded policy engine: the default, without a server.

It decides in a process beside the agent, which can be ended (evaluator.py). Every way of not deciding becomes
PolicyUnavailable with its own code; what that means is for the stage to say (a deny).
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.adapters.rego.bundle import Bundle, read_bundle
from agent.adapters.rego.evaluator import SHARED, Evaluator
from agent.adapters.rego.faults import engine_words
from agent.adapters.rego.selftest import refuse_foreign_dialect
from agent.adapters.rego.signature import Trust
from agent.adapters.rego.verdict import completed
from agent.evidence.recorded_input import Written
from agent.ports import JsonObject, PolicyUnavailable

UNDEFINED = '"<undefined>"'  # how this engine spells that there is no result


class EmbeddedPolicyEngine:
    """Evaluates `watchkeeper.main.verdict`; an agent.ports.PolicyEngine."""

    def __init__(
        self,
        place: Path,
        overlay_data: Mapping[str, Any] | None = None,
        *,
        trust: Trust | None = None,
        evaluator: Evaluator = SHARED,
    ) -> None:
        """Raises BundleRefused (a PolicyUnavailable) when the bundle, its data or the engine is not fit to decide."""
        with panics_named():
            refuse_foreign_dialect()
            self._bundle = read_bundle(place, overlay_data, trust)
        self._evaluator = evaluator

    @classmethod
    def of(cls, bundle: Bundle) -> "EmbeddedPolicyEngine":
        """By a bundle that was read and checked already."""
        engine = cls.__new__(cls)
        engine._bundle, engine._evaluator = bundle, SHARED
        return engine

    @property
    def digest(self) -> str:
        return self._bundle.digest

    @property
    def limits(self) -> Mapping[str, Any]:
        return self._bundle.limits

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    def decide(self, policy_input: JsonObject) -> JsonObject:
        """The verdict with its reasons' sentences. Raises PolicyUnavailable; never invents a decision."""
        answer = self._evaluator.answer(self._bundle.digest, self._bundle.content, as_json(policy_input))
        if answer == UNDEFINED:
            raise PolicyUnavailable("policy.undefined", "the policies gave no result")
        return completed(json.loads(answer), self._bundle.reasons)

    def not_ready(self) -> str | None:
        """It is ready once it is there."""
        return None

    def close(self) -> None:
        """The process beside the agent is everybody's, and ends with the agent."""


def as_json(policy_input: JsonObject) -> str:
    if isinstance(policy_input, Written):
        return policy_input.form.decode()
    try:
        return json.dumps(policy_input, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as fault:
        raise PolicyUnavailable("policy.error", f"the input is not JSON: {fault}") from fault


@contextmanager
def panics_named() -> Iterator[None]:
    """A panic of the Rust side arrives as a BaseException of a class that cannot be imported."""
    try:
        yield
    except BaseException as fault:
        if type(fault).__name__ != "PanicException":
            raise
        raise PolicyUnavailable("policy.error", f"the policy engine panicked: {engine_words(fault)}") from fault
