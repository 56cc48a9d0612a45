"""The gate: Rego policies evaluated inside this process, by regorus. Nobody else imports that module.

bundle reads a folder of policies, metadata and scan refuse what must not be in it, limits reads its data, selftest asks
the engine for the language facts that the policies lean on, verdict checks and completes an answer, engine decides.
"""

from agent.adapters.rego.engine import EmbeddedPolicyEngine
from agent.adapters.rego.faults import BundleRefused

__all__ = ["BundleRefused", "EmbeddedPolicyEngine"]
