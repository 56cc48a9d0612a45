"""Why a gang has to stop, as a reason and a message in Kueue's words: it was switched off, or its queue sends it back.

Pure readings; None means that nothing stops it.
"""

from collections.abc import Iterable

from agent.adapters.simulated import pods
from agent.adapters.simulated.evictions import TARGET
from agent.adapters.simulated.gangs import is_active
from agent.ports import JsonObject


def switched_off(gang: JsonObject) -> tuple[str, str] | None:
    if is_active(gang):
        return None
    why = pods.condition(gang, TARGET)
    if why is None:
        return "Deactivated", "The workload is deactivated"
    return f"DeactivatedDueTo{why.get('reason')}", f"The workload is deactivated due to {why.get('message')}"


def draining(queues: Iterable[JsonObject | None]) -> tuple[str, str] | None:
    """The first of these queues that sends its gangs back, as a reason and a message."""
    for queue in queues:
        if queue is not None and (queue.get("spec") or {}).get("stopPolicy") == "HoldAndDrain":
            return f"{queue['kind']}Stopped", f"The {queue['kind']} is stopped"
    return None
