"""The PodsReady condition of a gang, as Kueue words it. Pure."""

from collections.abc import Sequence

from agent.adapters.simulated import pods
from agent.adapters.simulated.evictions import NOT_READY
from agent.adapters.simulated.gangs import wanted_pods
from agent.ports import JsonObject

READY = "All pods reached readiness and the workload is running"
RECOVERING = "At least one pod has failed, waiting for recovery"
RECOVERY = ("WaitForRecovery", "Recovered")


def readiness(gang: JsonObject, mine: Sequence[JsonObject]) -> JsonObject | None:
    """None where nothing new is to be said: a gang of whose readiness nobody has spoken waits until it is ready."""
    said = pods.condition(gang, "PodsReady") or {}
    ready, why = said.get("status") == "True", said.get("reason")
    good = sum(1 for pod in mine if pods.ready(pod) or pods.phase(pod) == "Succeeded")
    if good >= wanted_pods(gang) > 0:
        reason = "Recovered" if why in RECOVERY else "Started"
        return None if ready else pods.said("PodsReady", True, reason, READY)
    if ready or (said and why in RECOVERY):
        return pods.said("PodsReady", False, "WaitForRecovery", RECOVERING)
    return pods.said("PodsReady", False, "WaitForStart", NOT_READY) if said else None
