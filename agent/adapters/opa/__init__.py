"""The gate on an OPA server, for who runs one already. Nobody else imports opa_client.

client speaks HTTP within a deadline, engine holds what comes back to the bundle that the agent was started with.
"""

from agent.adapters.opa.client import OpaPlace
from agent.adapters.opa.engine import OpaPolicyEngine

__all__ = ["OpaPlace", "OpaPolicyEngine"]
