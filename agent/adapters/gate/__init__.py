"""The policy engine that the settings ask for, and its reload while the agent runs.

choice makes the engine (embedded, or an OPA server); reload keeps the policies in force and looks for their successor.
"""

from agent.adapters.gate.choice import policies_for
from agent.adapters.gate.difference import in_words
from agent.adapters.gate.reload import Live, PoliciesInForce

__all__ = ["Live", "PoliciesInForce", "in_words", "policies_for"]
