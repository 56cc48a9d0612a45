"""Asks an OPA server for the verdict, and believes it only as far as the agent's own bundle goes.

The agent reads the same bundle as the server: it checks it, knows its reasons' sentences, and its digest is the
revision that the server must name with every answer. A server with other policies, or none, decides nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.adapters.opa.client import OpaPlace, OpaServer
from agent.adapters.rego.bundle import Bundle, read_bundle
from agent.adapters.rego.engine import as_json, panics_named
from agent.adapters.rego.signature import Trust
from agent.adapters.rego.verdict import completed
from agent.ports import JsonObject, PolicyUnavailable

PACKAGE, RULE = "watchkeeper.main", "verdict"
_SHOWN = 12


class OpaPolicyEngine:
    """An agent.ports.PolicyEngine."""

    def __init__(
        self,
        place: Path,
        overlay_data: Mapping[str, Any] | None = None,
        *,
        server: OpaPlace,
        trust: Trust | None = None,
    ) -> None:
        """Raises BundleRefused when our own bundle is not fit; a server that is away is no reason not to start."""
        with panics_named():
            self._bundle = read_bundle(place, overlay_data, trust)
        self._server = OpaServer(server)

    @property
    def digest(self) -> str:
        return self._bundle.digest

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    @property
    def limits(self) -> Mapping[str, Any]:
        return self._bundle.limits

    def decide(self, policy_input: JsonObject) -> JsonObject:
        """The verdict with its reasons' sentences. Raises PolicyUnavailable; never invents a decision."""
        as_json(policy_input)  # what is no JSON never leaves
        answer = self._server.query(policy_input, PACKAGE, RULE)
        self._refuse_other_revision(answer)
        if "result" not in answer:
            raise PolicyUnavailable("policy.undefined", "the policies on the server gave no result")
        return completed(answer["result"], self._bundle.reasons)

    def not_ready(self) -> str | None:
        """Why it could not decide now; None when it could."""
        return None if self._server.healthy() else "the OPA server is not healthy"

    def close(self) -> None:
        self._server.close()

    def _refuse_other_revision(self, answer: JsonObject) -> None:
        """Exactly one bundle, and it is ours: OPA lets nobody else write below the roots of a bundle."""
        provenance = answer.get("provenance")
        bundles = provenance.get("bundles") if isinstance(provenance, dict) else None
        if not isinstance(bundles, dict) or len(bundles) != 1:
            count = len(bundles) if isinstance(bundles, dict) else 0
            raise PolicyUnavailable("policy.revision", f"the server decides by {count} bundles, expected one")
        (active,) = bundles.values()
        revision = active.get("revision") if isinstance(active, dict) else None
        if revision != self.digest:
            theirs = str(revision)[:_SHOWN] or "none"
            words = f"the server has the policies {theirs}, this agent {self.digest[:_SHOWN]}"
            raise PolicyUnavailable("policy.revision", words)
