"""The embedded policy engine: the default, without a server.

An engine belongs to the thread that built it, so each thread has its own, made from the same checked bundle. Every way
of not deciding becomes PolicyUnavailable with its own code; what that means is for the stage to say (a deny).
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.adapters.rego.bundle import ENTRYPOINT, Bundle, read_bundle
from agent.adapters.rego.faults import engine_words
from agent.adapters.rego.selftest import refuse_foreign_dialect
from agent.adapters.rego.verdict import completed
from agent.ports import JsonObject, PolicyUnavailable


class EmbeddedPolicyEngine:
    """Evaluates `watchkeeper.main.verdict`; an agent.ports.PolicyEngine."""

    def __init__(self, bundle_dir: Path, overlay_data: Mapping[str, Any] | None = None) -> None:
        """Raises BundleRefused (a PolicyUnavailable) when the bundle, its data or the engine is not fit to decide."""
        with _panics_named():
            refuse_foreign_dialect()
            self._bundle = read_bundle(bundle_dir, overlay_data)
        self._threads = threading.local()

    @property
    def digest(self) -> str:
        return self._bundle.digest

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    def decide(self, policy_input: JsonObject) -> JsonObject:
        """The verdict with its reasons' sentences. Raises PolicyUnavailable; never invents a decision."""
        try:
            with _panics_named():
                engine = self._engine()
                engine.set_input_json(json.dumps(policy_input, allow_nan=False))
                answer = engine.eval_rule_as_json(ENTRYPOINT)
        except RuntimeError as fault:
            raise PolicyUnavailable("policy.error", engine_words(fault)) from fault
        except (TypeError, ValueError) as fault:
            raise PolicyUnavailable("policy.error", f"the input is not JSON: {fault}") from fault
        return completed(answer, self._bundle.reasons)

    def _engine(self) -> Any:
        engine = getattr(self._threads, "engine", None)
        if engine is None:
            engine = self._threads.engine = self._bundle.engine()
        return engine


@contextmanager
def _panics_named() -> Iterator[None]:
    """A panic of the Rust side arrives as a BaseException of a class that cannot be imported."""
    try:
        yield
    except BaseException as fault:
        if type(fault).__name__ != "PanicException":
            raise
        raise PolicyUnavailable("policy.error", f"the policy engine panicked: {engine_words(fault)}") from fault
