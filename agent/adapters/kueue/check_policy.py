"""What the site's policies say about letting one workload in: `watchkeeper.admission.verdict`, in the embedded engine.

Whatever is not exactly a verdict is none, and raises PolicyUnavailable; the controller holds the workload then.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from agent.adapters.rego.bundle import Bundle
from agent.adapters.rego.engine import UNDEFINED, as_json
from agent.adapters.rego.evaluator import Evaluator
from agent.adapters.rego.verdict import reason_of
from agent.ports import JsonObject, PolicyUnavailable

ENTRYPOINT = "data.watchkeeper.admission.verdict"
DECISIONS = ("allow", "hold", "retry", "reject")
KEYS = {"decision", "reasons", "requeue_after_s"}


@dataclass(frozen=True, slots=True)
class Verdict:
    decision: str
    reasons: tuple[JsonObject, ...]
    requeue_after_s: int | None  # the first time; of a retry
    policy_digest: str


class AdmissionPolicy(Protocol):
    def decide(self, policy_input: JsonObject) -> Verdict:
        """Raises PolicyUnavailable; never invents a decision."""
        ...


class RegoAdmissionPolicy:
    """By the policies that are in force when it is asked. Its process is its own: the gate never waits for it."""

    def __init__(self, bundle: Callable[[], Bundle]) -> None:
        self._bundle, self._evaluator = bundle, Evaluator(entrypoint=ENTRYPOINT)

    def decide(self, policy_input: JsonObject) -> Verdict:
        bundle = self._bundle()
        answer = self._evaluator.answer(bundle.digest, bundle.content, as_json(policy_input))
        if answer == UNDEFINED:
            raise PolicyUnavailable("policy.undefined", "the policies gave no result")
        return _verdict(json.loads(answer), bundle)

    def close(self) -> None:
        self._evaluator.close()


def _verdict(answer: Any, bundle: Bundle) -> Verdict:
    if not isinstance(answer, dict) or set(answer) != KEYS or answer["decision"] not in DECISIONS:
        raise PolicyUnavailable("policy.ill_typed", "an admission verdict has decision, reasons and requeue_after_s")
    decision, reasons, after_s = answer["decision"], answer["reasons"], answer["requeue_after_s"]
    if not isinstance(reasons, list) or not reasons:
        raise PolicyUnavailable("policy.ill_typed", "there is no list of reasons")
    waits = isinstance(after_s, int) and not isinstance(after_s, bool) and after_s > 0
    if (decision == "retry") != waits or not (waits or after_s is None):
        raise PolicyUnavailable("policy.ill_typed", f"{decision} with requeue_after_s {after_s!r}")
    told = tuple(reason_of(reason, decision, bundle.reasons) for reason in reasons)
    return Verdict(decision, told, after_s, bundle.digest)
