"""The closed vocabulary of a scenario file: action names with their parameters.

The page that users read (docs/scenarios.md) and this table are the same list: a name outside it is a typing error, and
a typing error in `forbidden` must never pass silently. What an action does is known in agent/actions alone.
"""

from collections.abc import Mapping
from typing import Final

NOTIFY: Final = "notify"
ANY: Final = "*"

PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    "scale_workload": frozenset({"replicas", "max_replicas", "target_utilisation"}),
    "requeue_gang": frozenset({"delay_s", "exclude_nodes", "from_checkpoint"}),
    "reserve_capacity": frozenset({"nodes", "until"}),
    "reclaim_idle_gpu": frozenset({"method", "grace_s"}),
    "cordon_node": frozenset(),
    "uncordon_node": frozenset(),
    "drain_node": frozenset(),
    "request_node_repair": frozenset({"operation", "gpu_uuid"}),
    "restart_workload": frozenset({"to_revision"}),
    "rollback_workload": frozenset({"to_revision"}),
    "evict_pod": frozenset(),
    "hold_queue": frozenset({"drain"}),
    "resume_queue": frozenset({"drain"}),
    "deactivate_workload": frozenset(),
    "activate_workload": frozenset(),
    "set_queue_quota": frozenset({"flavor", "resource", "nominal", "borrowing_limit", "lending_limit"}),
    "defragment": frozenset({"moves", "predicted_gain"}),
    NOTIFY: frozenset({"audience", "message"}),
}

EVERY_PARAMETER: Final = frozenset().union(*PARAMETERS.values())


def check_action(name: str) -> str:
    """`name` when it is an action; raises ValueError that lists what would have been."""
    if name not in PARAMETERS:
        raise ValueError(f"unknown action {name!r}; known are {', '.join(sorted(PARAMETERS))}")
    return name


def check_parameters(action: str | None, parameters: Mapping[str, object]) -> None:
    """Raises ValueError for a parameter that the action does not have."""
    known = EVERY_PARAMETER if action in (None, ANY) else PARAMETERS[str(action)]
    for name in parameters:
        if name not in known:
            raise ValueError(f"unknown parameter {name!r}; known are {', '.join(sorted(known)) or 'none'}")
