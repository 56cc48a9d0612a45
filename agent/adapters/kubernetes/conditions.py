"""status.conditions, which nodes, pods, jobs and workloads all write in one form."""

from agent.adapters.kubernetes.fields import Fields
from agent.domain.cluster import Condition


def conditions_of(status: Fields) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            type=entry.required_text("type"),
            status=entry.text("status", "Unknown"),
            reason=entry.text("reason"),
            message=entry.text("message"),
            since=entry.moment("lastTransitionTime"),
        )
        for entry in status.objects("conditions")
    )


def find(conditions: tuple[Condition, ...], kind: str, status: str) -> Condition | None:
    return next((c for c in conditions if c.type == kind and c.status == status), None)
